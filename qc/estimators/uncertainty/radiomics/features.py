"""The 102 features of an uncertainty map around each structure.

18 of first order, 14 of shape, 24 of the grey-level co-occurrence matrix, 16 of run lengths, 16
of size zones and 14 of dependences. Values are those of entropy within reach of the structure, in
``LEVELS`` bins of the same width over [0, 1]; the shape is that of what is uncertain there, in
mm. An absent structure has 0 in all features; every feature of every frame is finite.

Reference:
    Zwanenburg et al., "The Image Biomarker Standardization Initiative: standardized quantitative
    radiomics for high-throughput image-based phenotyping", Radiology 2020: the definitions and
    the values that the tests ask for. https://doi.org/10.1148/radiol.2020191145
    van Griethuysen et al., "Computational radiomics system to decode the radiographic phenotype",
    Cancer Research 2017: PyRadiomics. https://doi.org/10.1158/0008-5472.CAN-17-0339
    Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality prediction",
    Medical Image Analysis 2025, appendix B.2: 102 features of PyRadiomics.
    https://arxiv.org/abs/2412.07156
    Ours: the paper names no families; of the 107 of PyRadiomics only leaving out the five of the
    neighbouring grey tone difference matrix gives 102. Which region and bins the paper took it
    does not say. Neighbours are those of the grid, whatever the voxels' spacing. The kurtosis is
    the excess, as the IBSI has it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qc.estimators.uncertainty.features import Reach
from qc.estimators.uncertainty.radiomics.cooccurrence import cooccurrences, glcm
from qc.estimators.uncertainty.radiomics.first_order import first_order
from qc.estimators.uncertainty.radiomics.region import Array, levels_of
from qc.estimators.uncertainty.radiomics.shape import shape
from qc.estimators.uncertainty.radiomics.texture import texture
from qc.estimators.uncertainty_estimator import uncertainty_of
from qc.frames import Frame

COUNT = 102
"""Features of each structure."""
LEVELS = 16
"""Bins of the entropy."""


def radiomics_features(frame: Frame, reaches: Sequence[Reach | None], thresholds: Array) -> Array:
    """The features of one frame, ``[S, COUNT]``.

    Args:
        frame: With uncertainty.
        reaches: Of each structure, as ``reaches_of`` gives them.
        thresholds: Entropy above which a voxel is uncertain, for each structure, ``[S]``.
    """
    entropy = np.asarray(uncertainty_of(frame).entropy[0], dtype=np.float64)
    found = np.zeros((len(reaches), COUNT))
    for number, reach in enumerate(reaches):
        if reach is not None:
            near = entropy[reach.box]
            uncertain = reach.is_near & (near > thresholds[number])
            features = radiomics(near, reach.is_near, uncertain, frame.spacing)
            found[number] = list(features.values())
    return found


def radiomics(
    values: Array,
    is_inside: NDArray[np.bool_],
    is_high: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> dict[str, float]:
    """All features, by family and name.

    Args:
        values: In [0, 1], ``[Z, Y, X]``.
        is_inside: The region whose values count, at least one voxel, likewise.
        is_high: What the shape is of, likewise.
        spacing: In mm, ordered ``(z, y, x)``.
    """
    region = levels_of(values, is_inside, LEVELS)
    of_voxels = first_order(values[is_inside], region.levels[is_inside], float(np.prod(spacing)))
    families = {
        "first order": of_voxels,
        "shape": shape(is_high, spacing),
        "co-occurrence": glcm(cooccurrences(region)),
    }
    named = {
        f"{family}: {name}": value
        for family, features in families.items()
        for name, value in features.items()
    }
    return named | texture(region)
