"""The panel of a run that fits its estimators to segmentations of its own."""

from collections.abc import Sequence
from functools import partial

from qc import CONSENSUS, Graded
from qc.consensus.panel import Panel
from qc.gates import Calibration
from semiqc.experiment.held_out import HeldOut, Judged
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.ladder import Ladder, Part, deal, parts_of
from semiqc.experiment.made import MadeBySources
from semiqc.experiment.qc_settings import LADDER
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.files.tables import GradedRow
from semiqc.study import Prediction, Study


class OwnPanel(RunPanel):
    """Fits the estimators to segmentations of a ladder of segmenters, and of other sources.

    Args:
        settings: Of the run.
        trainer: Trains the ladder of segmenters.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer) -> None:
        super().__init__(settings, trainer)
        self.ladder = Ladder(settings, trainer, self.readers)
        self.held_out = HeldOut(self.stages, [], [])
        self.is_cross_fitted = False
        for name in settings.estimators:
            self.stages.check(name)

    @property
    def seen(self) -> list[Prediction]:
        graded = self.held_out.graded
        return [one.prediction for one in graded if one.source == self.ladder.whole]

    @property
    def graded_rows(self) -> list[GradedRow]:
        return self.held_out.rows(self.trainer.seed)

    def fit(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Fit every estimator, and the blend of several.

        Args:
            experts: The labelled studies, which train the ladder.
            spared: Studies that train no segmenter. Where there are none, each fold of
                ``experts`` is segmented by a ladder that is trained on the others.
        """
        self.is_cross_fitted = not spared
        folds = deal(spared or experts, self.settings.qc.folds, self.trainer.seed)
        parts = parts_of(experts, spared, folds)
        graded = graded_of(parts, self.ladder)
        self.held_out = HeldOut(self.stages, graded, folds)
        names = self.settings.estimators
        fits = [partial(self.stages.fit, name, graded) for name in names]
        self.fitted = dict(zip(names, self.trainer.folder.each(fits), strict=True))
        gates = (self.settings.gate, *self.settings.gates)
        is_blended = len(self.fitted) > 1 or any(gate.by == CONSENSUS for gate in gates)
        estimators = {name: fitted.estimator for name, fitted in self.fitted.items()}
        self.panel = Panel(estimators, self.held_out.blend(self.fitted) if is_blended else None)

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

    def _qualities_held_out(self, name: str) -> Judged:
        """Of each graded prediction, by estimators and a blend that were fitted to other folds."""
        if name in self.fitted:
            return self.held_out.qualities(name)
        return self.held_out.consensus(self.fitted)

    def _key_of_blend(self) -> str:
        return self.held_out.key


def graded_of(parts: Sequence[Part], ladder: Ladder) -> list[Graded]:
    """All that a run's estimators learn from: by its ladder, and by other sources.

    Args:
        parts: What is segmented by segmenters that learned from which studies.
        ladder: Of the run.
    """
    settings = ladder.settings
    graded = ladder.graded(parts) if LADDER in settings.qc.sources else []
    return graded + MadeBySources(settings, ladder.trainer).graded(parts)
