"""Train segmenters on few labels, guarded by quality control."""

from semiqc.schemes import UNLABELLED, LabelScheme, Measure, Structure
from semiqc.study import Geometry, Prediction, Study, Voxels

__all__ = [
    "UNLABELLED",
    "Geometry",
    "LabelScheme",
    "Measure",
    "Prediction",
    "Structure",
    "Study",
    "Voxels",
]

__version__ = "0.1.0"
