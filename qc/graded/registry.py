"""All sources of graded segmentations by name."""

from qc.graded.failures import SliceFailures
from qc.graded.forest import ForestSource
from qc.graded.ladder import CnnLadder
from qc.graded.modalities import ModalitySubsets
from qc.graded.noise import NoiseAttack
from qc.graded.seggen import SegGen
from qc.graded.snapshots import Snapshots
from qc.graded.source import Source

SOURCES: dict[str, type[Source]] = {
    "ladder": CnnLadder,
    "snapshots": Snapshots,
    "noise": NoiseAttack,
    "forest": ForestSource,
    "seggen": SegGen,
    "failures": SliceFailures,
    "modalities": ModalitySubsets,
}
"""Names that settings may use."""
