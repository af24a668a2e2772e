"""Means over what is known: NaN counts for nothing."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def mean_of_known(values: Iterable[float]) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def means_of_known(
    values: NDArray[np.float64], axis: int = 0, *, unknown: float = math.nan
) -> NDArray[np.float64]:
    """Means along one axis of what is not NaN; ``unknown`` where nothing is."""
    known = ~np.isnan(values)
    counts = known.sum(axis=axis)
    means = np.where(known, values, 0).sum(axis=axis) / np.maximum(counts, 1)
    return np.where(counts > 0, means, unknown)
