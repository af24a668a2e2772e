"""All trainings and judgements of one seed of a run."""

from collections.abc import Iterator, Sequence

from loops import Round, self_train, supervised
from segmenters import CRF
from semiqc.experiment.bench import WHOLE, ScenarioBench
from semiqc.experiment.correcting import correction_rows, corrector_of
from semiqc.experiment.data import with_teaching_frames
from semiqc.experiment.evaluation import (
    clinical_rows,
    curve_rows,
    overlap_rows,
    overlays,
    true_dice,
)
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.results import Results
from semiqc.experiment.scenarios import Scenario
from semiqc.experiment.settings import Settings
from semiqc.experiment.workshop import Team, Workshop, label_file
from semiqc.files.store import Store
from semiqc.files.tables import JudgementRow, PseudoRow, SplitRow, scores_text
from semiqc.report import CANDIDATES, MANUAL
from semiqc.study import Prediction, Study
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder


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
        self.scenarios = settings.compared()
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
        self.judges = RunPanel(settings, self.workshop)

    def work(self) -> None:
        """Train, judge and evaluate every scenario of the settings.

        Raises:
            ValueError: If a scenario needs unlabelled studies and the split has none.
        """
        self.first = self.workshop.train_team("few", self.first_rung, self.experts)
        gated = [name for name, one in self.scenarios.items() if one.gate != "none"]
        if gated and not self.candidates:
            raise ValueError(f"scenario {gated[0]}: the split leaves no study as unlabelled")
        if gated:
            self.judges.fit(self.experts, self._teaching("qc"))
            for name, fitted in self.judges.fitted.items():
                self.results.judges[name, self.seed] = fitted
            if self.judges.blend:
                self.results.blends[self.seed] = self.judges.blend
            self._add_curves_of_candidates()
        self._add_manual_measures()
        for name in self.scenarios:
            self._evaluate(name, Team((self._train(name).first,)))

    def _studies(self, role: str) -> list[Study]:
        return [self._store.study(row.study) for row in self._split if row.role == role]

    def _teaching(self, role: str) -> list[Study]:
        return with_teaching_frames(
            self._studies(role), self.settings.frames, self.scheme, self.settings.split.seed
        )

    def _train(self, name: str) -> Team:
        """The segmenters that a scenario ends with."""
        scenario = self.scenarios[name]
        bench = ScenarioBench(
            self.workshop,
            self.judges,
            self.first,
            self.experts,
            self.candidates,
            name,
            self.settings.gate_of(name),
            crf=CRF() if scenario.refine else None,
            rounds=self.settings.rounds_of(name),
        )
        kept = self.first
        pseudo: list[PseudoRow] = []
        for record in self._rounds(bench, scenario):
            self._add_judgements(bench, record, kept)
            if record.is_kept:
                kept = record.model
                pseudo = self._pseudo_rows(
                    name, record.number, [*record.pseudo, *bench.propagated()]
                )
        if kept is self.first and bench.gate.propagate:
            kept = bench.train("propagated", self.experts, [])
            pseudo = self._pseudo_rows(name, 0, bench.propagated())
        self.results.pseudo += pseudo
        return kept

    def _rounds(self, bench: ScenarioBench, scenario: Scenario) -> Iterator[Round[Team]]:
        if scenario.gate == "none":
            return supervised(bench, self._experts(scenario))
        return self_train(
            bench,
            self.first,
            self.experts,
            self.candidates,
            gate=bench.choose,
            rounds=bench.rounds,
        )

    def _experts(self, scenario: Scenario) -> list[Study]:
        if scenario.experts == "few":
            return self.experts
        return self.experts + [s for s in self._teaching("unlabelled") if s.labelled_frames]

    def _evaluate(self, name: str, team: Team) -> None:
        hidden = [study.without_labels() for study in self.test]
        predictions = self.workshop.predict(f"{name}-test", team, hidden, uncertainty=False)
        self.results.models[name, self.seed] = team.first
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
        if self.scenarios[name].gate == "quality":
            self._add_corrections(name, predictions)
        if self.seed == self.settings.seeds[0]:
            self.results.overlays += overlays(found, predictions, self.test, self.scheme, name)

    def _add_corrections(self, scenario: str, predictions: Sequence[Prediction]) -> None:
        corrector = corrector_of(self.judges.fitted)
        if corrector is None:
            return
        judged = self.judges.judge(corrector, predictions)
        for prediction, study, quality in zip(predictions, self.test, judged, strict=True):
            self.results.corrections += correction_rows(
                prediction, quality, self.scheme, scenario=scenario, seed=self.seed, study=study
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

    def _pseudo_rows(
        self, scenario: str, number: int, studies: Sequence[Study]
    ) -> list[PseudoRow]:
        root = self.settings.output
        return [
            PseudoRow(
                self.seed,
                scenario,
                number,
                study.name,
                label_file(study).relative_to(root).as_posix(),
                " ".join(map(str, study.labelled_frames)),
            )
            for study in studies
        ]

    def _add_judgements(self, bench: ScenarioBench, record: Round[Team], model: Team) -> None:
        """Rows of what ``model`` predicted, and what was thought of it."""
        studies = {study.name: study for study in self.candidates}
        scores = self._all_scores(record.predictions) if record.predictions else []
        judged = zip(record.predictions, record.qualities, record.decisions, scores, strict=True)
        for prediction, quality, decision, of_all in judged:
            study = studies[quality.study]
            outcome = bench.outcomes.get(quality.study)
            decision = outcome.decision if outcome else decision
            self.results.judgements.append(
                JudgementRow(
                    seed=self.seed,
                    scenario=bench.name,
                    round=record.number,
                    study=study.name,
                    group=study.group,
                    estimator=bench.gate.by,
                    score=quality.score,
                    is_good="" if quality.is_good is None else str(quality.is_good),
                    admitted=str(decision.admitted),
                    reason=decision.reason,
                    true_dice=true_dice(prediction, study, self.scheme),
                    scores=scores_text(of_all),
                    model="+".join(one.stage.key for one in model.members),
                    weight=decision.weight,
                    grain=bench.gate.grain,
                    kept=outcome.kept.foreground if outcome else float(decision.admitted),
                    repair=bench.repaired.get(study.name, ""),
                )
            )

    def _all_scores(self, predictions: Sequence[Prediction]) -> list[dict[str, float]]:
        """Of each prediction, the score of every estimator."""
        found: list[dict[str, float]] = [{} for _ in predictions]
        for name in self.judges.names:
            judged = self.judges.judge_able(name, predictions)
            for scores, prediction in zip(found, predictions, strict=True):
                if prediction.study in judged:
                    scores[name] = judged[prediction.study].score
        return found
