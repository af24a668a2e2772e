"""Structures that a prediction lacks: missed, or rightly not there.

The Dice of a structure that a prediction lacks is 0 wherever it is defined. Where the reference
lacks it too, as the enhancing core of some tumours, nothing is wrong, and no Dice tells so. How
likely that is, is learned from what was graded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded
from qc.frames import GradedFrame
from semiqc.measuring.masks import masks
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction

Array = NDArray[np.float64]


def rightly_absent(dice: Array, is_absent: NDArray[np.bool_]) -> Array:
    """How often a structure that was not segmented was rightly so, ``[S]``; 0 if it never was.

    One more is taken to have been missed, so that a single case does not make it certain.

    Args:
        dice: True, ``[N, S]``; NaN where a structure is in neither. Rows without any number
            count for nothing.
        is_absent: Where nothing of a structure is segmented, ``[N, S]``.
    """
    is_known = np.isfinite(dice).any(axis=1, keepdims=True)
    right = (is_absent & is_known & np.isnan(dice)).sum(axis=0)
    missed = (is_absent & np.isfinite(dice)).sum(axis=0)
    share: Array = right / (right + missed + 1)
    return share


def rightly_absent_in(frames: Sequence[GradedFrame], scheme: LabelScheme) -> Array:
    """Likewise, of graded frames; their labels are read only where that tells anything."""
    dice = np.stack([frame.dice(scheme) for frame in frames])
    is_absent = np.isnan(dice)
    unsure = (dice == 0) & is_absent.any(axis=0)
    for row in np.flatnonzero(unsure.any(axis=1)).tolist():
        is_absent[row] |= ~masks(frames[row].frame().labels, scheme).any(axis=(1, 2, 3))
    return rightly_absent(dice, is_absent)


def score_of(dice: Array, is_absent: NDArray[np.bool_], rightly: Array) -> float:
    """Mean Dice ``[S]``, for which a structure that is absent counts as likely as it was missed.

    NaN counts for nothing; 0 where nothing counts.

    Args:
        dice: Estimated, 0 where absent.
        is_absent: Whether the prediction lacks a structure, ``[S]``.
        rightly: What ``rightly_absent`` gave.
    """
    weights = np.where(is_absent, 1 - rightly, 1.0) * np.isfinite(dice)
    total = weights.sum()
    return float(np.clip(np.nan_to_num(dice) @ weights / total, 0, 1)) if total else 0.0


def reasons_of(scheme: LabelScheme, is_absent: NDArray[np.bool_], rightly: Array) -> list[str]:
    """In words, of each absent structure that may be so."""
    return [
        f"{structure.name} is not segmented, which was right in {share:.0%} of such cases"
        for structure, absent, share in zip(scheme.structures, is_absent, rightly, strict=True)
        if absent and share
    ]


def absent_structures(prediction: Prediction, scheme: LabelScheme) -> tuple[str, ...]:
    """Structures that are in no frame of a prediction, read a frame at a time."""
    present: set[int] = set()
    for frame in range(prediction.frames):
        present |= set(np.unique(np.asarray(prediction.labels[frame])).tolist())
    return tuple(part.name for part in scheme.structures if present.isdisjoint(part.values))


def lacking(graded: Sequence[Graded], true: Array, scheme: LabelScheme) -> NDArray[np.bool_]:
    """Which predictions have nothing of a structure, ``[N, S]``; read only where needed."""
    is_lacking = np.isnan(true) & np.isfinite(true).any(axis=1, keepdims=True)
    unsure = (true == 0) & is_lacking.any(axis=0)
    names = [part.name for part in scheme.structures]
    for row in np.flatnonzero(unsure.any(axis=1)).tolist():
        absent = absent_structures(graded[row].prediction, scheme)
        is_lacking[row] |= [name in absent for name in names]
    return is_lacking
