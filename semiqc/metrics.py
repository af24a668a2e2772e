"""How well a segmentation agrees with a reference: Dice, surface Dice and Hausdorff distance.

The metrics are MONAI's. What they leave open is decided here, once: a structure that is in
neither segmentation has nothing to agree on and is NaN; a structure that was missed, or found
where there is none, scores worst: Dice 0, surface Dice 0, and as distance the diagonal of the
image, which no distance within it exceeds. So a mean over studies counts every failure.
Voxels that the reference leaves ``UNLABELLED`` are ignored: they are in no structure of either.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.meandice import compute_dice
from monai.metrics.surface_dice import compute_surface_dice
from numpy.typing import NDArray

from semiqc.study import UNLABELLED, LabelScheme, Structure

NSD_TOLERANCE_MM = 2.0
"""Surface distance forgiven where no other is asked for; about a pixel of cine MR."""


class Overlap(NamedTuple):
    """Agreement of one structure with its reference.

    Args:
        dice: Dice coefficient, in [0, 1].
        nsd: Normalised surface Dice: share of both surfaces that lies within the tolerance of
            the other, in [0, 1].
        hd95_mm: 95th percentile of the distances from either surface to the other; the larger
            of the two directions.
    """

    dice: float
    nsd: float
    hd95_mm: float


def dice(predicted: NDArray[np.int8], reference: NDArray[np.int8], structure: Structure) -> float:
    """Dice coefficient of one structure over the voxels that ``reference`` labels.

    Reference:
        Dice, "Measures of the amount of ecologic association between species", Ecology 1945.
        https://doi.org/10.2307/1932409

    Args:
        predicted: Class of each voxel, of any shape.
        reference: Class of each voxel or ``UNLABELLED``, of the same shape.
        structure: What to compare.

    Returns:
        Overlap in [0, 1]; 0 where only one of the two has the structure, NaN where neither has.

    Raises:
        ValueError: If the shapes differ.
    """
    return _dice(*_masks(predicted, reference, structure))


def overlap(
    predicted: NDArray[np.int8],
    reference: NDArray[np.int8],
    spacing: tuple[float, float, float],
    scheme: LabelScheme,
    *,
    tolerance_mm: float = NSD_TOLERANCE_MM,
) -> dict[str, Overlap]:
    """Dice, surface Dice and Hausdorff distance of every structure in one frame.

    A surface is made of the structure's outermost voxels, in three dimensions; those of the first
    and last slice belong to it. In a study of one slice it is the contour. A border to
    unlabelled voxels counts as surface of both segmentations.

    Reference:
        Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for
        radiotherapy", Journal of Medical Internet Research 2021 (surface Dice).
        https://doi.org/10.2196/26151
        Ours: the policy for missing structures, see the module.

    Args:
        predicted: Class of each voxel, ``[Z, Y, X]``.
        reference: Class of each voxel or ``UNLABELLED``, ``[Z, Y, X]``.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        scheme: Whose structures to compare.
        tolerance_mm: Surface distance that the surface Dice forgives.

    Returns:
        By structure's name.

    Raises:
        ValueError: If the shapes differ or are not those of a frame.
    """
    if reference.ndim != 3:
        raise ValueError(f"a frame must have axes [Z, Y, X], got shape {reference.shape}")
    return {
        structure.name: _agreement(*_masks(predicted, reference, structure), spacing, tolerance_mm)
        for structure in scheme.structures
    }


def _masks(
    predicted: NDArray[np.int8], reference: NDArray[np.int8], structure: Structure
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if predicted.shape != reference.shape:
        raise ValueError(
            f"prediction has shape {predicted.shape}, reference has {reference.shape}"
        )
    known = reference != UNLABELLED
    return structure.mask(predicted) & known, structure.mask(reference) & known


def _dice(predicted: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    if not predicted.any() and not reference.any():
        return math.nan
    # MONAI gives NaN for any empty reference unless told otherwise, also for a false positive.
    found = compute_dice(_as_batch(predicted), _as_batch(reference), ignore_empty=False)
    return float(found)


def _agreement(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    tolerance_mm: float,
) -> Overlap:
    diagonal_mm = math.dist((0, 0, 0), np.multiply(reference.shape, spacing))
    if not predicted.any() and not reference.any():
        return Overlap(math.nan, math.nan, math.nan)
    if not predicted.any() or not reference.any():
        return Overlap(0.0, 0.0, diagonal_mm)
    predicted, reference, sampling = _in_view(predicted, reference, spacing)
    nsd, hd95_mm = _surface_agreement(predicted, reference, sampling, tolerance_mm)
    return Overlap(_dice(predicted, reference), nsd, hd95_mm)


def _in_view(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, ...],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[float, ...]]:
    """Both cut to their joint bounding box; a study of one slice loses that axis."""
    if reference.shape[0] == 1:
        # In a volume one voxel thick, every voxel would be surface.
        predicted, reference, spacing = predicted[0], reference[0], spacing[1:]
    occupied = np.nonzero(predicted | reference)
    box = tuple(slice(indices.min(), indices.max() + 1) for indices in occupied)
    return predicted[box], reference[box], tuple(float(mm) for mm in spacing)


def _surface_agreement(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: Sequence[float],
    tolerance_mm: float,
) -> tuple[float, float]:
    """Surface Dice and 95 % Hausdorff distance in mm of two masks that are not empty."""
    masks = _as_batch(predicted), _as_batch(reference)
    with warnings.catch_warnings():
        # MONAI 1.6 calls itself with an argument that it has deprecated.
        warnings.filterwarnings("ignore", ".*always_return_as_numpy", FutureWarning)
        nsd = compute_surface_dice(
            *masks, [tolerance_mm], include_background=True, spacing=spacing
        )
        hd95_mm = compute_hausdorff_distance(
            *masks, include_background=True, percentile=95, spacing=spacing
        )
    return float(nsd), float(hd95_mm)


def _as_batch(mask: NDArray[np.bool_]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None]
