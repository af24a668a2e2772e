"""Features of the shape of structures; each ``[S, F]``, and 0 for a structure that is absent."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from qc.estimators.sample import ratio
from qc.estimators.stack import Stack, per_slice
from semiqc.measuring.measures import MM3_PER_ML

Values = NDArray[np.float64]


def volume(stack: Stack) -> Values:
    """In ml."""
    return np.asarray(stack.areas.sum(axis=-1) * (np.prod(stack.spacing) / MM3_PER_ML))


def share(stack: Stack) -> Values:
    """Of the voxels of all structures together."""
    together = per_slice(stack.segmented).sum(axis=-1)
    return ratio(stack.areas.sum(axis=-1), np.broadcast_to(together, stack.areas.shape[:2]) * 1.0)


def thickness(stack: Stack) -> Values:
    """Twice the area by the perimeter in mm: a ring's thickness, a disc's radius."""
    areas = stack.areas.sum(axis=-1) * (stack.spacing[1] * stack.spacing[2])
    return ratio(2 * areas, stack.perimeters.sum(axis=-1))


def eccentricity(stack: Stack) -> Values:
    """sqrt(1 - l2 / l1) of the second moments of each slice, mean by area."""
    _, dy, dx = stack.spacing
    y, x = _centroids(stack)
    m, areas = stack.moments, stack.areas
    yy = (ratio(m[..., 2, 0], areas) - y**2 + 1 / 12) * dy**2
    xx = (ratio(m[..., 0, 2], areas) - x**2 + 1 / 12) * dx**2
    yx = (ratio(m[..., 1, 1], areas) - y * x) * dy * dx
    root = np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    middle = (yy + xx) / 2
    squared = np.clip(ratio(2 * root, middle + root), 0, 1)
    return _mean_by_area(stack, np.sqrt(squared))


def integrity(stack: Stack) -> Values:
    """Share of the voxels in the largest part, neighbours sharing a face."""
    shape = stack.areas.shape[:2]
    apart = np.pad(stack.masks, [(0, 0), (0, 0), (0, 1), (0, 0), (0, 0)])
    labels, parts = ndimage.label(apart.reshape(-1, *apart.shape[-2:]))
    found = labels[labels > 0]
    owners = np.zeros(parts + 1, np.intp)
    owners[found] = np.repeat(
        np.arange(shape[0] * shape[1]), stack.areas.sum(axis=-1).astype(np.intp).ravel()
    )
    largest = np.zeros(shape[0] * shape[1])
    np.maximum.at(largest, owners, np.bincount(found, minlength=parts + 1))
    return ratio(largest.reshape(shape), stack.areas.sum(axis=-1))


def topology(stack: Stack) -> Values:
    """Parts less holes of each filled slice, mean: 1 for a disc, 0 for a ring.

    Reckoned as corners less sides plus voxels, so that parts which touch at a corner are one.
    """
    corners = stack.masks[..., 1:, 1:] | stack.masks[..., :-1, 1:]
    corners |= stack.masks[..., 1:, :-1]
    corners |= stack.masks[..., :-1, :-1]
    sides = (4 * stack.areas + stack.side_counts.sum(axis=0)) / 2
    numbers = per_slice(corners) - sides + stack.areas
    return ratio(numbers.sum(axis=-1), (stack.areas > 0).sum(axis=-1) * 1.0)


def continuity(stack: Stack) -> Values:
    """Dice between neighbouring slices, over all pairs at once; 0 where there is one slice."""
    both = per_slice(stack.masks[:, :, 1:] & stack.masks[:, :, :-1]).sum(axis=-1)
    sizes = (stack.areas[..., 1:] + stack.areas[..., :-1]).sum(axis=-1)
    return ratio(2 * both, sizes)


def drift(stack: Stack) -> Values:
    """Mean distance in mm between the centroids of neighbouring slices that are both filled."""
    _, dy, dx = stack.spacing
    y, x = _centroids(stack)
    distance = np.hypot(np.diff(y, axis=-1) * dy, np.diff(x, axis=-1) * dx)
    filled = stack.areas > 0
    pairs = filled[..., 1:] & filled[..., :-1]
    return ratio((distance * pairs).sum(axis=-1), pairs.sum(axis=-1) * 1.0)


def adjacency(stack: Stack) -> Values:
    """Share of the border's voxel sides, within slices, that face another structure."""
    inside = stack.segmented
    facing = (
        stack.sides[0] & (inside[..., 1:, :] & inside[..., :-1, :]),
        stack.sides[1] & (inside[..., 1:] & inside[..., :-1]),
    )
    touching = sum(per_slice(side).sum(axis=-1) for side in facing)
    return ratio(np.asarray(touching), stack.side_counts.sum(axis=(0, -1)))


def _centroids(stack: Stack) -> tuple[Values, Values]:
    """Row and column of each slice's centre, ``[S, F, Z]``; 0 where it is empty."""
    m = stack.moments
    return ratio(m[..., 1, 0], stack.areas), ratio(m[..., 0, 1], stack.areas)


def _mean_by_area(stack: Stack, of_slices: Values) -> Values:
    return ratio((of_slices * stack.areas).sum(axis=-1), stack.areas.sum(axis=-1))
