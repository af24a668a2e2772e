"""Intervals by the bootstrap: subjects drawn with replacement, each with all of its studies."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.statistics import (
    LEVEL,
    NOBODY,
    Interval,
    Summary,
    Values,
    interval_of_mean,
)
from semiqc.measuring.subjects import Subjects, sums_of_subjects, whose

Array = NDArray[np.float64]

RESAMPLES = 2000
"""Bootstrap samples; percentiles at the ends of an interval are stable to about a twentieth."""


def drawn_sums(values: Array, subjects: Sequence[str], *, seed: int = 0) -> Array:
    """Sums over the rows of subjects that are drawn with replacement, ``[RESAMPLES, K]``.

    Each subject comes with all of its rows: those of one are alike, and to draw rows would make
    any figure look surer than it is. Figures of a draw are worked out of its sums.

    Reference:
        Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society
        B 2007. https://doi.org/10.1111/j.1467-9868.2007.00593.x

    Args:
        values: ``[N, K]``.
        subjects: Of each row, ``[N]``.
        seed: Of the draws.
    """
    sums = sums_of_subjects(values, subjects)
    drawn: Array = _times(len(sums), np.random.default_rng(seed)) @ sums
    return drawn


def percentiles(values: Array) -> Interval:
    """The interval of ``LEVEL`` of bootstrap figures; NaN where there are none."""
    if not len(values):
        return (math.nan, math.nan)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high))


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
    return percentiles(differences[0] - differences[1])


def gap_closed(
    values: Values, low: Values, high: Values, subjects: Subjects = NOBODY, *, seed: int = 0
) -> Summary:
    """Share of the gap between two conditions that a third one closes, with its interval.

    ``(mean(values) - mean(low)) / (mean(high) - mean(low))`` over the studies that all three
    have. The interval is the bootstrap's percentiles, subjects drawn with replacement. It is NaN
    where the gap itself is not clearly above zero (its own paired interval at ``LEVEL`` holds
    zero), since a share of nothing says nothing; ``sd`` is the bootstrap's. Draws of subjects
    without a gap above zero are left out of the percentiles.

    Args:
        values: Of the condition in question.
        low: Of the condition that leaves the whole gap.
        high: Of the condition that closes it.
        subjects: Of the studies.
        seed: Of the bootstrap.
    """
    names = sorted(
        name
        for name in values.keys() & low.keys() & high.keys()
        if all(math.isfinite(of[name]) for of in (values, low, high))
    )
    rows = np.array([[values[n], low[n], high[n]] for n in names]).reshape(-1, 3)
    missing = len(values.keys() | low.keys() | high.keys()) - len(rows)
    gap, of_subjects = rows[:, 2] - rows[:, 1], whose(names, subjects)
    if not interval_of_mean(gap, of_subjects)[0] > 0:
        return Summary(len(rows), missing, math.nan, math.nan, (math.nan, math.nan))
    closed = rows[:, 0] - rows[:, 1]
    drawn = drawn_sums(np.stack([closed, gap], axis=1), of_subjects, seed=seed)
    shares = drawn[:, 0][drawn[:, 1] > 0] / drawn[:, 1][drawn[:, 1] > 0]
    share, sd = float(closed.mean() / gap.mean()), float(shares.std(ddof=1))
    return Summary(len(rows), missing, share, sd, percentiles(shares))


def _shares(count: int, rng: np.random.Generator) -> Array:
    """How much each of ``count`` weighs in each resample, ``[RESAMPLES, count]``."""
    return np.asarray(_times(count, rng) / count, dtype=np.float64)


def _times(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each of ``count`` is in each resample, ``[RESAMPLES, count]``."""
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
