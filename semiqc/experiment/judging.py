"""The panel of a run: its quality estimators and their blend, had and asked in stages."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from qc import Blend, Quality
from qc.consensus.panel import Panel
from qc.gates import Calibration
from semiqc.experiment.fitting import EstimatorStages, FittedEstimator
from semiqc.experiment.readers import Readers
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.files.tables import GradedRow
from semiqc.study import Prediction, Study


class RunPanel(ABC):
    """A ``Panel`` in a run folder.

    Qualities of many predictions are kept in the run folder; those of one are worked out anew.

    Args:
        settings: Of the run.
        trainer: Trains and predicts.

    Attributes:
        fitted: The estimators by name; empty before ``fit``.
        panel: The same with their blend.
        readers: People, where they give verdicts.
        rejected: Unlabelled studies that people call erroneous; see ``reject``.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer) -> None:
        self.settings = settings
        self.trainer = trainer
        self.stages = EstimatorStages(settings, trainer)
        self.fitted: dict[str, FittedEstimator] = {}
        self.panel = Panel({})
        self.readers = Readers(settings, trainer.store.path, trainer.seed)
        self.rejected: frozenset[str] = frozenset()

    @property
    def blend(self) -> Blend | None:
        """Weighs the estimators; None where there is no consensus."""
        return self.panel.blend

    @property
    def names(self) -> list[str]:
        """Names that can be asked for; the consensus comes last."""
        return self.panel.names

    @property
    def seen(self) -> list[Prediction]:
        """What the whole first segmenter made of the studies that the estimators learn from."""
        return []

    @property
    def graded_rows(self) -> list[GradedRow]:
        """How good that is which the estimators learned from; empty where a suite judges."""
        return []

    @abstractmethod
    def fit(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Have every estimator, and the blend of several.

        Args:
            experts: The labelled studies, which train the segmenters.
            spared: Studies that train no segmenter; there may be none.
        """

    @abstractmethod
    def calibration(self, name: str) -> Calibration:
        """Scores of what the whole first segmenter made of studies that nobody learned from."""

    @abstractmethod
    def _key_of_blend(self) -> str:
        """Tells apart what the blend was fitted to, beside the estimators."""

    def reject(self, candidates: Sequence[Prediction]) -> None:
        """Let no study become a pseudo-label whose prediction people call erroneous."""
        self.rejected = self.readers.rejected(candidates)
        if self.rejected:
            self.trainer.monitor.note(f"{len(self.rejected)} studies are rejected by readers")

    def judge(self, name: str, predictions: Sequence[Prediction]) -> list[Quality]:
        """What the estimator, or the consensus of all, says of each prediction.

        Raises:
            ValueError: If nobody has the name, or the estimator cannot judge a prediction.
        """
        if name in self.fitted:
            return self.stages.judge(name, self.fitted[name], predictions)
        blend = self.panel.blend_of(name)
        said = self.judge_by_each(self.fitted, predictions)
        return [
            blend.judge({n: judged.get(one.study) for n, judged in said.items()}, one)
            for one in predictions
        ]

    def judge_by_each(
        self, names: Iterable[str], predictions: Sequence[Prediction]
    ) -> dict[str, dict[str, Quality]]:
        """By estimator and study, what is said of those predictions that it can judge."""
        names = list(names)
        asked = [partial(self.judge_able, name, predictions) for name in names]
        return dict(zip(names, self.trainer.folder.each(asked), strict=True))

    def judge_able(self, name: str, predictions: Sequence[Prediction]) -> dict[str, Quality]:
        """By study, what is said of those predictions that the estimator can judge."""
        able = predictions
        if name in self.fitted:
            able = [one for one in predictions if self.fitted[name].estimator.can_judge(one)]
        return {quality.study: quality for quality in self.judge(name, able)}

    def say(self, name: str, prediction: Prediction, *, without: str = "") -> Quality:
        """What is said of a single prediction, with error maps, and not kept.

        Args:
            name: Of an estimator, or the consensus.
            prediction: That is judged.
            without: An estimator that the consensus leaves out.
        """
        return self.panel.judge(name, prediction, without=(without,))

    def with_error_maps(self, name: str, prediction: Prediction, quality: Quality) -> Quality:
        """The quality with the error maps of all who give some, which are not kept."""
        return replace(quality, error_maps=self.panel.error_maps(name, prediction))

    def key(self, name: str) -> str:
        """Tells apart what was learned: stages and, as weights learn across them, the blend."""
        if name in self.fitted:
            return self.fitted[name].stage.key
        stages = ",".join(fitted.stage.key for fitted in self.fitted.values())
        return f"{stages};{self._key_of_blend()}"
