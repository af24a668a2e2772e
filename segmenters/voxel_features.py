"""What a forest of voxels sees of each voxel."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMOOTHING_MM = (1.5, 3.0, 6.0, 12.0)
GRADIENT_MM = 4.0
BOXES_MM = (10.0, 20.0, 40.0)
CONTEXT_MM = (20.0, 40.0)
"""How far from the voxel the boxes lie that tell what surrounds it; as wide as ``BOXES_MM[1]``."""


def voxel_features(
    image: NDArray[np.float32], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Appearance around each voxel, and its place.

    Of each modality, in the plane of the slice: its intensity; the intensity under Gaussians of
    ``SMOOTHING_MM``; the strength of the gradient and its two parts, at ``GRADIENT_MM``; means in
    boxes of ``BOXES_MM``; means in boxes at ``CONTEXT_MM`` above, below, left and right; and the
    smoothed intensity in the slices before and after. Then the voxel's place: row and column from
    the image's centre in mm, and the slice from -1 to 1.

    Args:
        image: ``[M, Z, Y, X]``.
        spacing: In mm, ordered ``(z, y, x)``.

    Returns:
        ``[Z * Y * X, F]``, the voxels in the order of the array.
    """
    maps = [found for modality in image for found in _appearance(modality, spacing)]
    shape = image.shape[1:]
    offsets = [np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in shape]
    units = (2 / max(1, shape[0] - 1), spacing[1], spacing[2])
    places = np.meshgrid(*(o * u for o, u in zip(offsets, units, strict=True)), indexing="ij")
    features = [found.ravel() for found in (*maps, *places)]
    return np.stack(features, axis=1).astype(np.float32)


def _appearance(
    volume: NDArray[np.float32], spacing: tuple[float, float, float]
) -> list[NDArray[np.float32]]:
    """The features of one modality, ``[Z, Y, X]`` each."""

    def in_plane(mm: float) -> tuple[float, float, float]:
        return (0.0, mm / spacing[1], mm / spacing[2])

    smooth = [ndimage.gaussian_filter(volume, in_plane(mm)) for mm in SMOOTHING_MM]
    at_gradient = in_plane(GRADIENT_MM)
    rows = ndimage.gaussian_filter(volume, at_gradient, order=(0, 1, 0))
    columns = ndimage.gaussian_filter(volume, at_gradient, order=(0, 0, 1))
    boxes = [
        ndimage.uniform_filter(volume, [max(1, round(n)) for n in in_plane(mm)], mode="nearest")
        for mm in BOXES_MM
    ]
    around = [
        _displaced(boxes[1], axis, round(sign * mm / spacing[axis]))
        for mm in CONTEXT_MM
        for axis in (1, 2)
        for sign in (-1, 1)
    ]
    beside = [_displaced(smooth[1], 0, step) for step in (-1, 1)]
    return [volume, *smooth, np.hypot(rows, columns), rows, columns, *boxes, *around, *beside]


def _displaced(volume: NDArray[np.float32], axis: int, voxels: int) -> NDArray[np.float32]:
    """What lies so many voxels further along an axis; the border's beyond it."""
    length = volume.shape[axis]
    return volume.take(np.clip(np.arange(length) + voxels, 0, length - 1), axis=axis)
