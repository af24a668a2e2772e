"""How well a segmentation agrees with a reference: Dice, surface Dice and Hausdorff distance.

The values are those of MONAI's metrics. What they leave open is decided here, once: a structure
that is in neither segmentation has nothing to agree on and is NaN; a structure that was missed,
or found where there is none, scores worst: Dice 0, surface Dice 0, and as distance the diagonal
of the image, which no distance within it exceeds. So a mean over studies counts every failure.
Voxels that the reference leaves ``UNLABELLED`` are ignored: they are in no structure of either.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.masks import compared, frame_dice, mask_dice
from semiqc.measuring.surfaces import hausdorff95, surface_dice
from semiqc.schemes import UNLABELLED, LabelScheme, Structure

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
    _check_shapes(predicted, reference)
    known = reference != UNLABELLED
    return float(mask_dice(structure.mask(predicted) & known, structure.mask(reference) & known))


def overlap(
    predicted: NDArray[np.int8],
    reference: NDArray[np.int8],
    spacing: tuple[float, float, float],
    scheme: LabelScheme,
    *,
    tolerance_mm: float = NSD_TOLERANCE_MM,
) -> dict[str, Overlap]:
    """Dice, surface Dice and Hausdorff distance of every structure in one frame.

    A border to unlabelled voxels counts as surface of both segmentations.

    Reference:
        Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for
        radiotherapy", Journal of Medical Internet Research 2021 (surface Dice).
        https://doi.org/10.2196/26151 Ours: missing structures, see the module.

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
    _check_frame(predicted, reference)
    pair = compared(predicted, reference, scheme)
    nsd = surface_dice(*pair, spacing, tolerance_mm)
    figures = np.stack([frame_dice(*pair), nsd, hausdorff95(*pair, spacing)], axis=1)
    names = [structure.name for structure in scheme.structures]
    return {name: Overlap(*row) for name, row in zip(names, figures.tolist(), strict=True)}


def _check_frame(predicted: NDArray[np.int8], reference: NDArray[np.int8]) -> None:
    if reference.ndim != 3:
        raise ValueError(f"a frame must have axes [Z, Y, X], got shape {reference.shape}")
    _check_shapes(predicted, reference)


def _check_shapes(predicted: NDArray[np.int8], reference: NDArray[np.int8]) -> None:
    if predicted.shape != reference.shape:
        raise ValueError(
            f"prediction has shape {predicted.shape}, reference has {reference.shape}"
        )
