"""What a scenario's loop asks for, done in a run folder."""

from collections.abc import Sequence

from loops import with_pseudo_labels
from qc import Decision, Quality
from qc.gates import (
    All,
    BestK,
    Diverse,
    Fraction,
    Gate,
    Oracle,
    RandomK,
    RiskControlled,
    Threshold,
    Weighted,
    descriptors_of,
)
from segmenters import CRF
from semiqc.experiment.evaluation import true_dice
from semiqc.experiment.graining import Grainer, Outcome
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.repairing import Repairer, propagated_experts
from semiqc.experiment.sections import GateSettings, Rung
from semiqc.experiment.workshop import Team, Workshop
from semiqc.study import Prediction, Study

WHOLE = Rung(name="whole")
"""The segmenter of the scenarios: nothing held back, no snapshots."""


class ScenarioBench:
    """What the loop of one scenario asks for.

    Args:
        workshop: Trains and predicts.
        judges: Say what a prediction is worth; taught, where the scenario has a gate.
        first: Learned from the few labels alone.
        experts: Studies that it learned from.
        candidates: As the data set has them; only the oracle looks at their labels.
        name: Of the scenario.
        gate: How pseudo-labels are chosen; None where there are none.
        crf: Refines the predictions; None leaves them.
        rounds: Of the loop, at most.
    """

    def __init__(
        self,
        workshop: Workshop,
        judges: RunPanel,
        first: Team,
        experts: Sequence[Study],
        candidates: Sequence[Study],
        name: str,
        gate: GateSettings | None,
        *,
        crf: CRF | None,
        rounds: int,
    ) -> None:
        self.workshop = workshop
        self.judges = judges
        self.first = first
        self.experts = experts
        self.candidates = {study.name: study for study in candidates}
        self.name = name
        self.gate = gate or GateSettings()
        self.crf = crf
        self.rounds = rounds
        self.grainer = Grainer(workshop, judges, name, self.gate)
        self.outcomes: dict[str, Outcome] = {}
        self.repaired: dict[str, str] = {}
        self._judged: Sequence[Prediction] = ()

    def train(self, name: str, experts: Sequence[Study], pseudo: Sequence[Study]) -> Team:
        if not pseudo and experts == self.experts and not self.gate.propagate:
            return self.first
        experts = self.propagated() or experts
        # The last round's team predicts nothing more, and a scenario's result is one network.
        is_last = not pseudo or name.endswith(f"-{self.rounds}")
        return self.workshop.train_team(
            f"{self.name}-{name}", WHOLE, experts, pseudo, members=1 if is_last else None
        )

    def predict(self, model: Team, studies: Sequence[Study]) -> Sequence[Prediction]:
        name = "few" if model is self.first else self.name
        refined = "-crf" if self.crf else ""
        found = self.workshop.predict(f"{name}-candidates{refined}", model, studies, crf=self.crf)
        if self.gate.repair:
            repairer = Repairer(self.workshop, self.judges, self.gate)
            found, self.repaired = repairer(found, studies)
        return found

    def judge(self, predictions: Sequence[Prediction]) -> Sequence[Quality]:
        self._judged = predictions
        return self.judges.judge(self.gate.by, predictions)

    def choose(self, qualities: Sequence[Quality]) -> Sequence[Decision]:
        """What the scenario's gate decides of the predictions that were judged last."""
        return self._make_gate()(qualities)

    def labelled(
        self,
        studies: Sequence[Study],
        predictions: Sequence[Prediction],
        qualities: Sequence[Quality],
        decisions: Sequence[Decision],
    ) -> list[Study]:
        if self.gate.grain == "study":
            return with_pseudo_labels(studies, predictions, decisions)
        found, self.outcomes = self.grainer(predictions, qualities, decisions, studies)
        return found

    def propagated(self) -> list[Study]:
        """The experts' studies with labels carried to other frames; none if the gate does not."""
        return propagated_experts(self.workshop, self.experts) if self.gate.propagate else []

    def validation_loss(self, model: Team) -> float:
        return self.workshop.validation_loss(model.first)

    def _make_gate(self) -> Gate:
        gate = self.gate
        match gate.rule:
            case "threshold":
                return Threshold(gate.min_score, only_good=gate.only_good)
            case "fraction":
                return Fraction(gate.share, only_good=gate.only_good)
            case "weighted":
                return Weighted(gate.low, gate.high, gate.least, only_good=gate.only_good)
            case "random":
                return RandomK(gate.k, seed=self.workshop.seed)
            case "all":
                return All()
            case "oracle":
                return Oracle(gate.k, self._true_dice())
            case "risk":
                return RiskControlled(
                    self.judges.calibration(gate.by), target=gate.target, alpha=gate.alpha
                )
            case "diverse":
                scheme = self.workshop.store.scheme
                groups = {name: study.group for name, study in self.candidates.items()}
                descriptors = descriptors_of(self._judged, scheme, groups)
                return Diverse(gate.k, descriptors, gate.trade_off, only_good=gate.only_good)
            case "best":
                return BestK(gate.k, only_good=gate.only_good)

    def _true_dice(self) -> dict[str, float]:
        scheme = self.workshop.store.scheme
        return {
            prediction.study: true_dice(prediction, self.candidates[prediction.study], scheme)
            for prediction in self._judged
        }
