"""All trainings and judgements of one seed of a run."""

from collections.abc import Iterator, Sequence

from loops import Round, self_train, supervised
from qc import BestK, Fraction, Gate, Quality, RandomK, Threshold
from segmenters import CRF
from semiqc.experiment.correcting import correction_rows
from semiqc.experiment.data import with_teaching_frames
from semiqc.experiment.evaluation import (
    clinical_rows,
    curve_rows,
    overlap_rows,
    overlays,
    true_dice,
)
from semiqc.experiment.judging import Judges
from semiqc.experiment.monitor import Monitor
from semiqc.experiment.results import Results
from semiqc.experiment.scenarios import SCENARIOS, Scenario
from semiqc.experiment.settings import GateSettings, Rung, Settings
from semiqc.experiment.stages import RunFolder
from semiqc.experiment.workshop import Trained, Workshop
from semiqc.records import JudgementRow, SplitRow, scores_text
from semiqc.report import CANDIDATES, MANUAL
from semiqc.store import Store
from semiqc.study import Prediction, Study

WHOLE = Rung(name="whole")
"""The segmenter of the scenarios: nothing held back, no snapshots."""


class SeedRun:
    """Trains, judges and evaluates every scenario.

    Args:
        settings: Of the run.
        store: The data.
        split: Who is used for what.
        folder: Where stages are kept.
        monitor: Told how it goes on.
        seed: Of trainings and random choices.
        results: Gets the rows.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        split: Sequence[SplitRow],
        folder: RunFolder,
        monitor: Monitor,
        seed: int,
        results: Results,
    ) -> None:
        self.settings = settings
        self.scheme = store.scheme
        self.seed = seed
        self.results = results
        self._store = store
        self._split = split
        ladder = settings.qc.ladder
        whole = [r for r in ladder if r.labelled == r.width == r.steps == 1]
        self.first_rung = whole[0] if whole else WHOLE
        self.experts = self._teaching("labelled")
        self.candidates = self._studies("unlabelled")
        self.test = self._studies("test")
        self.workshop = Workshop(
            settings, store, folder, monitor, seed=seed, validation=self._teaching("validation")
        )
        self.judges = Judges(settings, self.workshop)

    def work(self) -> None:
        """Train, judge and evaluate every scenario of the settings.

        Raises:
            ValueError: If a scenario needs unlabelled studies and the split has none.
        """
        self.first = self.workshop.train("few", self.first_rung, self.experts)
        gated = [name for name in self.settings.scenarios if SCENARIOS[name].gate != "none"]
        if gated and not self.candidates:
            raise ValueError(f"scenario {gated[0]}: the split leaves no study as unlabelled")
        if gated:
            self.judges.learn(self.experts, self._teaching("qc"))
            for name, fitted in self.judges.fitted.items():
                self.results.judges[name, self.seed] = fitted
            self._add_curves_of_candidates()
        self._add_manual_measures()
        for name in self.settings.scenarios:
            self._evaluate(name, self._train(name))

    def _studies(self, role: str) -> list[Study]:
        return [self._store.study(row.study) for row in self._split if row.role == role]

    def _teaching(self, role: str) -> list[Study]:
        return with_teaching_frames(
            self._studies(role), self.settings.frames, self.scheme, self.settings.split.seed
        )

    def _train(self, name: str) -> Trained:
        """The segmenter that a scenario ends with."""
        kept = self.first
        for record in self._rounds(name, SCENARIOS[name]):
            self._add_judgements(name, record)
            if record.is_kept:
                kept = record.model
        return kept

    def _rounds(self, name: str, scenario: Scenario) -> Iterator[Round[Trained]]:
        bench = ScenarioBench(self, name, scenario)
        if scenario.gate == "none":
            return supervised(bench, self._experts(scenario))
        return self_train(
            bench,
            self.first,
            self.experts,
            self.candidates,
            gate=make_gate(self.settings.gate, scenario, self.seed),
            rounds=self.settings.rounds,
        )

    def _experts(self, scenario: Scenario) -> list[Study]:
        if scenario.experts == "few":
            return self.experts
        return self.experts + [s for s in self._teaching("unlabelled") if s.labelled_frames]

    def _evaluate(self, name: str, trained: Trained) -> None:
        hidden = [study.without_labels() for study in self.test]
        predictions = self.workshop.predict(f"{name}-test", trained, hidden)
        self.results.models[name, self.seed] = trained
        found = []
        for prediction, study in zip(predictions, self.test, strict=True):
            found += overlap_rows(
                prediction,
                study,
                self.scheme,
                tolerance_mm=self.settings.evaluation.nsd_tolerance_mm,
                scenario=name,
                seed=self.seed,
            )
            self.results.clinical += clinical_rows(
                prediction.labels, study, self.scheme, scenario=name, seed=self.seed
            )
            self.results.curves += curve_rows(
                prediction, self.scheme, scenario=name, seed=self.seed
            )
        self.results.overlap += found
        if SCENARIOS[name].gate == "quality":
            self._add_corrections(name, predictions)
        if self.seed == self.settings.seeds[0]:
            self.results.overlays += overlays(found, predictions, self.test, self.scheme, name)

    def _add_corrections(self, scenario: str, predictions: Sequence[Prediction]) -> None:
        judged = [
            self.judges.judge(name, predictions)
            for name, (_, estimator) in self.judges.fitted.items()
            if estimator.judges_slices
        ]
        if not judged:
            return
        for prediction, study, *qualities in zip(predictions, self.test, *judged, strict=True):
            self.results.corrections += correction_rows(
                prediction,
                qualities,
                self.scheme,
                scenario=scenario,
                seed=self.seed,
                study=study,
            )

    def _add_manual_measures(self) -> None:
        for study in self.test:
            self.results.clinical += clinical_rows(
                study.labels, study, self.scheme, scenario=MANUAL, seed=self.seed
            )

    def _add_curves_of_candidates(self) -> None:
        hidden = [study.without_labels() for study in self.candidates]
        for prediction in self.workshop.predict("few-candidates", self.first, hidden):
            self.results.curves += curve_rows(
                prediction, self.scheme, scenario=CANDIDATES, seed=self.seed
            )

    def _add_judgements(self, scenario: str, record: Round[Trained]) -> None:
        studies = {study.name: study for study in self.candidates}
        scores = self._all_scores(record.predictions)
        judged = zip(record.predictions, record.qualities, record.decisions, scores, strict=True)
        for prediction, quality, decision, of_all in judged:
            study = studies[quality.study]
            self.results.judgements.append(
                JudgementRow(
                    seed=self.seed,
                    scenario=scenario,
                    round=record.number,
                    study=study.name,
                    group=study.group,
                    estimator=self.settings.gate.by,
                    score=quality.score,
                    is_good="" if quality.is_good is None else str(quality.is_good),
                    admitted=str(decision.admitted),
                    reason=decision.reason,
                    true_dice=true_dice(prediction, study, self.scheme),
                    scores=scores_text(of_all),
                )
            )

    def _all_scores(self, predictions: Sequence[Prediction]) -> list[dict[str, float]]:
        """Of each prediction, the score of every estimator."""
        found: list[dict[str, float]] = [{} for _ in predictions]
        for name in self.settings.qc.estimators:
            for scores, quality in zip(found, self.judges.judge(name, predictions), strict=True):
                scores[name] = quality.score
        return found


class ScenarioBench:
    """What the loop of one scenario asks for.

    Args:
        seed_run: Whose workshop and judges do the work.
        name: Of the scenario.
        scenario: The scenario.
    """

    def __init__(self, seed_run: SeedRun, name: str, scenario: Scenario) -> None:
        self.seed_run = seed_run
        self.name = name
        self.crf = CRF() if scenario.refine else None

    def train(self, name: str, experts: Sequence[Study], pseudo: Sequence[Study]) -> Trained:
        run = self.seed_run
        if not pseudo and experts == run.experts:
            return run.first
        return run.workshop.train(f"{self.name}-{name}", WHOLE, experts, pseudo)

    def predict(self, model: Trained, studies: Sequence[Study]) -> Sequence[Prediction]:
        run = self.seed_run
        name = "few" if model is run.first else self.name
        refined = "-crf" if self.crf else ""
        return run.workshop.predict(f"{name}-candidates{refined}", model, studies, crf=self.crf)

    def judge(self, predictions: Sequence[Prediction]) -> Sequence[Quality]:
        return self.seed_run.judges.judge(self.seed_run.settings.gate.by, predictions)

    def validation_loss(self, model: Trained) -> float:
        return self.seed_run.workshop.validation_loss(model)


def make_gate(settings: GateSettings, scenario: Scenario, seed: int) -> Gate:
    """The gate that a scenario chooses its pseudo-labels with."""
    if scenario.gate == "random":
        return RandomK(settings.k, seed=seed)
    if settings.rule == "threshold":
        return Threshold(settings.min_score, only_good=settings.only_good)
    if settings.rule == "fraction":
        return Fraction(settings.share, only_good=settings.only_good)
    return BestK(settings.k, only_good=settings.only_good)
