"""Where structures are: masks of labels, how well two agree, and the slices that they fill."""

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Voxels

Mask = NDArray[np.bool_]


def masks(labels: NDArray[np.int8], scheme: LabelScheme) -> Mask:
    """Where each structure is, ``[S, ...]``, in labels of any shape."""
    return np.stack([structure.mask(labels) for structure in scheme.structures])


def compared(
    predicted: NDArray[np.int8], reference: NDArray[np.int8], scheme: LabelScheme
) -> tuple[Mask, Mask]:
    """Each structure's mask ``[S, ...]`` in both, over the voxels that the reference labels."""
    known = reference != UNLABELLED
    return masks(predicted, scheme) & known, masks(reference, scheme) & known


def mask_dice(
    predicted: Mask, reference: Mask, axes: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Dice of masks over some axes, or over all; NaN where both are empty.

    Reference:
        Dice, "Measures of the amount of ecologic association between species", Ecology 1945.
        https://doi.org/10.2307/1932409

    Args:
        predicted: Of any shape.
        reference: Of the same shape.
        axes: Over which voxels are counted; None for all.

    Returns:
        In [0, 1], of the shape that is left; 0 where only one of the two is empty.
    """
    both = np.count_nonzero(predicted & reference, axis=axes)
    sizes = np.count_nonzero(predicted, axis=axes) + np.count_nonzero(reference, axis=axes)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(2 * both, sizes), dtype=np.float64)


def frame_dice(predicted: Mask, reference: Mask) -> NDArray[np.float64]:
    """Dice of masks ``[..., Z, Y, X]`` by frame; NaN where the structure is in neither."""
    return mask_dice(predicted, reference, axes=(-3, -2, -1))


def slice_dice(predicted: Mask, reference: Mask) -> NDArray[np.float64]:
    """Dice of masks ``[..., Z, Y, X]`` by slice; NaN where the structure is in neither."""
    return mask_dice(predicted, reference, axes=(-2, -1))


def per_slice(found: Mask) -> NDArray[np.float64]:
    """How many are true in each slice of ``[..., Y, X]``."""
    *outer, height, width = found.shape
    flat = found.reshape(*outer, height * width)
    return np.asarray(np.count_nonzero(flat, axis=-1), dtype=np.float64)


def slice_areas(labels: Voxels, scheme: LabelScheme) -> NDArray[np.int64]:
    """Voxels of each structure in each slice of ``[T, Z, Y, X]``: ``[S, T, Z]``.

    One frame is read at a time.
    """
    frames = (np.asarray(labels[frame]) for frame in range(labels.shape[0]))
    return np.stack([masks(frame, scheme).sum(axis=(-2, -1)) for frame in frames], axis=1)


def from_first_to_last(found: Mask) -> Mask:
    """From the first slice in which something is found to the last, ``[..., Z]``."""
    begun = np.logical_or.accumulate(found, axis=-1)
    unfinished = np.logical_or.accumulate(found[..., ::-1], axis=-1)[..., ::-1]
    between: Mask = begun & unfinished
    return between
