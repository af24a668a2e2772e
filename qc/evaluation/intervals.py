"""How sure mean absolute error and correlation are: a bootstrap over studies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.evaluation.agreement import NAN, Numbers
from semiqc.measuring.statistics import LEVEL, RESAMPLES, Interval


@dataclass(frozen=True)
class Intervals:
    """Percentile intervals at ``statistics.LEVEL``; NaN for fewer than two studies.

    Args:
        mae: Of the mean absolute error.
        pearson: Of the linear correlation.
    """

    mae: Interval
    pearson: Interval


def bootstrap(
    true: Numbers, predicted: Numbers, studies: Sequence[str], *, seed: int = 0
) -> Intervals:
    """Intervals from studies drawn with replacement, each with all of its items.

    Items of one study are alike; drawing items would make any figure look surer than it is.
    ``scipy.stats.bootstrap`` draws items, not clusters of them. Here each draw is the number of
    times that each study is in it, and figures are worked out of sums over each study.

    Reference:
        Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society
        B 2007. https://doi.org/10.1111/j.1467-9868.2007.00593.x

    Args:
        true: ``[N]``; pairs with a NaN are left out.
        predicted: ``[N]``.
        studies: Name of each item's study, ``[N]``.
        seed: Of the draws.
    """
    known = np.isfinite(true) & np.isfinite(predicted)
    x, y = np.asarray(true)[known], np.asarray(predicted)[known]
    names, of_study = np.unique(np.asarray(studies)[known], return_inverse=True)
    if len(names) < 2:
        return Intervals((NAN, NAN), (NAN, NAN))
    error = np.abs(y - x)
    # Centred, for sums of squares of numbers near 1 cancel badly.
    x, y = x - x.mean(), y - y.mean()
    terms = np.stack([np.ones_like(x), error, x, y, x * x, y * y, x * y], axis=1)
    of_studies = np.zeros((len(names), terms.shape[1]))
    np.add.at(of_studies, of_study, terms)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    n, errors, sx, sy, xx, yy, xy = (times @ of_studies).T
    spread = (xx - sx * sx / n) * (yy - sy * sy / n)
    # Draws in which one side is constant, up to rounding, have no correlation.
    varied = spread > 1e-12 * (x @ x) * (y @ y)
    r = (xy - sx * sy / n)[varied] / np.sqrt(spread[varied])
    return Intervals(_percentiles(errors / n), _percentiles(r))


def _percentiles(values: NDArray[np.float64]) -> Interval:
    """The interval of ``LEVEL`` of bootstrap figures; NaN where there are none."""
    if not len(values):
        return (NAN, NAN)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high))
