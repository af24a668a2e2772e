"""Segmentations of known quality, to teach quality estimators and to judge them."""

from qc.graded.balance import balanced_draw, balanced_subset
from qc.graded.source import Made, Source

__all__ = ["Made", "Source", "balanced_draw", "balanced_subset"]
