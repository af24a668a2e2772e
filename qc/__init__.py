"""How good is a segmentation? Estimated without a reference, and acted upon."""

from qc.base import Graded, Quality, QualityEstimator
from qc.gates import Decision

__all__ = ["ESTIMATORS", "Decision", "Graded", "Quality", "QualityEstimator"]

ESTIMATORS: dict[str, type[QualityEstimator]] = {}
"""Names that settings may use."""
