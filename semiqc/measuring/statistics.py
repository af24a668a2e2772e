"""Statistics over studies: how sure a difference is, and how well two measurements agree.

The study is the unit: whoever has several seeds, frames or structures averages within each study
first. Values that are not finite are left out in pairs and counted. A figure that cannot be told
is NaN with the reason in words; nothing raises because data are few or degenerate.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
"""Confidence level of every interval."""

LIMITS_FACTOR = 1.96
"""Standard deviations to either limit of agreement; Bland and Altman, The Lancet 1986."""

RESAMPLES = 2000
"""Bootstrap samples; percentiles at the ends of an interval are stable to about a twentieth."""

_NAN = math.nan
Interval = tuple[float, float]
Values = Mapping[str, float]
"""One number for each study, by its name."""

Numbers = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Mean and spread of one number per study.

    Args:
        n: Studies with a finite value.
        missing: Studies without one.
        mean: Over those studies; NaN where there is none.
        sd: Standard deviation with ``n - 1``; NaN for fewer than two.
        interval: Of the mean, at ``LEVEL``, by Student's t.
    """

    n: int
    missing: int
    mean: float
    sd: float
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two conditions over the studies that both have.

    Args:
        n: Pairs.
        missing: Studies with a value in one condition only, or with one that is not finite.
        mean_difference: First less second.
        interval: Of the mean difference, at ``LEVEL``, by Student's t.
        t_p: Two-sided p of the paired t-test, which the paper uses.
        wilcoxon_p: Two-sided p of the Wilcoxon signed-rank test, which does not assume that
            differences are normal. With ``n`` pairs it cannot fall below ``2 ** (1 - n)``.
        note: Why a figure is NaN, or what limits it; empty where nothing does.
    """

    n: int
    missing: int
    mean_difference: float
    interval: Interval
    t_p: float
    wilcoxon_p: float
    note: str = ""


@dataclass(frozen=True)
class Agreement:
    """How an automatic measurement agrees with the manual one, over studies.

    Args:
        n: Pairs.
        missing: Studies with a manual value and no automatic one, or the reverse.
        bias: Mean of automatic less manual.
        interval: Of the bias, at ``LEVEL``, by Student's t.
        limits: Bias plus and minus 1.96 standard deviations of the differences.
        mean_absolute_error: Mean size of the difference.
        correlation: Pearson's; NaN for fewer than three pairs or where one side is constant.
    """

    n: int
    missing: int
    bias: float
    interval: Interval
    limits: Interval
    mean_absolute_error: float
    correlation: float


@dataclass(frozen=True)
class Correlation:
    """A correlation coefficient with its p; both NaN where it cannot be told.

    Args:
        n: Pairs of finite values.
        coefficient: In [-1, 1].
        p: Two-sided.
    """

    n: int
    coefficient: float
    p: float


def summarise(values: Iterable[float]) -> Summary:
    """Mean, standard deviation and interval of the mean, over what is finite."""
    given = np.array(list(values), dtype=np.float64)
    known = given[np.isfinite(given)]
    mean = float(known.mean()) if len(known) else _NAN
    sd = float(known.std(ddof=1)) if len(known) > 1 else _NAN
    return Summary(len(known), len(given) - len(known), mean, sd, interval_of_mean(known))


def interval_of_mean(values: Numbers) -> Interval:
    """Confidence interval of a mean by Student's t, at ``LEVEL``.

    Exact where values are normal; NaN for fewer than two finite values.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return (_NAN, _NAN)
    mean = float(known.mean())
    error = float(known.std(ddof=1)) / math.sqrt(len(known))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(known) - 1)) * error
    return (mean - half, mean + half)


def compare(values_a: Values, values_b: Values) -> Comparison:
    """Compare two conditions study by study.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Table 2 (paired t-test). Wilcoxon, "Individual
        comparisons by ranking methods", Biometrics Bulletin 1945.
        https://doi.org/10.2307/3001968

    Args:
        values_a: Of the first condition.
        values_b: Of the second.
    """
    a, b, missing = _pairs(values_a, values_b)
    differences = a - b
    n = len(differences)
    if n == 0:
        return Comparison(0, missing, _NAN, (_NAN, _NAN), _NAN, _NAN, "no study has both values")
    mean = float(differences.mean())
    if n == 1:
        return Comparison(1, missing, mean, (_NAN, _NAN), _NAN, _NAN, "only one study")
    interval = interval_of_mean(differences)
    if not differences.any():
        return Comparison(n, missing, 0.0, interval, _NAN, _NAN, "no study differs")
    wilcoxon_p = float(stats.wilcoxon(differences, zero_method="wilcox").pvalue)
    if _is_constant(differences):
        note = "every study differs by the same amount"
        return Comparison(n, missing, mean, interval, _NAN, wilcoxon_p, note)
    t_p = float(stats.ttest_rel(a, b).pvalue)
    smallest = 2.0 ** (1 - int(np.count_nonzero(differences)))
    note = f"Wilcoxon's p cannot fall below {smallest:.2g} here" if smallest > 0.05 else ""
    return Comparison(n, missing, mean, interval, t_p, wilcoxon_p, note)


def agree(automatic: Values, manual: Values) -> Agreement:
    """Bias, limits of agreement and correlation of two measurements of the same studies.

    Reference:
        Bland and Altman, "Statistical methods for assessing agreement between two methods of
        clinical measurement", The Lancet 1986. https://doi.org/10.1016/S0140-6736(86)90837-8
    """
    a, b, missing = _pairs(automatic, manual)
    of_differences = summarise(a - b)
    bias, reach = of_differences.mean, LIMITS_FACTOR * of_differences.sd
    return Agreement(
        n=len(a),
        missing=missing,
        bias=bias,
        interval=of_differences.interval,
        limits=(bias - reach, bias + reach),
        mean_absolute_error=float(np.abs(a - b).mean()) if len(a) else _NAN,
        correlation=pearson(a, b).coefficient,
    )


def pearson(x: Numbers, y: Numbers) -> Correlation:
    """Linear correlation, over the pairs that are finite."""
    return _correlation(x, y, stats.pearsonr)


def spearman(x: Numbers, y: Numbers) -> Correlation:
    """Correlation of the ranks, over the pairs that are finite."""
    return _correlation(x, y, stats.spearmanr)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm among them stays at the level.

    Reference:
        Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 1979.

    Args:
        p_values: Of all comparisons of one table; NaN is no comparison, and stays NaN.
    """
    adjusted = [_NAN] * len(p_values)
    tested = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    largest = 0.0
    for rank, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        adjusted[index] = largest
    return adjusted


def separation_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of the Mann-Whitney test that two groups of studies differ.

    NaN where a group has no finite value, or all values are equal.
    """
    first = np.array([value for value in a if math.isfinite(value)])
    second = np.array([value for value in b if math.isfinite(value)])
    if not len(first) or not len(second) or not np.ptp(np.concatenate([first, second])):
        return _NAN
    return float(stats.mannwhitneyu(first, second).pvalue)


def gap_closed(values: Values, low: Values, high: Values, *, seed: int = 0) -> Summary:
    """Share of the gap between two conditions that a third one closes, with its interval.

    ``(mean(values) - mean(low)) / (mean(high) - mean(low))`` over the studies that all three
    have. The interval is the bootstrap's percentiles, studies drawn with replacement. It is NaN
    where the gap itself is not clearly above zero (its own paired interval at ``LEVEL`` holds
    zero), since a share of nothing says nothing; ``sd`` is the bootstrap's. Draws of studies
    without a gap above zero are left out of the percentiles.

    Args:
        values: Of the condition in question.
        low: Of the condition that leaves the whole gap.
        high: Of the condition that closes it.
        seed: Of the bootstrap.
    """
    names = sorted(values.keys() & low.keys() & high.keys())
    rows = np.array([[values[n], low[n], high[n]] for n in names]).reshape(-1, 3)
    rows = rows[np.isfinite(rows).all(axis=1)]
    missing = len(values.keys() | low.keys() | high.keys()) - len(rows)
    gap = rows[:, 2] - rows[:, 1]
    if not interval_of_mean(gap)[0] > 0:
        return Summary(len(rows), missing, _NAN, _NAN, (_NAN, _NAN))
    found = stats.bootstrap(
        tuple(rows.T), _closed_and_gap, n_resamples=RESAMPLES, vectorized=True, paired=True,
        method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    closed, gaps = found.bootstrap_distribution
    shares = closed[gaps > 0] / gaps[gaps > 0]
    low_end, high_end = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    share = float((rows[:, 0] - rows[:, 1]).mean() / gap.mean())
    interval = (float(low_end), float(high_end))
    return Summary(len(rows), missing, share, float(shares.std(ddof=1)), interval)


def _closed_and_gap(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    """Mean part of the gap that is closed, and mean gap, ``[2, ...]``."""
    floor = low.mean(axis)
    return np.stack([values.mean(axis) - floor, high.mean(axis) - floor])


def _pairs(a: Values, b: Values) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Values of the studies that both have and that are finite, by name; and how many are not."""
    names = sorted(a.keys() & b.keys())
    rows = np.array([[a[name], b[name]] for name in names], dtype=np.float64).reshape(-1, 2)
    rows = rows[np.isfinite(rows).all(axis=1)]
    either = {name for side in (a, b) for name, value in side.items() if not math.isnan(value)}
    return rows[:, 0], rows[:, 1], len(either) - len(rows)


def _correlation(x: Numbers, y: Numbers, method: Callable[..., Any]) -> Correlation:
    """A coefficient over the finite pairs; NaN for fewer than three or a constant side."""
    rows = np.array([x, y], dtype=np.float64).reshape(2, -1)
    rows = rows[:, np.isfinite(rows).all(axis=0)]
    n = rows.shape[1]
    if n < 3 or _is_constant(rows[0]) or _is_constant(rows[1]):
        return Correlation(n, _NAN, _NAN)
    found = method(rows[0], rows[1])
    return Correlation(n, float(found.statistic), float(found.pvalue))


def _is_constant(values: NDArray[np.float64]) -> bool:
    """Whether all values are equal, up to rounding."""
    # Rounding leaves a spread of its own.
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
