"""Intervals of a mean difference that hold both the luck of the studies and that of the seeds."""

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.statistics import LEVEL, RESAMPLES, Interval

Array = NDArray[np.float64]


def bootstrap_difference(first: Array, second: Array, *, seed: int = 0) -> Interval:
    """Interval of the mean of ``first`` less the mean of ``second``, at ``LEVEL``.

    Studies are drawn with replacement, the same for both conditions; so are the seeds of either
    condition, each for itself, since trainings of two conditions share nothing but a number. Where
    a condition has one seed, the interval holds nothing of how much its trainings vary.

    Reference:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentiles).

    Args:
        first: One figure for each study and seed, ``[N, S]``; finite.
        second: Likewise, ``[N, R]``, of the same studies.
        seed: Of the draws.

    Returns:
        NaN for fewer than two studies.

    Raises:
        ValueError: If the two are not of as many studies, or a figure is not finite.
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ValueError(
            f"expected [N, S] and [N, R] of the same studies, got {first.shape}, {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("every study needs a figure of every seed")
    if len(first) < 2:
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    studies = _shares(len(first), rng)
    differences = [
        np.einsum("rn,ns,rs->r", studies, values, _shares(values.shape[1], rng))
        for values in (first, second)
    ]
    low, high = np.quantile(differences[0] - differences[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high))


def _shares(count: int, rng: np.random.Generator) -> Array:
    """How much each of ``count`` weighs in each resample, ``[RESAMPLES, count]``."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.asarray(drawn / count, dtype=np.float64)
