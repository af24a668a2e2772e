"""From what an estimator says to the Dice it means, learned where the Dice is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qc.base import Graded, Quality
from qc.frames import graded_frames
from qc.isotonic import IsotonicFit
from semiqc.measuring.means import means_of_known
from semiqc.schemes import LabelScheme

Array = NDArray[np.float64]

FEWEST_POINTS = 10
"""With fewer there is no curve, only a shift."""
PRIOR_SUBJECTS = 15.0
"""How many subjects the belief counts as that an estimate of Dice is right as it is."""


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """A rising curve from an estimate to a Dice, straight between its points.

    Args:
        estimated: Rising, ``[K]``; empty for a curve that changes nothing.
        true: What is meant by it, never falling, ``[K]``; cut to [0, 1] when it is asked for.
    """

    estimated: Array
    true: Array

    def __call__(self, estimates: ArrayLike) -> Array:
        """Dice in [0, 1], of any shape; NaN stays NaN."""
        given = np.asarray(estimates, dtype=np.float64)
        if not len(self.estimated):
            return np.clip(given, 0, 1)
        found = np.interp(given, self.estimated, self.true)
        return np.where(np.isnan(given), np.nan, np.clip(found, 0, 1))


def calibration(
    estimated: ArrayLike,
    true: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    prior: float = 0.0,
) -> CalibrationCurve:
    """The curve that fits pairs of estimate and truth best.

    Isotonic regression, with each of its steps drawn together to the step's centre, so that
    ranks are kept between; beyond the last centre it goes on with slope 1. An estimate of 0 means
    0: estimators give it to what is not there.
    Of fewer than ``FEWEST_POINTS`` pairs only a shift is learned, the mean error of the estimate
    drawn to 0 as if by one more pair without error.

    Reference:
        Oron and Flournoy, "Centered isotonic regression: point and interval estimation for
        dose-response studies", Statistics in Biopharmaceutical Research 2017.
        https://doi.org/10.1080/19466315.2017.1286256
        Ours: the course beyond the outermost centres; the shift.

    Args:
        estimated: In [0, 1], ``[N]``; pairs in which either is NaN are left out.
        true: Likewise.
        weights: Of the pairs, ``[N]``; None for equal ones.
        prior: Weight of the belief that the estimate is right as it is, to which the curve is
            drawn; as the pairs' weights are summed.
    """
    x, y = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)
    known = np.isfinite(x) & np.isfinite(y) & (w > 0)
    if not known.any():
        return CalibrationCurve(np.zeros(0), np.zeros(0))
    points, heights = _with_ends(*_points(x[known], y[known], w[known]))
    trust = w[known].sum() / (w[known].sum() + prior)
    return CalibrationCurve(points, trust * heights + (1 - trust) * points)


def _points(x: Array, y: Array, w: Array) -> tuple[Array, Array]:
    """Estimates ``[K]`` and the Dice they mean; of few pairs the lowest estimate alone."""
    if x.size >= FEWEST_POINTS:
        return IsotonicFit.of(x, y, w).centres()
    lowest = x.min(keepdims=True)
    shift = float(np.average(y - x, weights=w)) * x.size / (x.size + 1)
    return lowest, lowest + shift


def _with_ends(estimated: Array, true: Array) -> tuple[Array, Array]:
    """The curve through these points, from 0 at 0 and with slope 1 beyond the last."""
    inside = estimated > 0
    x, y = np.append(0.0, estimated[inside]), np.append(0.0, true[inside])
    if x[-1] < 1:
        x, y = np.append(x, 1.0), np.append(y, y[-1] + 1.0 - x[-1])
    return x, y


def dice_said(qualities: Sequence[Quality | None], scheme: LabelScheme) -> Array:
    """Dice of each structure by an estimator, else its score, ``[N, S]``; NaN for no quality."""
    names = [structure.name for structure in scheme.structures]
    found = np.full((len(qualities), len(names)), np.nan)
    for row, quality in enumerate(qualities):
        if quality is not None:
            found[row] = [quality.dice.get(name, quality.score) for name in names]
    return found


def true_dice(graded: Sequence[Graded], scheme: LabelScheme) -> Array:
    """Mean Dice of each structure over the frames that have a reference, ``[N, S]``.

    NaN where no frame has, or neither prediction nor reference has the structure in any.
    """
    found = np.full((len(graded), len(scheme.structures)), np.nan)
    for row, one in enumerate(graded):
        if one.dice is not None:
            frames = np.asarray(one.dice, dtype=np.float64)
        elif one.reference is None:
            continue
        else:
            frames = np.stack([frame.dice(scheme) for frame in graded_frames([one])])
        found[row] = means_of_known(frames, axis=0)
    return found


def subject_weights(subjects: ArrayLike) -> Array:
    """Weight of each prediction ``[N]``, of sum one for each subject."""
    _, owners, counts = np.unique(
        np.asarray(subjects, dtype=str), return_inverse=True, return_counts=True
    )
    return np.asarray(1 / counts[owners], dtype=np.float64)
