"""Statistics over studies: how sure a difference is, and how well two measurements agree.

Means are over studies: whoever has several seeds, frames or structures averages within each study
first. Intervals and tests take subjects as drawn; see ``semiqc.measuring.subjects``. Values that
are not finite are left out in pairs and counted. A figure that cannot be told is NaN with the
reason in words; nothing raises because data are few or degenerate.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from semiqc.measuring.signed_rank import signed_rank_p
from semiqc.measuring.subjects import Subjects, error_of_mean, means_of_subjects, whose

LEVEL = 0.95
"""Confidence level of every interval."""

LIMITS_FACTOR = 1.96
"""Standard deviations to either limit of agreement; Bland and Altman, The Lancet 1986."""

NOBODY: Subjects = {}
"""Where each study is of a subject of its own."""

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
    """Mean, standard deviation and interval of the mean, over what is finite.

    Each value is of another subject.
    """
    given = np.array(list(values), dtype=np.float64)
    known = given[np.isfinite(given)]
    mean = float(known.mean()) if len(known) else _NAN
    sd = float(known.std(ddof=1)) if len(known) > 1 else _NAN
    return Summary(len(known), len(given) - len(known), mean, sd, interval_of_mean(known))


def interval_of_mean(values: Numbers, subjects: Sequence[str] | None = None) -> Interval:
    """Confidence interval of a mean by Student's t, at ``LEVEL``.

    Exact where values are normal and each of another subject; NaN for fewer than two finite
    values, or subjects.

    Args:
        values: Of each study.
        subjects: Of each study; by default each is of another.
    """
    given = np.asarray(values, dtype=np.float64)
    is_known = np.isfinite(given)
    known = given[is_known]
    if len(known) < 2:
        return (_NAN, _NAN)
    mean, count = float(known.mean()), len(known)
    error = float(known.std(ddof=1)) / math.sqrt(count)
    if subjects is not None and len(set(subjects)) < len(subjects):
        error, count = error_of_mean(known, np.asarray(subjects)[is_known].tolist())
    if count < 2:
        return (_NAN, _NAN)
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error
    return (mean - half, mean + half)


def compare(values_a: Values, values_b: Values, subjects: Subjects = NOBODY) -> Comparison:
    """Compare two conditions study by study.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Table 2 (paired t-test). Wilcoxon, "Individual
        comparisons by ranking methods", Biometrics Bulletin 1945.
        https://doi.org/10.2307/3001968

    Args:
        values_a: Of the first condition.
        values_b: Of the second.
        subjects: Of the studies. Where one has several, the t-test is by the standard error of
            ``error_of_mean``, and Wilcoxon's of the mean difference of each subject.
    """
    names, a, b, missing = _pairs(values_a, values_b)
    of_subjects = whose(names, subjects)
    differences = a - b
    n = len(differences)
    if n == 0:
        return Comparison(0, missing, _NAN, (_NAN, _NAN), _NAN, _NAN, "no study has both values")
    mean = float(differences.mean())
    if n == 1:
        return Comparison(1, missing, mean, (_NAN, _NAN), _NAN, _NAN, "only one study")
    interval = interval_of_mean(differences, of_subjects)
    if not differences.any():
        return Comparison(n, missing, 0.0, interval, _NAN, _NAN, "no study differs")
    if len(set(of_subjects)) == 1:
        return Comparison(n, missing, mean, interval, _NAN, _NAN, "only one subject")
    of_one = means_of_subjects(differences, of_subjects)
    wilcoxon_p = signed_rank_p(of_one)
    if _is_constant(differences):
        note = "every study differs by the same amount"
        return Comparison(n, missing, mean, interval, _NAN, wilcoxon_p, note)
    t_p = float(stats.ttest_rel(a, b).pvalue)
    if len(of_one) < n:
        error, count = error_of_mean(differences, of_subjects)
        t_p = float(2 * stats.t.sf(abs(mean) / error, count - 1)) if error else _NAN
    smallest = 2.0 ** (1 - int(np.count_nonzero(of_one)))
    note = f"Wilcoxon's p cannot fall below {smallest:.2g} here" if smallest > 0.05 else ""
    return Comparison(n, missing, mean, interval, t_p, wilcoxon_p, note)


def agree(automatic: Values, manual: Values, subjects: Subjects = NOBODY) -> Agreement:
    """Bias, limits of agreement and correlation of two measurements of the same studies.

    Reference:
        Bland and Altman, "Statistical methods for assessing agreement between two methods of
        clinical measurement", The Lancet 1986. https://doi.org/10.1016/S0140-6736(86)90837-8
    """
    names, a, b, missing = _pairs(automatic, manual)
    of_differences = summarise(a - b)
    bias, reach = of_differences.mean, LIMITS_FACTOR * of_differences.sd
    return Agreement(
        n=len(a),
        missing=missing,
        bias=bias,
        interval=interval_of_mean(a - b, whose(names, subjects)),
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


def _pairs(
    a: Values, b: Values
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], int]:
    """Studies that both have with finite values, sorted; these values; how many are left out."""
    both = a.keys() & b.keys()
    names = sorted(name for name in both if math.isfinite(a[name]) and math.isfinite(b[name]))
    rows = np.array([[a[name], b[name]] for name in names], dtype=np.float64).reshape(-1, 2)
    either = {name for side in (a, b) for name, value in side.items() if not math.isnan(value)}
    return names, rows[:, 0], rows[:, 1], len(either) - len(rows)


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
