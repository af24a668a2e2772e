"""Features of the shape of structures; each ``[S, F]``, and 0 for a structure that is absent."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from qc.estimators.svr.frame_batch import FrameBatch
from qc.estimators.svr.voxel_sample import ratio
from semiqc.measuring.masks import per_slice
from semiqc.measuring.measures import MM3_PER_ML

Values = NDArray[np.float64]


def volume(batch: FrameBatch) -> Values:
    """In ml."""
    return np.asarray(batch.areas.sum(axis=-1) * (np.prod(batch.spacing) / MM3_PER_ML))


def share(batch: FrameBatch) -> Values:
    """Of the voxels of all structures together."""
    together = per_slice(batch.segmented).sum(axis=-1)
    return ratio(batch.areas.sum(axis=-1), np.broadcast_to(together, batch.areas.shape[:2]) * 1.0)


def thickness(batch: FrameBatch) -> Values:
    """Twice the area by the perimeter in mm: a ring's thickness, a disc's radius."""
    areas = batch.areas.sum(axis=-1) * (batch.spacing[1] * batch.spacing[2])
    return ratio(2 * areas, batch.perimeters.sum(axis=-1))


def eccentricity(batch: FrameBatch) -> Values:
    """sqrt(1 - l2 / l1) of the second moments of each slice, mean by area."""
    _, dy, dx = batch.spacing
    y, x = _centroids(batch)
    m, areas = batch.moments, batch.areas
    yy = (ratio(m[..., 2, 0], areas) - y**2 + 1 / 12) * dy**2
    xx = (ratio(m[..., 0, 2], areas) - x**2 + 1 / 12) * dx**2
    yx = (ratio(m[..., 1, 1], areas) - y * x) * dy * dx
    root = np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    middle = (yy + xx) / 2
    squared = np.clip(ratio(2 * root, middle + root), 0, 1)
    return _mean_by_area(batch, np.sqrt(squared))


def integrity(batch: FrameBatch) -> Values:
    """Share of the voxels in the largest part, neighbours sharing a face."""
    shape = batch.areas.shape[:2]
    apart = np.pad(batch.masks, [(0, 0), (0, 0), (0, 1), (0, 0), (0, 0)])
    labels, parts = ndimage.label(apart.reshape(-1, *apart.shape[-2:]))
    found = labels[labels > 0]
    owners = np.zeros(parts + 1, np.intp)
    owners[found] = np.repeat(
        np.arange(shape[0] * shape[1]), batch.areas.sum(axis=-1).astype(np.intp).ravel()
    )
    largest = np.zeros(shape[0] * shape[1])
    np.maximum.at(largest, owners, np.bincount(found, minlength=parts + 1))
    return ratio(largest.reshape(shape), batch.areas.sum(axis=-1))


def topology(batch: FrameBatch) -> Values:
    """Parts less holes of each filled slice, mean: 1 for a disc, 0 for a ring.

    Reckoned as corners less sides plus voxels, so that parts which touch at a corner are one.
    """
    corners = batch.masks[..., 1:, 1:] | batch.masks[..., :-1, 1:]
    corners |= batch.masks[..., 1:, :-1]
    corners |= batch.masks[..., :-1, :-1]
    sides = (4 * batch.areas + batch.side_counts.sum(axis=0)) / 2
    numbers = per_slice(corners) - sides + batch.areas
    return ratio(numbers.sum(axis=-1), (batch.areas > 0).sum(axis=-1) * 1.0)


def continuity(batch: FrameBatch) -> Values:
    """Dice between neighbouring slices, over all pairs at once; 0 where there is one slice."""
    both = per_slice(batch.masks[:, :, 1:] & batch.masks[:, :, :-1]).sum(axis=-1)
    sizes = (batch.areas[..., 1:] + batch.areas[..., :-1]).sum(axis=-1)
    return ratio(2 * both, sizes)


def drift(batch: FrameBatch) -> Values:
    """Mean distance in mm between the centroids of neighbouring slices that are both filled."""
    _, dy, dx = batch.spacing
    y, x = _centroids(batch)
    distance = np.hypot(np.diff(y, axis=-1) * dy, np.diff(x, axis=-1) * dx)
    filled = batch.areas > 0
    pairs = filled[..., 1:] & filled[..., :-1]
    return ratio((distance * pairs).sum(axis=-1), pairs.sum(axis=-1) * 1.0)


def adjacency(batch: FrameBatch) -> Values:
    """Share of the border's voxel sides, within slices, that face another structure."""
    inside = batch.segmented
    facing = (
        batch.sides[0] & (inside[..., 1:, :] & inside[..., :-1, :]),
        batch.sides[1] & (inside[..., 1:] & inside[..., :-1]),
    )
    touching = sum(per_slice(side).sum(axis=-1) for side in facing)
    return ratio(np.asarray(touching), batch.side_counts.sum(axis=(0, -1)))


def _centroids(batch: FrameBatch) -> tuple[Values, Values]:
    """Row and column of each slice's centre, ``[S, F, Z]``; 0 where it is empty."""
    m = batch.moments
    return ratio(m[..., 1, 0], batch.areas), ratio(m[..., 0, 1], batch.areas)


def _mean_by_area(batch: FrameBatch, of_slices: Values) -> Values:
    return ratio((of_slices * batch.areas).sum(axis=-1), batch.areas.sum(axis=-1))
