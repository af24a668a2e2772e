"""What is true of a segmentation whose reference is known, beyond ``semiqc.metrics``."""

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from qc.frames import compared
from semiqc.study import BACKGROUND, UNLABELLED, LabelScheme


def multi_class_dice(predicted: NDArray[np.int8], reference: NDArray[np.int8]) -> float:
    """Dice of all structures at once: 2 TP / (2 TP + FP + FN) over voxels.

    A voxel is a true positive where the same class, other than background, is in both.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, appendix A.
        https://arxiv.org/abs/2412.07156
        Ours: where the text is silent, a voxel of one structure that is taken for another is a
        false positive of the one and a false negative of the other.

    Args:
        predicted: Class of each voxel, of any shape.
        reference: Class of each voxel or ``UNLABELLED``, of the same shape.

    Returns:
        In [0, 1]; NaN where both are background throughout.
    """
    known = reference != UNLABELLED
    in_predicted = (predicted != BACKGROUND) & known
    in_reference = (reference != BACKGROUND) & known
    total = int(in_predicted.sum()) + int(in_reference.sum())
    if total == 0:
        return math.nan
    return 2 * int((in_predicted & (predicted == reference)).sum()) / total


def mvsf(predicted: NDArray[np.bool_], reference: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean volume similarity fraction of masks ``[..., Y, X]``, by slice.

    2 (|y| - |z|) / (|y| + |z|), with y the reference and z the prediction: positive where too
    little was segmented, negative where too much.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control: a
        multi-dimensional approach", Medical Image Analysis 2021, equations 2 and 5.
        https://doi.org/10.1016/j.media.2021.102213

    Returns:
        ``[...]``, in [-2, 2]; NaN where both are empty.
    """
    in_reference = reference.sum(axis=(-2, -1), dtype=np.float64)
    in_predicted = predicted.sum(axis=(-2, -1), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        fraction: NDArray[np.float64] = (
            2 * (in_reference - in_predicted) / (in_reference + in_predicted)
        )
    return fraction


def error_maps(
    predicted: NDArray[np.int8], reference: NDArray[np.int8], scheme: LabelScheme
) -> NDArray[np.bool_]:
    """Where each structure is wrongly in the prediction or wrongly not.

    Args:
        predicted: Class of each voxel, ``[Z, Y, X]``.
        reference: Class of each voxel or ``UNLABELLED``, ``[Z, Y, X]``.
        scheme: Whose structures to compare.

    Returns:
        ``[S, Z, Y, X]``; False where the reference is ``UNLABELLED``.
    """
    in_predicted, in_reference = compared(predicted, reference, scheme)
    return in_predicted ^ in_reference


def surface_dice(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    tolerance_mm: float,
) -> NDArray[np.float64]:
    """Normalised surface Dice of masks ``[S, Z, Y, X]``, as ``semiqc.metrics.overlap`` gives it.

    Dilates surfaces by the tolerance rather than work out all distances, which for a tolerance
    of a few voxels takes a small part of the time.

    Args:
        predicted: One mask per structure.
        reference: Likewise.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        tolerance_mm: Surface distance that is forgiven.

    Returns:
        ``[S]``, in [0, 1]; 0 where only one of the two has the structure, NaN where neither has.
    """
    occupied = np.nonzero((predicted | reference).any(axis=0))
    if not len(occupied[0]):
        return np.full(len(predicted), np.nan)
    box = (slice(None), *(slice(int(at.min()), int(at.max()) + 1) for at in occupied))
    # In a volume one voxel thick, every voxel would be surface.
    axes = (1, 2, 3) if reference.shape[1] > 1 else (2, 3)
    first, second = (_surfaces(masks[box], axes) for masks in (predicted, reference))
    forgiven = (first & _within(second, spacing, tolerance_mm)).sum(axis=(1, 2, 3))
    forgiven += (second & _within(first, spacing, tolerance_mm)).sum(axis=(1, 2, 3))
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = forgiven / (
            first.sum(axis=(1, 2, 3), dtype=np.float64) + second.sum(axis=(1, 2, 3))
        )
    return shares


def _surfaces(masks: NDArray[np.bool_], axes: tuple[int, ...]) -> NDArray[np.bool_]:
    """The voxels of masks ``[S, Z, Y, X]`` that have a neighbour outside along one of ``axes``."""
    padding = [(int(axis in axes),) * 2 for axis in range(masks.ndim)]
    padded = np.pad(masks, padding)
    inside = masks.copy()
    for axis in axes:
        for start in (0, 2):
            window = [
                slice(before, before + n)
                for (before, _), n in zip(padding, masks.shape, strict=True)
            ]
            window[axis] = slice(start, start + masks.shape[axis])
            inside &= padded[tuple(window)]
    return masks & ~inside


def _within(
    masks: NDArray[np.bool_], spacing: tuple[float, float, float], distance_mm: float
) -> NDArray[np.bool_]:
    """The voxels that lie no further than a distance from masks ``[S, Z, Y, X]``."""
    reach = [int(distance_mm / mm) for mm in spacing]
    padded = np.pad(masks, [(0, 0), *((n, n) for n in reach)])
    within = np.zeros_like(masks)
    for offset in product(*(range(-n, n + 1) for n in reach)):
        if math.hypot(*(n * mm for n, mm in zip(offset, spacing, strict=True))) <= distance_mm:
            window = (
                slice(n + step, n + step + length)
                for n, step, length in zip(reach, offset, masks.shape[1:], strict=True)
            )
            within |= padded[(slice(None), *window)]
    return within
