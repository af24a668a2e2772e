"""From slices to volumes: what 2-D Dice and 2-D volume similarity say of the 3-D Dice.

Reference:
    Fournel et al., "Medical image segmentation automatic quality control: a multi-dimensional
    approach", Medical Image Analysis 2021, section 3.2.
    https://doi.org/10.1016/j.media.2021.102213
"""

import numpy as np
from numpy.typing import NDArray

MOST = 2 - 1e-4
"""Largest MVSF taken at its word where something is predicted: a reference 40 000 times as large,
which no slice can hold. At 2 itself the reference would be endless."""


def reference_areas(
    predicted: NDArray[np.float64], fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How large the reference is in each slice (equation 6).

    Ours: where nothing is predicted, the equation says 0 whatever the fraction, so that a missed
    slice would cost nothing. There the fraction, between 0 and 2, tells only how sure it is that
    the reference has something; half of it is taken as that share of the reference's mean area
    in the nearest slices with a prediction, one on either side where there are two.

    Args:
        predicted: Area of the segmentation, ``[..., Z]``, in any unit.
        fractions: MVSF of each slice, ``[..., Z]``; NaN counts as 0.

    Returns:
        ``[..., Z]``, in the same unit; 0 everywhere where nothing is predicted in any slice.
    """
    fractions = np.nan_to_num(fractions)
    is_predicted = predicted > 0
    capped = np.clip(fractions, -2, MOST)
    areas = np.where(is_predicted, predicted * (2 + capped) / (2 - capped), 0.0)
    nearby = np.nan_to_num(mean_of_nearest(areas, is_predicted))
    found: NDArray[np.float64] = np.where(
        is_predicted, areas, nearby * np.clip(fractions, 0, 2) / 2
    )
    return found


def volume_dice(
    predicted: NDArray[np.float64],
    slice_dice: NDArray[np.float64],
    fractions: NDArray[np.float64],
) -> NDArray[np.float64]:
    """3-D Dice from what is known of each slice (equations 4 and 7).

    Exact for true Dice and MVSF where every slice of the reference has a prediction.

    Args:
        predicted: Area of the segmentation, ``[..., Z]``, in any unit.
        slice_dice: ``[..., Z]``; of no account where nothing is predicted.
        fractions: MVSF of each slice, ``[..., Z]``.

    Returns:
        In [0, 1], ``[...]``; 0 where nothing is predicted in any slice.
    """
    reference = reference_areas(predicted, fractions)
    both = np.where(predicted > 0, np.nan_to_num(slice_dice) * (reference + predicted) / 2, 0.0)
    total = reference.sum(axis=-1) + predicted.sum(axis=-1)
    dice: NDArray[np.float64] = 2 * both.sum(axis=-1) / np.where(total > 0, total, 1.0)
    return dice


def mean_of_nearest(
    values: NDArray[np.float64], is_known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Mean of the nearest known value before and the nearest after, along the last axis.

    Args:
        values: ``[..., Z]``.
        is_known: Which of them to use, ``[..., Z]``. A known value is its own nearest.

    Returns:
        ``[..., Z]``; the value of one side where the other has none, NaN where neither has.
    """
    count = values.shape[-1]
    position = np.broadcast_to(np.arange(count), values.shape)
    before = np.maximum.accumulate(np.where(is_known, position, -1), axis=-1)
    flipped = np.where(is_known, position, count)[..., ::-1]
    after = np.minimum.accumulate(flipped, axis=-1)[..., ::-1]
    sides = [
        np.where(is_there, np.take_along_axis(values, nearest.clip(0, count - 1), -1), np.nan)
        for nearest, is_there in ((before, before >= 0), (after, after < count))
    ]
    first, second = (np.where(np.isnan(a), b, a) for a, b in (sides, sides[::-1]))
    mean: NDArray[np.float64] = (first + second) / 2
    return mean
