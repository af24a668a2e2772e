"""How well error maps show where a segmentation is wrong."""

import numpy as np
from numpy.typing import NDArray

from qc.evaluation.agreement import HALF, NAN


def error_map_dice(
    error_map: NDArray[np.floating],
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> float:
    """Dice of the error map, cut at .5, and the true errors of one structure.

    ``2 |M and E| / (|M| + |E|)`` with ``M = error_map >= .5`` and ``E = predicted xor reference``.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, table 5 (DSC of the SEM).

    Args:
        error_map: Probability of an error, ``[Z, Y, X]``.
        predicted: Where the segmentation has the structure, ``[Z, Y, X]``.
        reference: Where the reference has it, ``[Z, Y, X]``.
        known: Where the reference has a label; the rest is ignored, ``[Z, Y, X]``.

    Returns:
        In [0, 1]; NaN where there is no error and none is shown.

    Raises:
        ValueError: If the shapes differ.
    """
    shapes = {mask.shape for mask in (error_map, predicted, reference, known)}
    if len(shapes) > 1:
        raise ValueError(f"error map and masks have shapes {sorted(shapes)}")
    shown = (np.asarray(error_map) >= HALF) & known
    wrong = (predicted != reference) & known
    total = int(shown.sum()) + int(wrong.sum())
    return 2 * int((shown & wrong).sum()) / total if total else NAN
