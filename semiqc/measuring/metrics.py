"""How well a segmentation agrees with a reference: Dice, surface Dice and Hausdorff distance.

The values are those of MONAI's metrics. What they leave open is decided here, once: a structure
that is in neither segmentation has nothing to agree on and is NaN; a structure that was missed,
or found where there is none, scores worst: Dice 0, surface Dice 0, and as distance the diagonal
of the image, which no distance within it exceeds. So a mean over studies counts every failure.
Voxels that the reference leaves ``UNLABELLED`` are ignored: they are in no structure of either.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.masks import compared, frame_dice, mask_dice
from semiqc.measuring.surfaces import hausdorff95, surface_dice
from semiqc.schemes import UNLABELLED, LabelScheme, Structure

NSD_TOLERANCE_MM = 2.0
"""Surface distance forgiven where no other is asked for; about a pixel of cine MR."""

Masks = NDArray[np.bool_]
Measured = Callable[[Masks, Masks, tuple[float, float, float], float], NDArray[np.float64]]
"""From masks ``[S, Z, Y, X]`` of a segmentation and of its reference, the spacing in mm and the
tolerance in mm to one number for each structure, ``[S]``."""


@dataclass(frozen=True)
class Metric:
    """A figure that tells how well a structure agrees with its reference.

    Args:
        title: Of its table in the report.
        note: Below that table: what it means, and how a missed structure counts.
        digits: Behind the point.
        measure: Works it out for all structures of one frame.
    """

    title: str
    note: str
    digits: int
    measure: Measured


METRICS: dict[str, Metric] = {
    "dice": Metric(
        "Dice",
        "A structure that should be there and was missed counts as 0.",
        3,
        lambda predicted, reference, spacing, tolerance_mm: frame_dice(predicted, reference),
    ),
    "nsd": Metric(
        "Normalised surface Dice",
        "Share of both surfaces that lies within the tolerance of the settings from the other;"
        " higher is better. A structure that was missed counts as 0.",
        3,
        surface_dice,
    ),
    "hd95_mm": Metric(
        "Hausdorff distance (95th percentile) in mm",
        "Lower is better. A structure that was missed counts with the diagonal of the image, so"
        " one such study weighs heavily in mean and SD.",
        1,
        lambda predicted, reference, spacing, tolerance_mm: hausdorff95(
            predicted, reference, spacing
        ),
    ),
}
"""Columns of ``overlap.csv`` and tables of the report, by name."""


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
) -> dict[str, dict[str, float]]:
    """Every metric of every structure in one frame.

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
        By structure's name, the figures by the metric's.

    Raises:
        ValueError: If the shapes differ or are not those of a frame.
    """
    _check_frame(predicted, reference)
    pair = compared(predicted, reference, scheme)
    figures = {
        name: metric.measure(*pair, spacing, tolerance_mm).tolist()
        for name, metric in METRICS.items()
    }
    return {
        structure.name: {name: numbers[part] for name, numbers in figures.items()}
        for part, structure in enumerate(scheme.structures)
    }


def _check_frame(predicted: NDArray[np.int8], reference: NDArray[np.int8]) -> None:
    """Refuse what is no frame ``[Z, Y, X]``, or a prediction of another shape.

    Raises:
        ValueError: With the shapes that came.
    """
    if reference.ndim != 3:
        raise ValueError(f"a frame must have axes [Z, Y, X], got shape {reference.shape}")
    _check_shapes(predicted, reference)


def _check_shapes(predicted: NDArray[np.int8], reference: NDArray[np.int8]) -> None:
    """Refuse a prediction that does not lie on the voxels of its reference.

    Raises:
        ValueError: With both shapes.
    """
    if predicted.shape != reference.shape:
        raise ValueError(
            f"prediction has shape {predicted.shape}, reference has {reference.shape}"
        )
