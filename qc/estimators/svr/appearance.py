"""Features of what the image shows of structures; each ``[S, F]``, 0 for an absent structure."""

import numpy as np
from numpy.typing import NDArray

from qc.estimators.sample import joined, ratio
from qc.estimators.stack import Stack

Values = NDArray[np.float64]
SPAN = 5.0
"""Standard deviations that the histograms cover; what lies beyond counts to the last bin."""


def level(stack: Stack) -> Values:
    """Mean intensity."""
    return stack.inside.mean()


def spread(stack: Stack) -> Values:
    """Standard deviation of the intensity."""
    return stack.inside.sd()


def contrast(stack: Stack) -> Values:
    """Mean of the inner ring less that of the outer, by the standard deviation of both."""
    inner, outer = stack.rings
    difference = np.where(outer.counts() > 0, inner.mean() - outer.mean(), 0)
    return ratio(difference, joined(inner, outer).sd())


def mixture(stack: Stack) -> Values:
    """What the histograms of inner and outer ring share: 1 where the border parts nothing."""
    inner, outer = stack.rings
    both = joined(inner, outer)
    width = SPAN * both.sd()
    low = both.mean() - width / 2
    shared = np.minimum(inner.histogram(low, width), outer.histogram(low, width))
    return np.asarray(shared.sum(axis=-1))


def gradient(stack: Stack) -> Values:
    """Mean size of the in-plane gradient of voxels at the border, intensity per mm."""
    return stack.gradients.mean()
