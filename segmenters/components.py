"""Clean-up of segmentations."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from semiqc.schemes import BACKGROUND, LabelScheme


def largest_components(labels: NDArray[np.int8], scheme: LabelScheme) -> NDArray[np.int8]:
    """Labels in which each class keeps only its largest connected component.

    Voxels that share a face are connected. What is dropped becomes background; of components
    of equal size the first in memory order stays.

    Args:
        labels: Class of each voxel, ``[Z, Y, X]``.
        scheme: Its classes.
    """
    cleaned = labels.copy()
    for value in range(1, len(scheme.classes)):
        components, count = ndimage.label(labels == value)
        if count > 1:
            sizes = np.bincount(components.ravel())
            sizes[0] = 0
            cleaned[(components > 0) & (components != sizes.argmax())] = BACKGROUND
    return cleaned
