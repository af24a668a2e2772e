"""Statistics of the values in a region, and of their histogram."""

import numpy as np

from qc.estimators.uncertainty.radiomics.region import Array, Levels, entropy_of


def first_order(values: Array, levels: Levels, voxel_mm3: float) -> dict[str, float]:
    """The 18 features of first order.

    Args:
        values: Of the region's voxels, ``[V]``, at least one.
        levels: Of the same voxels.
        voxel_mm3: Size of a voxel.
    """
    least, low, first, median, third, high, largest = np.percentile(
        values, [0, 10, 25, 50, 75, 90, 100]
    )
    middle = values[(values >= low) & (values <= high)]
    from_mean = values - values.mean()
    variance = float(np.mean(from_mean**2))
    energy = float(np.sum(values**2))
    shares = np.bincount(levels) / len(levels)
    return {
        "mean": float(values.mean()),
        "variance": variance,
        "skewness": float(np.mean(from_mean**3)) / variance**1.5 if variance else 0.0,
        "excess kurtosis": float(np.mean(from_mean**4)) / variance**2 - 3 if variance else 0.0,
        "median": float(median),
        "minimum": float(least),
        "10th percentile": float(low),
        "90th percentile": float(high),
        "maximum": float(largest),
        "interquartile range": float(third - first),
        "range": float(largest - least),
        "mean absolute deviation": float(np.abs(from_mean).mean()),
        "robust mean absolute deviation": float(np.abs(middle - middle.mean()).mean()),
        "energy": energy,
        "total energy": energy * voxel_mm3,
        "root mean square": float(np.sqrt(energy / len(values))),
        "entropy": float(entropy_of(shares)),
        "uniformity": float(np.sum(shares**2)),
    }
