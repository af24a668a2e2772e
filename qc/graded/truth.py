"""What is true of a segmentation whose reference is known, beyond ``semiqc.measuring.metrics``."""

import math

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.masks import frame_dice
from semiqc.measuring.multi_class import multi_class_dice as multi_class_dice
from semiqc.schemes import BACKGROUND, UNLABELLED

SHOWN_FROM = 0.5
"""Probability from which an error map shows an error."""


def foreground_dice(
    predicted: NDArray[np.int8], reference: NDArray[np.int8], *, inside: bool = True
) -> float:
    """Dice of all structures as one, whichever class a voxel has; or of the background.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, section 2:
        the whole heart, and the background. https://doi.org/10.1007/978-3-030-00937-3_66

    Args:
        predicted: Class of each voxel, of any shape.
        reference: Class of each voxel or ``UNLABELLED``, of the same shape.
        inside: False for the background.

    Returns:
        In [0, 1]; NaN where it is in neither.
    """
    known = reference != UNLABELLED
    first = ((predicted != BACKGROUND) == inside) & known
    second = ((reference != BACKGROUND) == inside) & known
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else math.nan


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


def error_map_dice(
    error_map: NDArray[np.floating],
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Dice of error maps, cut at .5, and the true errors.

    ``2 |M and E| / (|M| + |E|)`` with ``M = error_map >= .5`` and ``E = predicted xor reference``.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, table 5 (DSC of the SEM).

    Args:
        error_map: Probability of an error, ``[..., Z, Y, X]``.
        predicted: Where the segmentation has the structure, ``[..., Z, Y, X]``.
        reference: Where the reference has it, ``[..., Z, Y, X]``.
        known: Where the reference has a label; the rest is ignored, ``[..., Z, Y, X]``.

    Returns:
        In [0, 1], ``[...]``; NaN where there is no error and none is shown.

    Raises:
        ValueError: If the shapes differ.
    """
    shapes = {mask.shape for mask in (error_map, predicted, reference, known)}
    if len(shapes) > 1:
        raise ValueError(f"error map and masks have shapes {sorted(shapes)}")
    shown = np.asarray(error_map) >= SHOWN_FROM
    return frame_dice(shown & known, (predicted != reference) & known)
