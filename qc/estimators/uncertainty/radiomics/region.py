"""A region of a map whose values have been put into levels, and neighbours in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Levels = NDArray[np.int64]

DIRECTIONS = tuple(step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0))
"""The 13 directions ``(z, y, x)`` to neighbours at a Chebyshev distance of 1, one of each pair."""


@dataclass(frozen=True, eq=False)
class Region:
    """Levels of the voxels of a region.

    Args:
        levels: From 1 on, and 0 outside the region, ``[Z, Y, X]``.
        most: How many levels there may be.
    """

    levels: Levels
    most: int

    @property
    def padded(self) -> Levels:
        """The levels with a rim of 0, so that neighbours never lie beyond the array."""
        return np.pad(self.levels, 1)

    @property
    def voxels(self) -> int:
        """How many the region has."""
        return int(np.count_nonzero(self.levels))

    def offsets(self) -> Iterator[int]:
        """How far apart neighbours are in the flattened ``padded``, in each direction."""
        rows, columns = (size + 2 for size in self.levels.shape[1:])
        for z, y, x in DIRECTIONS:
            yield (z * rows + y) * columns + x


def levels_of(values: Array, is_inside: NDArray[np.bool_], most: int) -> Region:
    """Bins of the same width over [0, 1].

    Args:
        values: In [0, 1], ``[Z, Y, X]``.
        is_inside: Whether a voxel is in the region, likewise.
        most: How many bins.
    """
    binned = np.clip(np.floor(values * most), 0, most - 1).astype(np.int64) + 1
    return Region(np.where(is_inside, binned, 0), most)


def entropy_of(shares: Array) -> Array:
    """Entropy in bits of shares ``[..., K]`` that sum to 1."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    found: Array = -(shares * logs).sum(axis=-1)
    return found


def ratio(part: Array, whole: Array, undefined: float) -> Array:
    """``part / whole``, and ``undefined`` where the whole is 0."""
    found: Array = np.full(np.shape(part), undefined)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
