"""Which judged studies are admitted as pseudo-labels.

A gate takes qualities and gives one decision for each, in the same order, with the reason. What
it decides does not depend on that order: studies of equal score are ranked by name.
"""

from qc.gates.all import All
from qc.gates.base import Decision, Gate
from qc.gates.best import BestK
from qc.gates.calibration import Calibration
from qc.gates.context import GateContext
from qc.gates.diverse import Diverse, descriptors_of
from qc.gates.fraction import Fraction
from qc.gates.oracle import Oracle
from qc.gates.random_k import RandomK
from qc.gates.risk import Promise, RiskControlled, mean_lower_bound, needed_subjects
from qc.gates.squared import Squared
from qc.gates.threshold import Threshold
from qc.gates.weighted import Weighted

__all__ = [
    "GATES",
    "All",
    "BestK",
    "Calibration",
    "Decision",
    "Diverse",
    "Fraction",
    "Gate",
    "GateContext",
    "Oracle",
    "Promise",
    "RandomK",
    "RiskControlled",
    "Squared",
    "Threshold",
    "Weighted",
    "descriptors_of",
    "mean_lower_bound",
    "needed_subjects",
]

GATES: dict[str, type[Gate]] = {
    "best": BestK,
    "threshold": Threshold,
    "fraction": Fraction,
    "weighted": Weighted,
    "squared": Squared,
    "diverse": Diverse,
    "risk": RiskControlled,
    "random": RandomK,
    "all": All,
    "oracle": Oracle,
}
"""Rules that settings may name; ``Gate.for_run`` gives them what they need beside settings."""
