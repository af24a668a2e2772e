"""Volumes that a failed slice does not spoil: its neighbours stand in for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.estimators.slicewise.scores import mean_of_nearest
from semiqc.measuring.masks import from_first_to_last, slice_areas
from semiqc.measuring.measures import MM3_PER_ML, ejection_fraction
from semiqc.schemes import LabelScheme, Measure
from semiqc.study import Prediction

WRONG_BELOW = 0.3
"""Dice at which Fournel et al. 2021, section 5, call a slice wrong."""


@dataclass(frozen=True, eq=False)
class CorrectedAreas:
    """Areas in which failed slices have their neighbours' mean.

    Args:
        areas: Of each structure and slice, ``[S, T, Z]``, in the unit they came in.
        is_replaced: Which slices, ``[T, Z]``; a slice is replaced in all structures at once.
    """

    areas: NDArray[np.float64]
    is_replaced: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CorrectedCurves:
    """What a prediction measures, as it is and with failed slices replaced.

    Args:
        study: Name of the study.
        before: Curve of each structure, ``[T]``: ml, or mm2 where it is measured as an area.
        after: Likewise, corrected.
        ejection_fraction_before: In percent, of each cavity; NaN where there is but one frame.
        ejection_fraction_after: Likewise, corrected.
        is_replaced: Which slices were replaced, ``[T, Z]``.
    """

    study: str
    before: Mapping[str, NDArray[np.float64]]
    after: Mapping[str, NDArray[np.float64]]
    ejection_fraction_before: Mapping[str, float]
    ejection_fraction_after: Mapping[str, float]
    is_replaced: NDArray[np.bool_]


def corrected_areas(
    areas: NDArray[np.float64],
    slice_dice: NDArray[np.float64],
    wrong_below: float = WRONG_BELOW,
) -> CorrectedAreas:
    """Replace the areas of slices judged wrong by the mean of their good neighbours'.

    A structure should be in every slice between its first and its last in a frame. A slice is
    wrong where a structure that should be there has a low Dice or was not found at all; the
    first and the last, the most basal and apical ones, are never replaced. Neighbours are the
    nearest good slices of the frame, one on either side or the only one there is; without any,
    the slice is left as it is.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control: a
        multi-dimensional approach", Medical Image Analysis 2021, section 5.
        https://doi.org/10.1016/j.media.2021.102213
        Ours: structures should be there between their ends, rather than in all slices, and the
        background is not looked at; the nearest good slice where the adjacent one is wrong too.

    Args:
        areas: Of each structure and slice, ``[S, T, Z]``, in any unit; NaN where a slice was not
            measured, which is neither wrong nor a neighbour.
        slice_dice: Estimated, ``[S, T, Z]``; NaN where nothing is known against a slice.
        wrong_below: A lower Dice is wrong.

    Raises:
        ValueError: If the shapes differ or are not ``[S, T, Z]``.
    """
    _check_shapes(areas, slice_dice)
    is_good, is_wrong = _good_and_wrong(areas, slice_dice < wrong_below)
    means = mean_of_nearest(areas, np.broadcast_to(is_good, areas.shape))
    is_replaced = is_wrong & ~np.isnan(means).any(axis=0)
    return CorrectedAreas(np.where(is_replaced, means, areas), is_replaced)


def _check_shapes(areas: NDArray[np.float64], slice_dice: NDArray[np.float64]) -> None:
    if areas.ndim != 3 or areas.shape != slice_dice.shape:
        raise ValueError(
            f"areas and slice_dice must have axes [S, T, Z], got shapes {areas.shape} and"
            f" {slice_dice.shape}"
        )


def _good_and_wrong(
    areas: NDArray[np.float64], is_low: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Slices that may stand in for others, and slices to replace where that can be, ``[T, Z]``.

    Args:
        areas: Of each structure and slice, ``[S, T, Z]``; NaN where a slice was not measured.
        is_low: Whether the Dice is low, likewise.
    """
    is_found = areas > 0
    is_bad = from_first_to_last(is_found) & (is_low | (areas == 0))
    is_measured = ~np.isnan(areas).any(axis=0)
    is_inside = from_first_to_last(np.asarray(is_found.any(axis=0)))
    is_good = is_inside & ~is_bad.any(axis=0) & is_measured
    is_wrong = (is_bad & ~_ends(is_found)).any(axis=0) & is_measured
    return is_good, is_wrong


def corrected_curves(
    prediction: Prediction,
    quality: Quality,
    scheme: LabelScheme,
    wrong_below: float = WRONG_BELOW,
) -> CorrectedCurves:
    """Volumes, areas and ejection fractions of a prediction, with and without failed slices.

    Args:
        prediction: What was measured; one frame of it is read at a time.
        quality: By an estimator that judges slices.
        scheme: Whose structures to measure.
        wrong_below: A slice of lower Dice is wrong.

    Raises:
        ValueError: If the quality has no Dice of slices, or is of another study.
    """
    if quality.study != prediction.study:
        raise ValueError(f"{prediction.study}: the quality is of {quality.study}")
    missing = [s.name for s in scheme.structures if s.name not in quality.slice_dice]
    if missing:
        raise ValueError(f"{prediction.study}: no Dice of slices of {', '.join(missing)}")
    dice = np.stack([quality.slice_dice[structure.name] for structure in scheme.structures])
    areas = slice_areas_mm2(prediction, scheme)
    corrected = corrected_areas(areas, dice, wrong_below)
    before = _curves(areas, prediction.spacing[0], scheme)
    after = _curves(corrected.areas, prediction.spacing[0], scheme)
    return CorrectedCurves(
        prediction.study,
        before,
        after,
        _ejection_fractions(before, scheme),
        _ejection_fractions(after, scheme),
        corrected.is_replaced,
    )


def slice_areas_mm2(prediction: Prediction, scheme: LabelScheme) -> NDArray[np.float64]:
    """Area of each structure in each slice, ``[S, T, Z]``; one frame is read at a time."""
    voxel_mm2 = float(np.prod(prediction.spacing[1:]))
    areas: NDArray[np.float64] = slice_areas(prediction.labels, scheme).astype(np.float64)
    return areas * voxel_mm2


def _ends(is_found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first and the last slice in which something is found, ``[..., Z]``."""
    so_far = np.cumsum(is_found, axis=-1)
    ends: NDArray[np.bool_] = is_found & ((so_far == 1) | (so_far == so_far[..., -1:]))
    return ends


def _curves(
    areas: NDArray[np.float64], thickness_mm: float, scheme: LabelScheme
) -> dict[str, NDArray[np.float64]]:
    """Volume of each structure in ml, or its mean area where that is its measure, ``[T]``."""
    return {
        structure.name: area.mean(axis=-1)
        if structure.measure is Measure.AREA
        else area.sum(axis=-1) * (thickness_mm / MM3_PER_ML)
        for structure, area in zip(scheme.structures, areas, strict=True)
    }


def _ejection_fractions(
    curves: Mapping[str, NDArray[np.float64]], scheme: LabelScheme
) -> dict[str, float]:
    cavities = [s.name for s in scheme.structures if s.measure is Measure.CAVITY]
    return {
        name: ejection_fraction(float(curves[name].max()), float(curves[name].min()))
        if len(curves[name]) > 1
        else float("nan")
        for name in cavities
    }
