"""Clean-up of segmentations."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from semiqc.schemes import BACKGROUND, LabelScheme


def largest_components(labels: NDArray[np.int8], scheme: LabelScheme) -> NDArray[np.int8]:
    """Labels in which each class keeps only its largest connected component.

    Voxels that share a face are connected. What is dropped becomes background; of components
    of equal size the first in memory order stays. Where the scheme's structures are one piece,
    only the largest piece of all of them together is looked at: a large patch of fat that was
    taken for a ventricle is not kept in its place.

    Args:
        labels: Class of each voxel, ``[Z, Y, X]``.
        scheme: Its classes.
    """
    cleaned = labels.copy()
    if scheme.one_piece:
        found = labels > BACKGROUND
        cleaned[found & ~largest_component(found)] = BACKGROUND
    for value in range(1, len(scheme.classes)):
        found = cleaned == value
        cleaned[found & ~largest_component(found)] = BACKGROUND
    return cleaned


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest component of a mask, by faces; of equal ones the first in memory order."""
    components, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    largest: NDArray[np.bool_] = components == sizes.argmax()
    return largest
