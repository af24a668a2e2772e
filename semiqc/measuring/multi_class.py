"""How well all classes of two segmentations agree at once."""

import math

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.masks import compared
from semiqc.measuring.surfaces import Spacing, forgiven_surface, surface_dice
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme


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


def surface_agreement(
    predicted: NDArray[np.int8],
    reference: NDArray[np.int8],
    scheme: LabelScheme,
    spacing: Spacing,
    tolerance_mm: float,
) -> tuple[NDArray[np.float64], float]:
    """Normalised surface Dice of each structure, ``[S]``, and of all classes at once.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025. https://arxiv.org/abs/2412.07156
        Ours: the paper defines one Dice over all classes and not one surface Dice; here the
        surfaces of all classes count together, as their voxels do in ``multi_class_dice``.

    Args:
        predicted: Class of each voxel, ``[Z, Y, X]``.
        reference: Class of each voxel or ``UNLABELLED``, likewise.
        scheme: Of the labels.
        spacing: In mm, ordered ``(z, y, x)``.
        tolerance_mm: Surface distance that is forgiven.

    Returns:
        In [0, 1]; NaN where there is no surface.
    """
    known = reference != UNLABELLED
    values = range(BACKGROUND + 1, len(scheme.classes))
    classes = np.array(values)[:, None, None, None]
    pair = (predicted == classes) & known, (reference == classes) & known
    forgiven, total = forgiven_surface(*pair, spacing, tolerance_mm)
    whole = float(forgiven.sum() / total.sum()) if total.any() else math.nan
    if [part.values for part in scheme.structures] == [(value,) for value in values]:
        with np.errstate(invalid="ignore"):
            return forgiven / total, whole
    return surface_dice(*compared(predicted, reference, scheme), spacing, tolerance_mm), whole
