"""Estimated Dice of slices and frames, which grains and repairs go by."""

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from semiqc.measuring.masks import from_first_to_last, masks, slice_areas
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction

Array = NDArray[np.float64]


def estimated_slice_dice(prediction: Prediction, quality: Quality, scheme: LabelScheme) -> Array:
    """Estimated Dice of each structure and slice, ``[S, T, Z]``; NaN where nothing is known.

    Where the estimator gives error maps alone, what these imply: errors among a structure's
    voxels are not in the reference, errors beside them are.

    Raises:
        ValueError: If the estimator gives neither, or of other frames and slices.
    """
    names = [structure.name for structure in scheme.structures]
    shape = tuple(prediction.labels.shape)
    if all(name in quality.slice_dice for name in names):
        dice = np.stack([np.asarray(quality.slice_dice[name], np.float64) for name in names])
    elif all(name in quality.error_maps for name in names):
        check_shapes(prediction, quality)
        frames = range(prediction.frames)
        dice = np.stack([_implied_dice(prediction, quality, scheme, t) for t in frames], axis=1)
    else:
        raise ValueError(
            f"{quality.study}: this grain needs the Dice of slices or error maps, and the"
            " estimator gives neither of every structure"
        )
    if dice.shape[1:] != shape[:2]:
        raise ValueError(
            f"{quality.study}: Dice of slices has shape {dice.shape[1:]}, the prediction {shape}"
        )
    return dice


def check_shapes(prediction: Prediction, quality: Quality) -> None:
    """Make sure that error maps are of this prediction.

    Raises:
        ValueError: If a shape differs.
    """
    for name, errors in quality.error_maps.items():
        if tuple(errors.shape) != tuple(prediction.labels.shape):
            raise ValueError(
                f"{quality.study}: error map of {name} has shape {tuple(errors.shape)},"
                f" the prediction {tuple(prediction.labels.shape)}"
            )


def _implied_dice(
    prediction: Prediction, quality: Quality, scheme: LabelScheme, frame: int
) -> Array:
    predicted = masks(np.asarray(prediction.labels[frame]), scheme)
    errors = np.stack(
        [np.asarray(quality.error_maps[s.name][frame], np.float32) for s in scheme.structures]
    )
    areas = predicted.sum(axis=(-2, -1), dtype=np.float64)
    wrongly_in = np.where(predicted, errors, 0).sum(axis=(-2, -1), dtype=np.float64)
    wrongly_out = np.where(predicted, 0, errors).sum(axis=(-2, -1), dtype=np.float64)
    # Small probabilities add up over a slice; below one voxel they count as none.
    references = np.where((areas == 0) & (wrongly_out < 1), 0, areas - wrongly_in + wrongly_out)
    with np.errstate(invalid="ignore"):
        dice: Array = 2 * (areas - wrongly_in) / (areas + references)
    return dice


def is_missed(areas: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Slices ``[S, T, Z]`` in which a structure should be, by what is around, and is not.

    It should be between its first and its last slice in a frame; and in a frame that has none of
    it, wherever another frame has it.
    """
    found = areas > 0
    lost = ~found.any(axis=-1, keepdims=True) & found.any(axis=1, keepdims=True)
    missed: NDArray[np.bool_] = (from_first_to_last(found) | lost) & ~found
    return missed


def slices_of_low_dice(
    prediction: Prediction, quality: Quality, scheme: LabelScheme, min_dice: float
) -> NDArray[np.bool_]:
    """Where a structure's estimated Dice is below ``min_dice`` or it was missed, ``[S, T, Z]``."""
    dice = estimated_slice_dice(prediction, quality, scheme)
    missed = is_missed(slice_areas(prediction.labels, scheme))
    is_low: NDArray[np.bool_] = (dice < min_dice) | missed
    return is_low


def estimated_frame_dice(prediction: Prediction, quality: Quality, scheme: LabelScheme) -> Array:
    """Dice of each structure and frame, ``[S, T]``, as the mean of its slices by their areas.

    0 where the structure is in no slice of the frame, but in another frame; NaN where it is in
    none at all, or the Dice of no slice that has it is known.
    """
    dice = estimated_slice_dice(prediction, quality, scheme)
    areas = slice_areas(prediction.labels, scheme)
    weights = np.where(np.isfinite(dice), areas, 0)
    total = weights.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        means: Array = (np.nan_to_num(dice) * weights).sum(axis=-1) / total
    is_lost = (areas.sum(axis=-1) == 0) & (areas.sum(axis=(-2, -1)) > 0)[:, None]
    return np.where(is_lost, 0.0, means)
