"""Teaching the quality estimators, and letting them judge, within a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qc import (
    CONSENSUS,
    ESTIMATORS,
    Blend,
    Graded,
    Quality,
    QualityEstimator,
)
from qc.absence import absent_structures
from qc.consensus.calibration import true_dice
from qc.estimators.registry import make_estimator
from qc.frames import frames_to_learn_from
from qc.gates import Calibration
from qc.qualities_file import read_qualities, write_qualities
from qc.saving import load_estimator, save_estimator
from semiqc.experiment.ladder import Ladder, deal
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import origin
from semiqc.measuring.means import mean_of_known
from semiqc.study import Prediction, Study
from semiqc.work.arguments import checked_arguments
from semiqc.work.stages import Stage

ESTIMATOR = "estimator.safetensors"
PERCENT = 100


class RunPanel:
    """The quality estimators of a run, taught on predictions whose reference is known.

    Args:
        settings: Of the run.
        trainer: Trains the ladder of segmenters.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer) -> None:
        self.settings = settings
        self.trainer = trainer
        self.fitted: dict[str, tuple[Stage, QualityEstimator]] = {}
        self.ladder = Ladder(settings, trainer)
        self.graded: list[Graded] = []
        self.folds: list[list[Study]] = []
        self.is_cross_fitted = False
        self._held_out: dict[str, list[Quality | None]] = {}
        self._blend: Blend | None = None
        for name in settings.judges:
            self._check(name)

    @property
    def blend(self) -> Blend | None:
        """Weighs the estimators, where there are several; taught."""
        return self._blend

    @property
    def names(self) -> list[str]:
        """Of all who judge; the consensus of several comes last."""
        return [*self.fitted, CONSENSUS] if self._blend else list(self.fitted)

    def fit(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Teach every estimator.

        Args:
            experts: The labelled studies, which train the ladder.
            spared: Studies that train no segmenter. Where there are none, each fold of
                ``experts`` is judged by a ladder that is trained on the others.
        """
        self.is_cross_fitted = not spared
        self.folds = deal(spared or experts, self.settings.qc.folds, self.trainer.seed)
        self.graded = self.ladder.graded(experts, spared, self.folds)
        self._subjects = {one.prediction.study: one.whose for one in self.graded}
        for name in self.settings.judges:
            self.fitted[name] = self._fit(name, self.graded)
        gates = (self.settings.gate, *self.settings.gates)
        if len(self.fitted) > 1 or any(gate.by == CONSENSUS for gate in gates):
            self._blend = self._learn_to_weigh()

    def judge(self, name: str, predictions: Sequence[Prediction]) -> list[Quality]:
        """What the estimator, or the consensus of all, says of each prediction."""
        if name != CONSENSUS:
            return self._judge(*self.fitted[name], name, predictions)
        said = {one: self.judge_able(one, predictions) for one in self.fitted}
        return [
            self._weighed({n: judged.get(one.study) for n, judged in said.items()}, one)
            for one in predictions
        ]

    def judge_able(self, name: str, predictions: Sequence[Prediction]) -> dict[str, Quality]:
        """By study, what an estimator says of those predictions that it can judge."""
        if name == CONSENSUS:
            return {quality.study: quality for quality in self.judge(name, predictions)}
        stage, estimator = self.fitted[name]
        able = [one for one in predictions if estimator.can_judge(one)]
        return {one.study: one for one in self._judge(stage, estimator, name, able)}

    def say(self, name: str, prediction: Prediction, *, without: str = "") -> Quality:
        """What is said of a single prediction, with error maps, and not kept.

        Args:
            name: Of an estimator, or the consensus.
            prediction: That is judged.
            without: An estimator that is not heard in the consensus.
        """
        if name != CONSENSUS:
            [quality] = self.fitted[name][1].predict([prediction])
            return quality
        said = {
            one: estimator.predict([prediction])[0]
            for one, (_, estimator) in self.fitted.items()
            if one != without and estimator.can_judge(prediction)
        }
        return self._weighed(said, prediction)

    def calibration(self, name: str) -> Calibration:
        """Scores of what the whole first segmenter made of studies that taught nobody.

        Of each subject that teaches the estimators, as those judge it who learned from others.
        """
        if self.is_cross_fitted:
            self.trainer.monitor.note(
                "nothing can be promised: no subject is spared for qc, and the first segmenter"
                " has segmented none that it did not learn from"
            )
            return Calibration([], [])
        last = self.ladder.whole
        qualities = self._qualities_held_out(name)
        true = true_dice(self.graded, self.trainer.store.scheme)
        chosen = [
            (quality.score, mean_dice, self._subjects[one.prediction.study])
            for one, quality, dice in zip(self.graded, qualities, true, strict=True)
            if quality is not None
            and one.source == last
            and math.isfinite(mean_dice := mean_of_known(dice))
        ]
        if not chosen:
            return Calibration([], [])
        return Calibration(*(list(column) for column in zip(*chosen, strict=True)))

    def with_error_maps(self, name: str, prediction: Prediction, quality: Quality) -> Quality:
        """The quality with the error maps of all who give some, which are not kept."""
        names = self.fitted if name == CONSENSUS else [name]
        said = {
            one: estimator.predict([prediction])[0]
            for one in names
            if (estimator := self.fitted[one][1]).gives_error_maps
            and estimator.can_judge(prediction)
        }
        told = self._weighed(said, prediction) if name == CONSENSUS else said.get(name, quality)
        return replace(quality, error_maps=told.error_maps)

    def key(self, name: str) -> str:
        """Tells apart what was learned: stages and, as weights learn across them, the folds."""
        if name != CONSENSUS:
            return self.fitted[name][0].key
        stages = ",".join(stage.key for stage, _ in self.fitted.values())
        folds = "/".join(",".join(sorted(one.name for one in fold)) for fold in self.folds)
        return f"{stages};{folds}"

    def _judge(
        self,
        stage: Stage,
        estimator: QualityEstimator,
        name: str,
        predictions: Sequence[Prediction],
    ) -> list[Quality]:
        depends = {"estimator": stage.key, "predictions": [origin(p) for p in predictions]}

        def make(unfinished: Path) -> None:
            # One at a time: error maps of all studies would not fit into memory.
            judged = [replace(*estimator.predict([one]), error_maps={}) for one in predictions]
            write_qualities(unfinished, judged)

        stage = self.trainer.folder.stage(f"judge-{name}-seed{self.trainer.seed}", depends, make)
        return read_qualities(stage.folder)

    def _check(self, name: str) -> None:
        try:
            self._blank(name).check()
        except ValueError as error:
            raise ValueError(f"qc.arguments: {name}: {error}") from error

    def _blank(self, name: str) -> QualityEstimator:
        store = self.trainer.store
        arguments = self._arguments(name)
        seed = self.trainer.seed
        return make_estimator(name, store.scheme, len(store.modalities), seed=seed, **arguments)

    def _arguments(self, name: str) -> dict[str, Any]:
        return checked_arguments(ESTIMATORS[name], self.settings.qc.arguments.get(name, {}))

    def _fit(
        self, name: str, graded: Sequence[Graded], part: str = ""
    ) -> tuple[Stage, QualityEstimator]:
        trainer = self.trainer
        key = [[*origin(one.prediction), one.is_good, frames_to_learn_from(one)] for one in graded]
        depends = {"estimator": name, "arguments": self._arguments(name), "graded": key}

        def make(unfinished: Path) -> None:
            blank = self._blank(name)
            with trainer.monitor.progress(f"fit {name}{part}", PERCENT) as tick:
                fitted = blank.fit(
                    graded, observe=lambda done, total: tick(PERCENT * done // total, {})
                )
            save_estimator(fitted, unfinished / ESTIMATOR)

        stage = trainer.folder.stage(f"qc-{name}{part}-seed{trainer.seed}", depends, make)
        return stage, load_estimator(stage.folder / ESTIMATOR, ESTIMATORS)

    def _qualities_held_out(self, name: str) -> list[Quality | None]:
        """Of all that teaches, each judged by an estimator that others have taught.

        None where the others cannot teach it, or where there is a single subject.
        """
        if name == CONSENSUS:
            return self._consensus_held_out()
        if name not in self._held_out:
            found: dict[int, Quality] = {}
            for number, part in enumerate(self._parts()):
                others = [one for i, one in enumerate(self.graded) if i not in part]
                try:
                    fitted = self._fit(name, others, f"-fold{number}")
                except ValueError as error:
                    self.trainer.monitor.note(f"{name} cannot learn without a fold: {error}")
                    continue
                judged = [i for i in part if fitted[1].can_judge(self.graded[i].prediction)]
                predictions = [self.graded[i].prediction for i in judged]
                qualities = self._judge(*fitted, f"{name}-fold{number}", predictions)
                found |= dict(zip(judged, qualities, strict=True))
            self._held_out[name] = [found.get(i) for i in range(len(self.graded))]
        return self._held_out[name]

    def _consensus_held_out(self) -> list[Quality | None]:
        found: list[Quality | None] = [None] * len(self.graded)
        held_out = {name: self._qualities_held_out(name) for name in self.fitted}
        for part in self._parts():
            others = [i for i in range(len(self.graded)) if i not in part]
            blend = self._blended(held_out, others)
            for i in part:
                said = {name: judged[i] for name, judged in held_out.items()}
                found[i] = self._combined(blend, said, self.graded[i].prediction)
        return found

    def _learn_to_weigh(self) -> Blend:
        held_out = {name: self._qualities_held_out(name) for name in self.fitted}
        return self._blended(held_out, range(len(self.graded)))

    def _blended(
        self, held_out: Mapping[str, Sequence[Quality | None]], chosen: Sequence[int]
    ) -> Blend:
        """Weights learned from some of what teaches."""
        graded = [self.graded[i] for i in chosen]
        return Blend(self.trainer.store.scheme).fit(
            {name: [judged[i] for i in chosen] for name, judged in held_out.items()},
            graded,
            subjects=[self._subjects[one.prediction.study] for one in graded],
        )

    def _weighed(self, said: Mapping[str, Quality | None], prediction: Prediction) -> Quality:
        assert self._blend is not None, "the consensus has not been learned"
        return self._combined(self._blend, said, prediction)

    def _combined(
        self, blend: Blend, said: Mapping[str, Quality | None], prediction: Prediction
    ) -> Quality:
        absent = absent_structures(prediction, self.trainer.store.scheme)
        return blend.combine(said, absent=absent)

    def _parts(self) -> list[set[int]]:
        """Indices of what teaches, a part for each fold."""
        names = [{study.name for study in fold} for fold in self.folds]
        return [
            {i for i, one in enumerate(self.graded) if one.prediction.study in fold}
            for fold in names
        ]
