"""Runs, zones and dependences of levels (GLRLM, GLSZM, NGLDM)."""

import numpy as np
from scipy import ndimage

from qc.estimators.uncertainty.radiomics.emphases import counted, emphases
from qc.estimators.uncertainty.radiomics.region import Array, Region


def run_lengths(region: Region) -> Array:
    """How many runs of each level and length there are in each direction, ``[D, G, L]``."""
    flat, longest = region.padded.ravel(), max(region.levels.shape)
    found = []
    for offset in region.offsets():
        # Voxels of one line follow each other in a column; the rim of 0 parts the lines.
        rows = -(-len(flat) // offset)
        lines = np.pad(flat, (0, rows * offset - len(flat))).reshape(rows, offset).T.ravel()
        starts = np.flatnonzero(np.diff(lines, prepend=-1))
        lengths = np.diff(starts, append=len(lines))
        is_inside = lines[starts] > 0
        runs = lines[starts][is_inside], lengths[is_inside]
        found.append(counted(*runs, region.most, longest))
    return np.stack(found)


def zones(region: Region) -> Array:
    """How many parts of each level and size touch nothing of the same level, ``[1, G, L]``."""
    levels, sizes = [], []
    for level in np.unique(region.levels[region.levels > 0]):
        parts, _ = ndimage.label(region.levels == level, np.ones((3, 3, 3)))
        of_level = np.bincount(parts.ravel())[1:]
        levels.append(np.full(len(of_level), level))
        sizes.append(of_level)
    if not sizes:
        return np.zeros((1, region.most, 1))
    of_each = np.concatenate(sizes)
    return counted(np.concatenate(levels), of_each, region.most, int(of_each.max()))[None]


def dependences(region: Region) -> Array:
    """How many voxels of each level have so many neighbours of it, and themselves: ``[1, G, 27]``.

    Two levels depend on each other where they are the same.
    """
    flat = region.padded.ravel()
    alike = np.ones(len(flat), np.int64)
    for offset in region.offsets():
        is_alike = flat[:-offset] == flat[offset:]
        alike[:-offset] += is_alike
        alike[offset:] += is_alike
    inside = flat > 0
    return counted(flat[inside], alike[inside], region.most, 27)[None]


def texture(region: Region) -> dict[str, float]:
    """The 46 features of runs, zones and dependences, named after what they are of."""
    voxels = region.voxels
    of_dependences = emphases(dependences(region), voxels, "dependence", "low", "high")
    # Each voxel has a dependence: the percentage is 1, and the levels are those of the histogram.
    for implied in ("dependence percentage", "normalised level non-uniformity"):
        del of_dependences[implied]
    families = {
        "runs": emphases(run_lengths(region), voxels, "run", "short", "long"),
        "zones": emphases(zones(region), voxels, "zone", "small", "large"),
        "dependences": of_dependences,
    }
    return {
        f"{family}: {name}": value
        for family, features in families.items()
        for name, value in features.items()
    }
