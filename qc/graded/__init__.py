"""Segmentations of known quality, to train and test quality estimators."""

from collections.abc import Callable

from qc.graded.balance import balanced_draw, balanced_subset
from qc.graded.failures import SliceFailures
from qc.graded.forest import ForestSource
from qc.graded.ladder import CnnLadder
from qc.graded.make import grade, grade_held_out, subject_folds
from qc.graded.modalities import ModalitySubsets
from qc.graded.noise import NoiseAttack
from qc.graded.seggen import SegGen
from qc.graded.snapshots import Snapshots
from qc.graded.source import Made, Source
from qc.graded.store import GradedSet, GradedWriter
from qc.graded.truth import error_maps, multi_class_dice, mvsf

__all__ = [
    "SOURCES",
    "CnnLadder",
    "ForestSource",
    "GradedSet",
    "GradedWriter",
    "Made",
    "ModalitySubsets",
    "NoiseAttack",
    "SegGen",
    "SliceFailures",
    "Snapshots",
    "Source",
    "balanced_draw",
    "balanced_subset",
    "error_maps",
    "grade",
    "grade_held_out",
    "multi_class_dice",
    "mvsf",
    "subject_folds",
]

SOURCES: dict[str, Callable[..., Source]] = {
    "ladder": CnnLadder,
    "snapshots": Snapshots,
    "noise": NoiseAttack,
    "forest": ForestSource,
    "seggen": SegGen,
    "failures": SliceFailures,
    "modalities": ModalitySubsets,
}
"""Names that settings may use; those that train networks take the label scheme first."""
