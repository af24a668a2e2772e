"""How sure mean absolute error and correlation are: a bootstrap over subjects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qc.evaluation.agreement import NAN, Numbers
from semiqc.measuring.bootstrap import drawn_sums, percentiles
from semiqc.measuring.statistics import Interval


@dataclass(frozen=True)
class Intervals:
    """Percentile intervals at ``statistics.LEVEL``; NaN for fewer than two subjects.

    Args:
        mae: Of the mean absolute error.
        pearson: Of the linear correlation.
    """

    mae: Interval
    pearson: Interval


def bootstrap(
    true: Numbers, predicted: Numbers, subjects: Sequence[str], *, seed: int = 0
) -> Intervals:
    """Intervals from subjects drawn with replacement, each with all of its items.

    Figures are worked out of ``semiqc.measuring.bootstrap.drawn_sums``.

    Args:
        true: ``[N]``; pairs with a NaN are left out.
        predicted: ``[N]``.
        subjects: Whom each item is of, ``[N]``.
        seed: Of the draws.
    """
    known = np.isfinite(true) & np.isfinite(predicted)
    x, y = np.asarray(true)[known], np.asarray(predicted)[known]
    of_subjects = np.asarray(subjects)[known].tolist()
    if len(set(of_subjects)) < 2:
        return Intervals((NAN, NAN), (NAN, NAN))
    error = np.abs(y - x)
    # Centred, for sums of squares of numbers near 1 cancel badly.
    x, y = x - x.mean(), y - y.mean()
    terms = np.stack([np.ones_like(x), error, x, y, x * x, y * y, x * y], axis=1)
    n, errors, sx, sy, xx, yy, xy = drawn_sums(terms, of_subjects, seed=seed).T
    spread = (xx - sx * sx / n) * (yy - sy * sy / n)
    # Draws in which one side is constant, up to rounding, have no correlation.
    varied = spread > 1e-12 * (x @ x) * (y @ y)
    r = (xy - sx * sy / n)[varied] / np.sqrt(spread[varied])
    return Intervals(percentiles(errors / n), percentiles(r))
