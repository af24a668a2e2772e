"""Isotonic regression: the monotone curve nearest to pairs of signal and quality."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IsotonicFit:
    """The levels of a signal and the quality fitted to each.

    Reference:
        Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
        estimates", KDD 2002 (isotonic regression). https://doi.org/10.1145/775047.775151

    Args:
        levels: Different values of the signal, rising, ``[L]``.
        heights: Fitted quality of each, monotone, ``[L]``; equal along a step.
        weights: Sum of the weights of the pairs at each level, ``[L]``.
    """

    levels: Array
    heights: Array
    weights: Array

    @classmethod
    def of(
        cls, signals: Array, quality: Array, weights: Array | None = None, *, rising: bool = True
    ) -> Self:
        """Fit pairs by least squares.

        Args:
            signals: ``[N]``, finite; at least one.
            quality: Likewise.
            weights: Of the pairs, ``[N]``; None for equal ones.
            rising: Whether quality rises with the signal, else it falls.
        """
        given = np.ones_like(signals) if weights is None else weights
        levels, of_level = np.unique(signals, return_inverse=True)
        weight = np.asarray(np.bincount(of_level, given), dtype=np.float64)
        means = np.bincount(of_level, given * quality) / weight
        heights = isotonic_regression(means, sample_weight=weight, increasing=rising)
        return cls(levels, np.asarray(heights, dtype=np.float64), weight)

    def ends(self) -> tuple[Array, Array]:
        """First and last level of each step, and their heights; both ``[K]``."""
        differs = np.not_equal(self.heights[1:], self.heights[:-1])
        is_end = np.append(True, differs) | np.append(differs, True)
        return self.levels[is_end], self.heights[is_end]

    def centres(self) -> tuple[Array, Array]:
        """Weighted mean of the levels of each step, and their heights; both ``[K]``.

        Reference:
            Oron and Flournoy, "Centered isotonic regression: point and interval estimation for
            dose-response studies", Statistics in Biopharmaceutical Research 2017.
            https://doi.org/10.1080/19466315.2017.1286256
        """
        heights, of_step = np.unique(self.heights, return_inverse=True)
        weights = np.bincount(of_step, self.weights)
        return np.bincount(of_step, self.weights * self.levels) / weights, heights


@dataclass(frozen=True, eq=False)
class MonotoneCurve:
    """A monotone curve from a signal to quality, straight between its knots, level beyond.

    Args:
        signals: Of the knots, rising, ``[K]``; at least one.
        values: Quality at the knots, ``[K]``.
    """

    signals: Array
    values: Array

    @classmethod
    def of(cls, signals: Array, quality: Array, *, rising: bool) -> Self:
        """Fit it to signals and quality, both ``[N]``; pairs that are not finite do not count.

        Without any pair it is 0 everywhere.
        """
        known = np.isfinite(signals) & np.isfinite(quality)
        if not known.any():
            return cls(np.zeros(1), np.zeros(1))
        x, y = signals[known], np.clip(quality[known], 0, 1)
        # Ties are summed in one order, whatever the order of the pairs.
        order = np.lexsort((y, x))
        return cls(*IsotonicFit.of(x[order], y[order], rising=rising).ends())

    def __call__(self, signals: Array) -> Array:
        """Quality at each signal, of any shape; NaN where the signal is."""
        found: Array = np.interp(signals, self.signals, self.values)
        return found

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """To be stored, under names that begin with ``name``."""
        return {f"{name}/signals": self.signals, f"{name}/values": self.values}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Self:
        """What ``arrays`` gave."""
        signals, values = (arrays[f"{name}/{part}"] for part in ("signals", "values"))
        return cls(np.asarray(signals, np.float64), np.asarray(values, np.float64))


def stored_curves(curves: Mapping[str, MonotoneCurve]) -> dict[str, NDArray[np.generic]]:
    """Named curves as arrays, to be stored."""
    return {key: array for name, one in curves.items() for key, array in one.arrays(name).items()}


def curves_from(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, MonotoneCurve]:
    """What ``stored_curves`` gave."""
    names = [name.removesuffix("/signals") for name in arrays if name.endswith("/signals")]
    return {name: MonotoneCurve.from_arrays(arrays, name) for name in names}
