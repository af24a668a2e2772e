"""The ways of training that a run compares."""

from dataclasses import dataclass
from typing import Literal

Rule = Literal[
    "best", "threshold", "fraction", "weighted", "diverse", "risk", "random", "all", "oracle"
]
"""How a gate chooses."""

RULE_TITLES: dict[str, str] = {
    "best": "{k} best by {by}",
    "threshold": "all above a score of {by}",
    "fraction": "best share by {by}",
    "weighted": "all, weighted by {by}",
    "diverse": "{k} good and diverse by {by}",
    "risk": "promised by {by}",
    "random": "{k} at random",
    "all": "all",
    "oracle": "{k} truly best",
}

GrainName = Literal["study", "frame", "slice", "structure", "voxel"]
"""What a gate may leave unlabelled in a study that it admits."""

RepairName = Literal["temporal", "surrogate"]
"""What may be done to a prediction before it is judged."""


@dataclass(frozen=True)
class Scenario:
    """One way of training.

    Args:
        title: As tables and figures show it.
        experts: Whose expert labels are used: those of the labelled studies, or also those that
            the data set holds for the unlabelled ones.
        gate: What chooses the pseudo-labels: nothing (supervised), chance, or the quality score.
        refine: Whether a dense CRF refines the predictions before they become pseudo-labels.
    """

    title: str
    experts: Literal["few", "all"] = "few"
    gate: Literal["none", "random", "quality"] = "none"
    refine: bool = False


SCENARIOS: dict[str, Scenario] = {
    "full": Scenario("Full data set", experts="all"),
    "few": Scenario("Few labels"),
    "random": Scenario("Self-training, no QC", gate="random"),
    "crf": Scenario("Self-training, no QC, CRF", gate="random", refine=True),
    "semiqc": Scenario("semiQCSeg", gate="quality"),
}
"""The five scenarios of Ruijsink, Puyol-Antón et al. 2020, in the order of its Table 1."""
