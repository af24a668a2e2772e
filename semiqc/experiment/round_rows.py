"""Rows of a run's tables about the rounds of a scenario."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loops import Candidate, Round
from semiqc.experiment.evaluation import true_dice
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.trained import TrainedEnsemble, label_file
from semiqc.files.tables import JudgementRow, PseudoRow
from semiqc.schemes import LabelScheme
from semiqc.study import Study


@dataclass(frozen=True)
class RoundRows:
    """Makes the rows of one scenario and seed.

    Args:
        seed: Of the run.
        scenario: Whose rounds they are.
        gate: How it chooses.
        scheme: Of the data.
        studies: The candidates by name, with the labels that they may have.
    """

    seed: int
    scenario: str
    gate: GateSettings
    scheme: LabelScheme
    studies: Mapping[str, Study]

    def judgements(self, record: Round[TrainedEnsemble]) -> list[JudgementRow]:
        """What was predicted of each candidate, what was said of it and what became of it."""
        by = record.predicted_by
        model = _named(by) if by else ""
        return [self._judgement(one, record.number, model) for one in record.candidates]

    def _judgement(self, one: Candidate, number: int, model: str) -> JudgementRow:
        study, quality, decision = self.studies[one.study], one.quality, one.decision
        return JudgementRow(
            seed=self.seed,
            scenario=self.scenario,
            round=number,
            study=study.name,
            group=study.group,
            estimator=self.gate.by,
            score=quality.score,
            is_good=quality.is_good,
            admitted=decision.admitted,
            reason=decision.reason,
            true_dice=true_dice(one.prediction, study, self.scheme),
            scores=one.scores,
            model=model,
            weight=decision.weight,
            grain=self.gate.grain,
            kept=one.kept.foreground if one.kept else float(decision.admitted),
            repair=one.repair,
        )

    def pseudo(self, number: int, studies: Sequence[Study], run: Path) -> list[PseudoRow]:
        """Where the labels stand that a round learned from.

        Args:
            number: Of the round.
            studies: Labelled in files of the run.
            run: Its folder.
        """
        return [
            PseudoRow(
                self.seed,
                self.scenario,
                number,
                study.name,
                label_file(study).relative_to(run).as_posix(),
                frame,
            )
            for study in studies
            for frame in study.labelled_frames
        ]


def scores_of(
    model: TrainedEnsemble, rows: Sequence[JudgementRow], refined: Collection[str]
) -> dict[str, Mapping[str, float]]:
    """By study, what estimators said of its segmentation by a model, as the model made it.

    What they said of another in the first round, such as one of a loop's model, stands where there
    is nothing else.

    Args:
        model: That segmented.
        rows: All that was said.
        refined: Scenarios that judge refined segmentations.
    """
    own = _named(model)
    first = [row for row in rows if row.round == 1 and not row.repair]
    last_holds = sorted(first, key=lambda row: (row.model == own, row.scenario not in refined))
    return {row.study: row.scores for row in last_holds}


def _named(model: TrainedEnsemble) -> str:
    """Hashes of the trainings that predict together."""
    return "+".join(one.stage.key for one in model.members)
