"""All trainings and judgements of one seed of a run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from semiqc.experiment.data import Data
from semiqc.experiment.evaluator import Evaluator
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.own_panel import OwnPanel
from semiqc.experiment.results import Results
from semiqc.experiment.round_rows import scores_of
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.scenario_run import ScenarioRun
from semiqc.experiment.settings import Settings
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.steps import FIRST, FIT, JUDGE, named
from semiqc.experiment.suite_panel import SuitePanel
from semiqc.experiment.trained import TrainedEnsemble, prediction_file
from semiqc.files.tables import SplitRow
from semiqc.review.run_queue import CANDIDATE, TEACHING, Queued
from semiqc.study import Prediction
from semiqc.work.monitor import Monitor, step
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
        self._is_fitted = False

    def work(self) -> None:
        """Train, judge and evaluate every scenario of the settings."""
        first = self._train_first()
        if self._is_gated:
            self._fit_estimators()
            candidates = self._candidates(first)
            self.evaluator.add_curves_of_candidates(candidates)
            self.panel.reject(candidates)
        self.evaluator.add_manual_measures()
        for name in self.settings.compared():
            with self._step(self.settings.compared()[name].title):
                self.evaluator.evaluate(name, self._ended(name, first))
        if self._is_gated:
            self._queue(first)
            self.results.graded += self.panel.graded_rows
            if self.seed == self.settings.seeds[0]:
                self._explain(first)

    def prepare(self) -> None:
        """Make the stages that ``work`` needs, in whatever order; see ``semiqc.work.sharing``."""
        tasks = [partial(self._prepare, name) for name in self.settings.compared()]
        if self._is_gated:
            tasks.insert(0, partial(self._fit_estimators))
        self.trainer.folder.each(tasks)

    def _prepare(self, name: str) -> None:
        first = self._train_first()
        if self.settings.compared()[name].gate != "none":
            self._fit_estimators()
            self.panel.reject(self._candidates(first))
        with self._step(self.settings.compared()[name].title):
            self.evaluator.segment(name, self._ended(name, first))

    def _step(self, name: str) -> AbstractContextManager[None]:
        """A step of the run's plan; see ``semiqc.experiment.steps``."""
        return step(self.trainer.monitor, named(name, self.settings, self.seed))

    def _ended(self, name: str, first: TrainedEnsemble) -> TrainedEnsemble:
        """The segmenter that a scenario ends with."""
        scenario = ScenarioRun(name, self.trainer, self.panel, self.studies, first)
        return TrainedEnsemble((scenario.work(self.results).first,))

    @property
    def _is_gated(self) -> bool:
        return any(one.gate != "none" for one in self.settings.compared().values())

    def _candidates(self, first: TrainedEnsemble) -> list[Prediction]:
        """The unlabelled studies, as the first segmenter sees them."""
        hidden = [study.without_labels() for study in self.studies.candidates]
        with self._step(JUDGE):
            return self.trainer.predict("few-candidates", first, hidden)

    def _queue(self, first: TrainedEnsemble) -> None:
        """Add verdicts that were used, and what people may judge with ``semiqc review``."""
        self.results.verdicts += self.panel.readers.taken
        data = self.results.data
        rows = [row for row in self.results.judgements if row.seed == self.seed]
        refined = {name for name, one in self.settings.compared().items() if one.refine}
        scores = scores_of(first, rows, refined)
        taught = [Queued(p.study, TEACHING, prediction_file(p)) for p in self.panel.seen]
        self.results.queue += taught + [
            Queued(
                p.study,
                CANDIDATE,
                prediction_file(p),
                scores.get(p.study, {}),
                data.spoilt_store if p.study in data.spoilt else None,
            )
            for p in self._candidates(first)
        ]

    def _explain(self, first: TrainedEnsemble) -> None:
        """Add what the estimators looked at in the first segmenter's results."""
        from semiqc.experiment.explaining import explained

        rows = [row for row in self.results.judgements if row.seed == self.seed]
        scores = scores_of(first, rows, ())
        self.results.explained += explained(self.panel.fitted, self._candidates(first), scores)

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
        with self._step(FIRST):
            return self.trainer.train_ensemble("few", rung, self.studies.experts)

    def _fit_estimators(self) -> None:
        if self._is_fitted:
            return
        with self._step(FIT):
            self.panel.fit(self.studies.experts, self.studies.spared)
        self._is_fitted = True
        for name, fitted in self.panel.fitted.items():
            self.results.estimators[name, self.seed] = fitted
        if self.panel.blend:
            self.results.blends[self.seed] = self.panel.blend
