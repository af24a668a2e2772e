"""What runs, zones and dependences have in common: counts of levels and sizes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.estimators.uncertainty.radiomics.region import Array, entropy_of, ratio


def emphases(counts: Array, voxels: int, size: str, small: str, large: str) -> dict[str, float]:
    """The 16 features of how many things have a level and a size, each the mean over directions.

    Args:
        counts: Of levels and sizes, both from 1 on, ``[D, G, L]``; directions without any do not
            count.
        voxels: Of the region.
        size: What a size is of, as the features' names say it, such as ``run``.
        small: What a small size is called there, such as ``short``.
        large: What a large one is called.

    Returns:
        All 0 where there is nothing to count.
    """
    counts = counts[counts.any(axis=(1, 2))]
    if not len(counts):
        counts = np.zeros((1, 1, 1))
    features = _by_size(counts, f" {size}", small, large) | _spread(counts, voxels, size)
    return {name: float(values.mean()) for name, values in features.items()}


def _numbers(counts: Array) -> tuple[Array, Array]:
    """Levels ``[G, 1]`` and sizes ``[L]``."""
    levels = np.arange(1, counts.shape[1] + 1, dtype=np.float64)[:, None]
    return levels, np.arange(1, counts.shape[2] + 1, dtype=np.float64)


def _mean(counts: Array, weights: Array) -> Array:
    """Of weights ``[G, L]``, or what broadcasts to it, by counts: ``[D]``."""
    return ratio((counts * weights).sum(axis=(1, 2)), counts.sum(axis=(1, 2)), 0.0)


def _by_size(counts: Array, size: str, small: str, large: str) -> dict[str, Array]:
    """Means of sizes, levels and both."""
    levels, sizes = _numbers(counts)
    weights = {
        f"{small}{size} emphasis": sizes**-2.0,
        f"{large}{size} emphasis": sizes**2,
        "low level emphasis": levels**-2.0,
        "high level emphasis": levels**2,
        f"{small}{size} low level emphasis": sizes**-2.0 * levels**-2.0,
        f"{small}{size} high level emphasis": sizes**-2.0 * levels**2,
        f"{large}{size} low level emphasis": sizes**2 * levels**-2.0,
        f"{large}{size} high level emphasis": sizes**2 * levels**2,
    }
    return {name: _mean(counts, of_each) for name, of_each in weights.items()}


def _spread(counts: Array, voxels: int, size: str) -> dict[str, Array]:
    """How unevenly levels and sizes occur."""
    levels, sizes = _numbers(counts)
    total = counts.sum(axis=(1, 2))
    of_levels = (counts.sum(axis=2) ** 2).sum(axis=1)
    of_sizes = (counts.sum(axis=1) ** 2).sum(axis=1)
    shares = ratio(counts, np.broadcast_to(total[:, None, None], counts.shape), 0.0)
    return {
        "level non-uniformity": ratio(of_levels, total, 0.0),
        "normalised level non-uniformity": ratio(of_levels, total**2, 0.0),
        f"{size} non-uniformity": ratio(of_sizes, total, 0.0),
        f"normalised {size} non-uniformity": ratio(of_sizes, total**2, 0.0),
        f"{size} percentage": total / max(voxels, 1),
        "level variance": _mean(counts, levels**2) - _mean(counts, levels) ** 2,
        f"{size} variance": _mean(counts, sizes**2) - _mean(counts, sizes) ** 2,
        f"{size} entropy": entropy_of(shares.reshape(len(shares), -1)),
    }


def counted(levels: NDArray[Any], sizes: NDArray[Any], most: int, longest: int) -> Array:
    """How often each level, from 1 on, has each size, from 1 on: ``[most, longest]``."""
    place = (levels.astype(np.int64) - 1) * longest + sizes - 1
    found = np.bincount(place, minlength=most * longest)
    return found.reshape(most, longest).astype(np.float64)
