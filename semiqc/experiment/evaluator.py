"""The segmenters of a seed's scenarios, evaluated on the sealed test studies."""

from collections.abc import Sequence

from semiqc.experiment.checkpoints import checkpoint_rows
from semiqc.experiment.correcting import correction_rows, corrector_of
from semiqc.experiment.evaluation import clinical_rows, curve_rows, overlap_rows
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.overlays import overlays
from semiqc.experiment.results import Results
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import TrainedEnsemble
from semiqc.experiment.views import (
    MOST_STUDIES,
    add_scenario,
    views_of_candidate,
    views_of_test,
)
from semiqc.files.tables import OverlapRow
from semiqc.report import CANDIDATES, MANUAL
from semiqc.study import Prediction, Study


class Evaluator:
    """Adds rows of what was predicted to the results of a run.

    Args:
        trainer: Predicts.
        panel: Finds the slices that failed, once it is fitted.
        studies: Of each role.
        results: Gets the rows.
    """

    def __init__(
        self, trainer: StagedTrainer, panel: RunPanel, studies: SplitStudies, results: Results
    ) -> None:
        self.trainer = trainer
        self.panel = panel
        self.studies = studies
        self.results = results
        self.settings = trainer.settings
        self.scheme = trainer.store.scheme
        self.seed = trainer.seed

    def evaluate(self, scenario: str, ensemble: TrainedEnsemble) -> None:
        """Segment the test studies and compare them with their references."""
        test = self.studies.test
        predictions = self.segment(scenario, ensemble)
        self.results.models[scenario, self.seed] = ensemble.first
        self.results.checkpoints += checkpoint_rows(self.trainer, scenario, ensemble.first, test)
        found: list[OverlapRow] = []
        for prediction, study in zip(predictions, test, strict=True):
            found += self._add_measures(scenario, prediction, study)
        if self.settings.compared()[scenario].gate == "quality":
            self._add_corrections(scenario, predictions)
        if self.seed == self.settings.seeds[0]:
            shown = overlays(found, predictions, test, self.scheme, scenario)
            self.results.overlays += shown
            self._add_views(scenario, predictions, test)

    def segment(self, scenario: str, ensemble: TrainedEnsemble) -> list[Prediction]:
        """The test studies as a scenario's segmenter sees them."""
        hidden = [study.without_labels() for study in self.studies.test]
        return self.trainer.predict(f"{scenario}-test", ensemble, hidden, uncertainty=False)

    def add_manual_measures(self) -> None:
        """Clinical measures of the references of the test studies."""
        for study in self.studies.test:
            self.results.clinical += clinical_rows(
                study.labels, study, self.scheme, scenario=MANUAL, seed=self.seed
            )

    def add_curves_of_candidates(self, predictions: Sequence[Prediction]) -> None:
        """Volume or area curves of the candidates, as the first segmenter sees them."""
        hidden = [study.without_labels() for study in self.studies.candidates]
        for prediction in predictions:
            self.results.curves += curve_rows(
                prediction, self.scheme, scenario=CANDIDATES, seed=self.seed
            )
        if self.seed == self.settings.seeds[0]:
            shown = list(zip(hidden, predictions, strict=True))[:MOST_STUDIES]
            self.results.views_of_pool += [views_of_candidate(*pair) for pair in shown]

    def _add_views(
        self, scenario: str, predictions: Sequence[Prediction], test: Sequence[Study]
    ) -> None:
        """Keep what the report shows of the test studies under a scenario."""
        shown = list(zip(predictions, test, strict=True))[:MOST_STUDIES]
        for prediction, study in shown:
            if study.name not in self.results.views:
                self.results.views[study.name] = views_of_test(study)
            add_scenario(*self.results.views[study.name], scenario, prediction.labels[:])

    def _add_measures(
        self, scenario: str, prediction: Prediction, study: Study
    ) -> list[OverlapRow]:
        """Add the rows of one test study; those of its overlap are given back."""
        scheme, seed = self.scheme, self.seed
        rows = overlap_rows(
            prediction,
            study,
            scheme,
            tolerance_mm=self.settings.evaluation.nsd_tolerance_mm,
            grid=self.settings.evaluation.grid,
            scenario=scenario,
            seed=seed,
        )
        self.results.overlap += rows
        self.results.clinical += clinical_rows(
            prediction.labels, study, scheme, scenario=scenario, seed=seed
        )
        self.results.curves += curve_rows(prediction, scheme, scenario=scenario, seed=seed)
        return rows

    def _add_corrections(self, scenario: str, predictions: Sequence[Prediction]) -> None:
        """Measures of a gated scenario with failed slices replaced.

        Nothing is added where no fitted estimator judges slices.
        """
        corrector = corrector_of(self.panel.fitted)
        if corrector is None:
            return
        judged = self.panel.judge(corrector, predictions)
        for prediction, study, quality in zip(predictions, self.studies.test, judged, strict=True):
            self.results.corrections += correction_rows(
                prediction, quality, self.scheme, scenario=scenario, seed=self.seed, study=study
            )
