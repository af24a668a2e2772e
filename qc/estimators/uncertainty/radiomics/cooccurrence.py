"""Features of how often levels are neighbours (grey-level co-occurrence, GLCM)."""

import numpy as np

from qc.estimators.uncertainty.radiomics.region import Array, Region, entropy_of, ratio


def cooccurrences(region: Region) -> Array:
    """Shares of the pairs of levels in each direction that has pairs, ``[D, G, G]``."""
    flat, size = region.padded.ravel(), region.most + 1
    counts = np.stack(
        [
            np.bincount(flat[:-offset] * size + flat[offset:], minlength=size * size)
            for offset in region.offsets()
        ]
    )
    pairs = counts.reshape(-1, size, size)[:, 1:, 1:].astype(np.float64)
    pairs += pairs.swapaxes(1, 2)
    totals = pairs.sum(axis=(1, 2), keepdims=True)
    return np.asarray((pairs / np.maximum(totals, 1))[totals[:, 0, 0] > 0])


def glcm(shares: Array) -> dict[str, float]:
    """The 24 features, each the mean over directions; 0 where no voxel has a neighbour.

    Args:
        shares: As ``cooccurrences`` gives them.
    """
    if not len(shares):
        shares = np.zeros((1, *shares.shape[1:]))
    features = _of_pairs(shares) | _of_differences(shares) | _of_sums(shares)
    features |= _of_information(shares)
    return {name: float(values.mean()) for name, values in features.items()}


def _margins(shares: Array) -> tuple[Array, Array]:
    """Levels ``[G]`` and the share of each, ``[D, G]``."""
    return np.arange(1, shares.shape[1] + 1, dtype=np.float64), shares.sum(axis=2)


def _of_pairs(shares: Array) -> dict[str, Array]:
    levels, margins = _margins(shares)
    mean = margins @ levels
    variance = margins @ levels**2 - mean**2
    together = np.einsum("dij,i,j->d", shares, levels, levels)
    return {
        "joint maximum": shares.max(axis=(1, 2)),
        "joint average": mean,
        "joint variance": variance,
        "joint entropy": entropy_of(shares.reshape(len(shares), -1)),
        "angular second moment": (shares**2).sum(axis=(1, 2)),
        "correlation": ratio(together - mean**2, np.where(variance > 1e-12, variance, 0), 1.0),
        "autocorrelation": together,
        "maximal correlation coefficient": _second_correlation(shares, margins),
    }


def _second_correlation(shares: Array, margins: Array) -> Array:
    """Largest correlation of any functions of two neighbours' levels; 1 of one level alone."""
    roots = np.sqrt(margins)
    scaled = ratio(shares, roots[:, :, None] * roots[:, None, :], 0.0)
    several = (margins > 0).sum(axis=1) > 1
    second: Array = np.linalg.svd(scaled, compute_uv=False)[:, 1:2].sum(axis=1)
    return np.where(several, second, 1.0)


def _along(shares: Array, which: Array) -> Array:
    """Sums of shares over the pairs of which something is the same number, ``[D, K]``."""
    numbers = which.ravel().astype(np.int64)
    belongs = np.arange(numbers.max() + 1) == numbers[:, None]
    found: Array = shares.reshape(len(shares), -1) @ belongs
    return found


def _of_differences(shares: Array) -> dict[str, Array]:
    levels, _ = _margins(shares)
    differences = _along(shares, np.abs(levels[:, None] - levels))
    by = np.arange(differences.shape[1], dtype=np.float64)
    mean = differences @ by
    return {
        "difference average": mean,
        "difference variance": differences @ by**2 - mean**2,
        "difference entropy": entropy_of(differences),
        "contrast": differences @ by**2,
        "inverse difference": differences @ (1 / (1 + by)),
        "normalised inverse difference": differences @ (1 / (1 + by / len(levels))),
        "inverse difference moment": differences @ (1 / (1 + by**2)),
        "normalised inverse difference moment": differences @ (1 / (1 + (by / len(levels)) ** 2)),
        "inverse variance": differences[:, 1:] @ (1 / by[1:] ** 2),
    }


def _of_sums(shares: Array) -> dict[str, Array]:
    levels, _ = _margins(shares)
    sums = _along(shares, levels[:, None] + levels)
    by = np.arange(sums.shape[1], dtype=np.float64)
    mean = sums @ by
    from_mean = by - mean[:, None]
    return {
        "sum average": mean,
        "sum entropy": entropy_of(sums),
        "cluster tendency": (sums * from_mean**2).sum(axis=1),
        "cluster shade": (sums * from_mean**3).sum(axis=1),
        "cluster prominence": (sums * from_mean**4).sum(axis=1),
    }


def _of_information(shares: Array) -> dict[str, Array]:
    _, margins = _margins(shares)
    apart = margins[:, :, None] * margins[:, None, :]
    logs = np.log2(apart, out=np.zeros_like(apart), where=apart > 0)
    crossed = -(shares * logs).sum(axis=(1, 2))
    joint = entropy_of(shares.reshape(len(shares), -1))
    own = entropy_of(margins)
    independent = entropy_of(apart.reshape(len(shares), -1))
    gained = np.maximum(independent - joint, 0)
    return {
        "information correlation 1": ratio(joint - crossed, own, 0.0),
        "information correlation 2": np.sqrt(1 - np.exp(-2 * gained)),
    }
