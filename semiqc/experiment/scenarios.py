"""The ways of training that a run compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from loops.online.registry import METHODS

BEST = "fixmatch"
"""The online method that is run where no scenarios are named: the best of those measured."""

TITLES = {"bcp": "BCP", "fixmatch": "FixMatch", "cps": "CPS", "admt": "AD-MT"}
"""Of online loops; others are called by their name."""


@dataclass(frozen=True)
class Scenario:
    """One way of training.

    Args:
        title: As tables and figures show it.
        loop: One of ``loops.LOOPS``; with a gate, the gate's.
        experts: Whose expert labels are used: those of the labelled studies, also those that
            the quality estimators are fitted to, or also those that the data set holds for the
            unlabelled ones.
        gate: What chooses the pseudo-labels: nothing, chance, or the quality score.
        refine: Whether a dense CRF refines the predictions before they become pseudo-labels.
        published: Settings of the gate with which the scenario is the published method, and has
            the title; with others it is titled by the estimator. Empty: it has the title always.
        is_usual: Whether it is run where the settings name no scenarios.
    """

    title: str
    loop: str = "offline"
    experts: Literal["few", "few and qc", "all"] = "few"
    gate: Literal["none", "random", "quality"] = "none"
    refine: bool = False
    published: Mapping[str, Any] = field(default_factory=dict)
    is_usual: bool = True

    @property
    def needs_unlabelled(self) -> bool:
        """Whether it learns from unlabelled studies."""
        return self.gate != "none" or self.loop in METHODS


SCENARIOS: dict[str, Scenario] = {
    "full": Scenario("Full data set", "supervised", experts="all"),
    "few": Scenario("Few labels", "supervised"),
    "few_qc": Scenario(
        "Few labels and those of QC", "supervised", experts="few and qc", is_usual=False
    ),
    "random": Scenario("Self-training, no QC", gate="random"),
    "crf": Scenario("Self-training, no QC, CRF", gate="random", refine=True),
    "semiqc": Scenario(
        "semiQCSeg",
        gate="quality",
        published={
            "loop": "offline",
            "by": "curve",
            "rule": "best",
            "grain": "study",
            "repair": (),
            "candidates": (),
        },
    ),
    **{name: Scenario(TITLES.get(name, name), name, is_usual=name == BEST) for name in METHODS},
}
"""The five scenarios of Ruijsink, Puyol-Antón et al. 2020, in the order of its Table 1; with
``few_qc``, whose training gets the labels that QC is fitted to, and the online loops, which learn
from all unlabelled studies without a gate."""
