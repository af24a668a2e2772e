"""Clean-up of segmentations."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from semiqc.schemes import BACKGROUND, LabelScheme


def largest_components(labels: NDArray[np.int8], scheme: LabelScheme) -> NDArray[np.int8]:
    """Labels in which each class keeps only its largest connected component.

    Voxels that share a face are connected. What is dropped becomes background; of components
    of equal size the first in memory order stays. Where the scheme's structures are one piece,
    only the piece that holds most of all of them is looked at (``main_piece``): a large patch of
    fat that was taken for a ventricle is not kept in its place.

    Args:
        labels: Class of each voxel, ``[Z, Y, X]``.
        scheme: Its classes.
    """
    cleaned = labels.copy()
    if scheme.one_piece:
        cleaned[~main_piece(labels[np.newaxis], len(scheme.classes))] = BACKGROUND
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


def main_piece(labels: NDArray[np.integer], classes: int) -> NDArray[np.bool_]:
    """The connected piece that holds most of all classes together, ``[Z, Y, X]``.

    What counts is the product of the voxels of each class: a large false piece of one class weighs
    less than a small one that has them all.

    Args:
        labels: Class of each voxel in each frame, ``[T, Z, Y, X]``; a voxel that has a structure
            in any frame is of a piece.
        classes: Number of classes, the background included.
    """
    found: NDArray[np.bool_] = np.asarray((labels > BACKGROUND).any(axis=0))
    pieces, count = ndimage.label(found)
    if count < 2:
        return found
    score = np.zeros(count + 1)
    for value in range(1, classes):
        sizes = sum(np.bincount(pieces[one == value], minlength=count + 1) for one in labels)
        score += np.log(sizes + 1)
    score[0] = -1
    main: NDArray[np.bool_] = pieces == score.argmax()
    return main
