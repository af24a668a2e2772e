"""All trainings and judgements of one seed of a run."""

from collections.abc import Sequence

from semiqc.experiment.data import Data
from semiqc.experiment.evaluator import Evaluator
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.own_panel import OwnPanel
from semiqc.experiment.results import Results
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.scenario_run import ScenarioRun
from semiqc.experiment.settings import Settings
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.suite_panel import SuitePanel
from semiqc.experiment.trained import TrainedEnsemble
from semiqc.files.tables import SplitRow
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder


class SeedRun:
    """Trains, judges and evaluates every scenario.

    Args:
        settings: Of the run.
        data: Of the run.
        split: Who is used for what.
        folder: Where stages are kept.
        monitor: Told how it goes on.
        seed: Of trainings and random choices.
        results: Gets the rows.
    """

    def __init__(
        self,
        settings: Settings,
        data: Data,
        split: Sequence[SplitRow],
        folder: RunFolder,
        monitor: Monitor,
        seed: int,
        results: Results,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.results = results
        self.studies = SplitStudies(data, split, settings)
        self.trainer = StagedTrainer(
            settings, data.store, folder, monitor, seed=seed, validation=self.studies.validation
        )
        self.panel = self._panel()
        self.evaluator = Evaluator(self.trainer, self.panel, self.studies, results)

    def work(self) -> None:
        """Train, judge and evaluate every scenario of the settings.

        Raises:
            ValueError: If a scenario needs unlabelled studies and the split has none.
        """
        first = self._train_first()
        scenarios = self.settings.compared()
        gated = [name for name, one in scenarios.items() if one.gate != "none"]
        needy = [name for name, one in scenarios.items() if one.needs_unlabelled]
        if needy and not self.studies.candidates:
            raise ValueError(f"scenario {needy[0]}: the split leaves no study as unlabelled")
        if gated:
            self._fit_estimators()
            self.evaluator.add_curves_of_candidates(first)
        self.evaluator.add_manual_measures()
        for name in scenarios:
            scenario = ScenarioRun(name, self.trainer, self.panel, self.studies, first)
            last = scenario.work(self.results)
            self.evaluator.evaluate(name, TrainedEnsemble((last.first,)))

    def _panel(self) -> RunPanel:
        """Who judges, not yet fitted."""
        suite = self.settings.qc.suite
        if suite is None:
            return OwnPanel(self.settings, self.trainer)
        return SuitePanel(self.settings, self.trainer, suite)

    def _train_first(self) -> TrainedEnsemble:
        """The segmenters that learn from the few labels alone, and are a rung of the ladder."""
        qc = self.settings.qc
        whole = [rung for rung in qc.ladder if rung.is_whole and qc.suite is None]
        rung = whole[0] if whole else WHOLE
        return self.trainer.train_ensemble("few", rung, self.studies.experts)

    def _fit_estimators(self) -> None:
        self.panel.fit(self.studies.experts, self.studies.spared)
        for name, fitted in self.panel.fitted.items():
            self.results.estimators[name, self.seed] = fitted
        if self.panel.blend:
            self.results.blends[self.seed] = self.panel.blend
