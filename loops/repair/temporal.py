"""Frames that do not fit the rest of their cine, derived anew from those that do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loops.repair.base import Repair
from loops.repair.motion import carry
from qc import Quality
from qc.grains.estimated_dice import estimated_frame_dice
from semiqc.measuring.masks import frame_dice, masks
from semiqc.measuring.means import mean_of_known
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction
from semiqc.work.bounds import Share

FEWEST = 4
"""Frames from which it can be told that one is unlike the others."""

OUTLYING = 3.0
"""Robust standard deviations beyond the median."""

NORMAL = 1.4826
"""Standard deviation of normally distributed values for a median absolute deviation of 1."""

LEAST = 0.1
"""Dice by which an outlier differs from the median at least."""


@dataclass(frozen=True)
class TemporalConsistency(Repair):
    """Derives frames judged bad from the nearest good ones, before and after, by registration.

    A frame is bad where the mean Dice of its structures is estimated as low; by an estimator that
    does not tell slices apart, where it is unlike its neighbours: see ``outliers``. A study
    without a good frame stays as it is.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: A frame is bad where the estimate is lower.
    """

    min_slice_dice: Share = 0.7

    def _labels(self, prediction: Prediction, quality: Quality) -> NDArray[np.int8] | None:
        is_bad = self.bad_frames(prediction, quality)
        if not is_bad.any() or is_bad.all():
            return None
        labels = np.array(prediction.labels[:], dtype=np.int8)
        sources = {int(frame): labels[frame].copy() for frame in np.flatnonzero(~is_bad)}
        targets = np.flatnonzero(is_bad).tolist()
        for carried in carry(prediction.image, sources, targets, prediction.spacing):
            labels[carried.frame] = carried.labels
        return labels

    def bad_frames(self, prediction: Prediction, quality: Quality) -> NDArray[np.bool_]:
        """Which frames are judged bad, ``[T]``."""
        if not self.tells_slices(quality):
            return outliers(prediction, self.scheme)
        dice = estimated_frame_dice(prediction, quality, self.scheme)
        return np.array([mean_of_known(frame) < self.min_slice_dice for frame in dice.T.tolist()])


def outliers(prediction: Prediction, scheme: LabelScheme) -> NDArray[np.bool_]:
    """Frames ``[T]`` that overlap far less with both neighbours than others do with one.

    A structure that swells, shrinks, moves or is lost overlaps less. Of fewer than ``FEWEST``
    frames none is an outlier.
    """
    if prediction.frames < FEWEST:
        return np.zeros(prediction.frames, np.bool_)
    unlike = _unlike_next(prediction, scheme)
    # Beside a bad frame, a good one still has its other neighbour.
    return _outlying(np.minimum(unlike, np.roll(unlike, 1)))


def _unlike_next(prediction: Prediction, scheme: LabelScheme) -> NDArray[np.float64]:
    """1 - mean Dice of the structures of each frame and the next in the cycle, ``[T]``."""
    unlike = []
    here = first = masks(np.asarray(prediction.labels[0]), scheme)
    for frame in range(prediction.frames):
        is_last = frame == prediction.frames - 1
        following = first if is_last else masks(np.asarray(prediction.labels[frame + 1]), scheme)
        dice = mean_of_known(frame_dice(here, following).tolist())
        unlike.append(0.0 if np.isnan(dice) else 1 - dice)
        here = following
    return np.array(unlike)


def _outlying(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values lie far above the others."""
    middle = np.median(values)
    spread = NORMAL * np.median(np.abs(values - middle))
    far: NDArray[np.bool_] = values - middle > max(LEAST, OUTLYING * spread)
    return far
