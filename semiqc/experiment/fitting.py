"""Quality estimators of a run, fitted and asked in stages of its folder.

A stage is found again by what it depends on: the estimator's arguments and, of each graded
prediction, the stage that made it, its verdict and its labelled frames.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from qc import ESTIMATORS, Graded, Quality, QualityEstimator
from qc.estimators.registry import make_estimator
from qc.frames import frames_to_learn_from
from qc.qualities_file import read_qualities, write_qualities
from qc.saving import load_estimator, save_estimator
from semiqc.experiment.parts import in_parts
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import origin
from semiqc.study import Prediction
from semiqc.work.arguments import checked_arguments
from semiqc.work.diverging import named_if_diverged
from semiqc.work.stages import Stage

ESTIMATOR = "estimator.safetensors"
PERCENT = 100


class FittedEstimator(NamedTuple):
    """A fitted estimator, and the stage that holds its file."""

    stage: Stage
    estimator: QualityEstimator


class EstimatorStages:
    """Fits estimators and keeps what they say; what is in the run folder is not done again.

    Args:
        settings: Of the run.
        trainer: Has the store, the run folder and the seed.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer) -> None:
        self.settings = settings
        self.trainer = trainer

    def check(self, name: str) -> None:
        """Make sure that an estimator can be fitted with its settings.

        Raises:
            ValueError: If not.
        """
        try:
            self._blank(name, ()).check()
        except ValueError as error:
            raise ValueError(f"qc.arguments: {name}: {error}") from error

    def fit(self, name: str, graded: Sequence[Graded], part: str = "") -> FittedEstimator:
        """An estimator fitted to graded predictions.

        Args:
            name: Of the estimator.
            graded: Its training data.
            part: Tells apart fits of the same estimator to parts of the data.

        Raises:
            ValueError: If it cannot learn from these.
        """
        trainer = self.trainer
        key = [[*origin(one.prediction), one.is_good, frames_to_learn_from(one)] for one in graded]
        blank = self._blank(name, graded)
        depends = {"estimator": name, "arguments": self._arguments(name), "graded": key}
        depends |= blank.starts_from()

        def make(unfinished: Path) -> None:
            with (
                trainer.monitor.progress(f"fit {name}{part}", PERCENT) as tick,
                named_if_diverged(f"of the estimator {name}{part}", f"change qc.arguments.{name}"),
            ):
                fitted = blank.fit(
                    graded, observe=lambda done, total: tick(PERCENT * done // total, {})
                )
            save_estimator(fitted, unfinished / ESTIMATOR)

        stage = trainer.folder.stage(f"qc-{name}{part}-seed{trainer.seed}", depends, make)
        return FittedEstimator(stage, load_estimator(stage.folder / ESTIMATOR, ESTIMATORS))

    def judge(
        self, name: str, fitted: FittedEstimator, predictions: Sequence[Prediction]
    ) -> list[Quality]:
        """What an estimator says of predictions, without error maps.

        Args:
            name: Of the stage.
            fitted: The estimator.
            predictions: That it can judge.
        """
        folder = self.trainer.folder

        def part(which: str, some: Sequence[Prediction]) -> list[Quality]:
            depends = {"estimator": fitted.stage.key, "predictions": [origin(p) for p in some]}

            def make(unfinished: Path) -> None:
                # One at a time: error maps of all studies would not fit into memory.
                predict = fitted.estimator.predict
                judged = [replace(*predict([one]), error_maps={}) for one in some]
                write_qualities(unfinished, judged)

            stage = folder.stage(f"judge-{name}{which}-seed{self.trainer.seed}", depends, make)
            return read_qualities(stage.folder)

        return in_parts(folder, predictions, part)

    def _blank(self, name: str, graded: Sequence[Graded]) -> QualityEstimator:
        """An estimator with the settings' arguments that suits what it learns from, not fitted."""
        store, seed = self.trainer.store, self.trainer.seed
        arguments = self._arguments(name)
        blank = make_estimator(name, store.scheme, len(store.modalities), seed=seed, **arguments)
        names = {one.prediction.study for one in graded}
        return blank.suited_to([store.study(one) for one in store.names if one in names])

    def _arguments(self, name: str) -> dict[str, Any]:
        return checked_arguments(ESTIMATORS[name], self.settings.qc.arguments.get(name, {}))
