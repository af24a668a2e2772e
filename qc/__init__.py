"""How good is a segmentation? Estimated without a reference, and acted upon."""

from qc.base import Graded, Quality, QualityEstimator
from qc.curve_classifier import CurveClassifier
from qc.gates import GATES, BestK, Decision, Fraction, Gate, RandomK, Threshold
from qc.verdicts import SimulatedReader, Verdict, balanced, read_verdicts, with_verdict

__all__ = [
    "ESTIMATORS",
    "GATES",
    "BestK",
    "CurveClassifier",
    "Decision",
    "Fraction",
    "Gate",
    "Graded",
    "Quality",
    "QualityEstimator",
    "RandomK",
    "SimulatedReader",
    "Threshold",
    "Verdict",
    "balanced",
    "read_verdicts",
    "with_verdict",
]

ESTIMATORS: dict[str, type[QualityEstimator]] = {
    "curve": CurveClassifier,
}
"""Names that settings may use."""
