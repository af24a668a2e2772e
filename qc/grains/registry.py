"""All grains by name."""

from qc.grains.base import Grain
from qc.grains.frame import FrameGrain
from qc.grains.slice import SliceGrain
from qc.grains.soft import SoftSliceGrain, SoftVoxelGrain
from qc.grains.structure import StructureGrain
from qc.grains.study import StudyGrain
from qc.grains.voxel import VoxelGrain

GRAINS: dict[str, type[Grain]] = {
    "study": StudyGrain,
    "frame": FrameGrain,
    "slice": SliceGrain,
    "structure": StructureGrain,
    "voxel": VoxelGrain,
    "soft_slice": SoftSliceGrain,
    "soft_voxel": SoftVoxelGrain,
}
"""Grains that settings may name: from the coarsest to the finest, then those that only weigh."""
