"""The panel of a run that is given a fitted suite: nothing is fitted, and no label is needed."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from qc import CONSENSUS, ESTIMATORS, Blend, Graded
from qc.consensus.panel import Panel
from qc.gates import Calibration
from qc.saving import load_estimator
from qc.suites.places import suite_file
from qc.suites.shipped import suite_folder
from qc.suites.suite import Suite
from semiqc.experiment.fitting import ESTIMATOR, FittedEstimator
from semiqc.experiment.held_out import calibration_of
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.files.checksums import sha256_of
from semiqc.study import Study
from semiqc.work.stages import Stage


class SuitePanel(RunPanel):
    """Takes estimators and consensus as a suite holds them.

    Each file of the suite is copied into a stage that is known by the file's content: what the
    suite says is found again, and asked for anew only where another suite took its place.

    Args:
        settings: Of the run.
        trainer: Trains the first segmenter, and predicts.
        folder: Of the suite.
    """

    def __init__(self, settings: Settings, trainer: StagedTrainer, folder: Path) -> None:
        super().__init__(settings, trainer)
        self.folder = suite_folder(folder)
        self.experts: Sequence[Study] = ()
        self.spared: Sequence[Study] = ()
        self.stage_of_blend: Stage | None = None

    def fit(self, experts: Sequence[Study], spared: Sequence[Study]) -> None:
        """Take the estimators; ``spared`` are what ``calibration`` may promise by."""
        self.experts, self.spared = experts, spared
        suite = Suite.load(self.folder)
        for name in suite.estimators:
            stage = self._copied(name)
            estimator = load_estimator(stage.folder / ESTIMATOR, ESTIMATORS, suite.scheme)
            self.fitted[name] = FittedEstimator(stage, estimator)
        blend = None
        if suite.blend:
            self.stage_of_blend = self._copied(CONSENSUS)
            file = self.stage_of_blend.folder / ESTIMATOR
            blend = load_estimator(file, {CONSENSUS: Blend}, suite.scheme)
        estimators = {name: fitted.estimator for name, fitted in self.fitted.items()}
        self.panel = Panel(estimators, blend)

    def calibration(self, name: str) -> Calibration:
        """Scores of what the whole first segmenter made of the spared studies.

        None of these taught the segmenter or the suite.
        """
        trainer = self.trainer
        if not self.spared:
            trainer.monitor.note(
                "nothing can be promised: no subject is spared for qc, and the suite has seen"
                " nothing of the first segmenter"
            )
            return Calibration([], [])
        first = trainer.train_ensemble("few", WHOLE, self.experts)
        hidden = [study.without_labels() for study in self.spared]
        predictions = trainer.predict("qc-few", first, hidden)
        said = self.judge_able(name, predictions)
        graded = [
            Graded(p, study.labels, group=study.group, subject=study.subject)
            for p, study in zip(predictions, self.spared, strict=True)
        ]
        qualities = [said.get(one.study) for one in predictions]
        return calibration_of(graded, qualities, trainer.store.scheme)

    def _copied(self, name: str) -> Stage:
        """The stage with a copy of a suite's file."""
        file = suite_file(self.folder, name)

        def make(unfinished: Path) -> None:
            shutil.copyfile(file, unfinished / ESTIMATOR)

        return self.trainer.folder.stage(f"suite-{name}", {"suite": sha256_of(file)}, make)

    def _key_of_blend(self) -> str:
        return self.stage_of_blend.key if self.stage_of_blend else ""
