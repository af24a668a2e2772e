"""The panel of a run: its quality estimators and their blend, fitted and asked in stages."""

from collections.abc import Sequence
from dataclasses import replace

from qc import CONSENSUS, Blend, Quality
from qc.consensus.panel import Panel
from qc.gates import Calibration
from semiqc.experiment.fitting import EstimatorStages, FittedEstimator
from semiqc.experiment.held_out import HeldOut, Judged
from semiqc.experiment.ladder import Ladder, deal
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.study import Prediction, Study


class RunPanel:
    """A ``Panel`` whose estimators are fitted to segmentations of a ladder of segmenters.

    Qualities of many predictions are kept in the run folder; those of one are worked out anew.

    Args:
        settings: Of the run.
        trainer: Trains the ladder of segmenters.

    Attributes:
        fitted: The estimators by name; empty before ``fit``.
        panel: The same with their blend.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer) -> None:
        self.settings = settings
        self.trainer = trainer
        self.stages = EstimatorStages(settings, trainer)
        self.ladder = Ladder(settings, trainer)
        self.fitted: dict[str, FittedEstimator] = {}
        self.panel = Panel({})
        self.held_out = HeldOut(self.stages, [], [])
        self.is_cross_fitted = False
        for name in settings.estimators:
            self.stages.check(name)

    @property
    def blend(self) -> Blend | None:
        """Weighs the estimators; None where there is no consensus."""
        return self.panel.blend

    @property
    def names(self) -> list[str]:
        """Names that can be asked for; the consensus comes last."""
        return self.panel.names

    def fit(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Fit every estimator, and the blend of several.

        Args:
            experts: The labelled studies, which train the ladder.
            spared: Studies that train no segmenter. Where there are none, each fold of
                ``experts`` is segmented by a ladder that is trained on the others.
        """
        self.is_cross_fitted = not spared
        folds = deal(spared or experts, self.settings.qc.folds, self.trainer.seed)
        graded = self.ladder.graded(experts, spared, folds)
        self.held_out = HeldOut(self.stages, graded, folds)
        self.fitted = {name: self.stages.fit(name, graded) for name in self.settings.estimators}
        gates = (self.settings.gate, *self.settings.gates)
        is_blended = len(self.fitted) > 1 or any(gate.by == CONSENSUS for gate in gates)
        estimators = {name: fitted.estimator for name, fitted in self.fitted.items()}
        self.panel = Panel(estimators, self.held_out.blend(self.fitted) if is_blended else None)

    def judge(self, name: str, predictions: Sequence[Prediction]) -> list[Quality]:
        """What the estimator, or the consensus of all, says of each prediction.

        Raises:
            ValueError: If nobody has the name, or the estimator cannot judge a prediction.
        """
        if name in self.fitted:
            return self.stages.judge(name, self.fitted[name], predictions)
        blend = self.panel.blend_of(name)
        said = {one: self.judge_able(one, predictions) for one in self.fitted}
        return [
            blend.judge({n: judged.get(one.study) for n, judged in said.items()}, one)
            for one in predictions
        ]

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

    def calibration(self, name: str) -> Calibration:
        """Scores of what the whole first segmenter made of studies that it did not learn from.

        Of each subject that the estimators are fitted to, judged by estimators fitted to others.
        """
        if self.is_cross_fitted:
            self.trainer.monitor.note(
                "nothing can be promised: no subject is spared for qc, and the first segmenter"
                " has segmented none that it did not learn from"
            )
            return Calibration([], [])
        return self.held_out.calibration(self._qualities_held_out(name), self.ladder.whole)

    def with_error_maps(self, name: str, prediction: Prediction, quality: Quality) -> Quality:
        """The quality with the error maps of all who give some, which are not kept."""
        return replace(quality, error_maps=self.panel.error_maps(name, prediction))

    def key(self, name: str) -> str:
        """Tells apart what was learned: stages and, as weights learn across them, the folds."""
        if name in self.fitted:
            return self.fitted[name].stage.key
        stages = ",".join(fitted.stage.key for fitted in self.fitted.values())
        return f"{stages};{self.held_out.key}"

    def _qualities_held_out(self, name: str) -> Judged:
        """Of each graded prediction, by estimators and a blend that were fitted to other folds."""
        if name in self.fitted:
            return self.held_out.qualities(name)
        return self.held_out.consensus(self.fitted)
