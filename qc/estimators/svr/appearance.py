"""Features of what the image shows of structures; each ``[S, F]``, 0 for an absent structure."""

import numpy as np
from numpy.typing import NDArray

from qc.estimators.svr.frame_batch import FrameBatch
from qc.estimators.svr.voxel_sample import joined, ratio

Values = NDArray[np.float64]
SPAN = 5.0
"""Standard deviations that the histograms cover; what lies beyond counts to the last bin."""


def level(batch: FrameBatch) -> Values:
    """Mean intensity."""
    return batch.inside.mean()


def spread(batch: FrameBatch) -> Values:
    """Standard deviation of the intensity."""
    return batch.inside.sd()


def contrast(batch: FrameBatch) -> Values:
    """Mean of the inner ring less that of the outer, by the standard deviation of both."""
    inner, outer = batch.rings
    difference = np.where(outer.counts() > 0, inner.mean() - outer.mean(), 0)
    return ratio(difference, joined(inner, outer).sd())


def mixture(batch: FrameBatch) -> Values:
    """What the histograms of inner and outer ring share: 1 where the border parts nothing."""
    inner, outer = batch.rings
    both = joined(inner, outer)
    width = SPAN * both.sd()
    low = both.mean() - width / 2
    shared = np.minimum(inner.histogram(low, width), outer.histogram(low, width))
    return np.asarray(shared.sum(axis=-1))


def gradient(batch: FrameBatch) -> Values:
    """Mean size of the in-plane gradient of voxels at the border, intensity per mm."""
    return batch.gradients.mean()
