"""Repair of predictions before they are admitted as pseudo-labels."""

from loops.repair.base import Repair
from loops.repair.best_of import MARGIN, Unit, best_of
from loops.repair.keep_better import Chosen, Judge, keep_better
from loops.repair.propagation import propagated
from loops.repair.surrogate import SurrogateSlices
from loops.repair.temporal import TemporalConsistency

__all__ = [
    "MARGIN",
    "REPAIRS",
    "Chosen",
    "Judge",
    "Repair",
    "SurrogateSlices",
    "TemporalConsistency",
    "Unit",
    "best_of",
    "keep_better",
    "propagated",
]

REPAIRS: dict[str, type[Repair]] = {
    "temporal": TemporalConsistency,
    "surrogate": SurrogateSlices,
}
"""Names that settings may use."""
