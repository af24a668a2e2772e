"""Resampling in plane: to one spacing for all studies, and back to a study's own grid.

Slices are never resampled: short-axis slices lie 5 to 10 mm apart and between them nothing was
measured. Both grids share their centre, so that only lengths and spacings tell how they lie.
"""

from functools import lru_cache
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import Geometry, Study

Kernel = Literal["cubic", "linear"]

TOLERANCE = 1e-4
"""Share of a pixel that is not worth another pixel at the border."""


def length_at(length: int, source_mm: float, target_mm: float) -> int:
    """Pixels at ``target_mm`` that cover ``length`` pixels at ``source_mm``."""
    return max(1, ceil(length * source_mm / target_mm - TOLERANCE))


def resample_image(
    slices: NDArray[np.generic],
    source_mm: tuple[float, float],
    target_mm: tuple[float, float],
) -> NDArray[np.float32]:
    """Intensities on another grid, by cubic interpolation.

    Reference:
        Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981.
        https://doi.org/10.1109/TASSP.1981.1163711
        Ours: the kernel is widened where pixels grow, so that nothing aliases.

    Args:
        slices: ``[..., Y, X]``.
        source_mm: Spacing ``(y, x)`` of the slices.
        target_mm: Spacing ``(y, x)`` wanted.

    Returns:
        ``[..., Y', X']`` with as many pixels as cover the field of view.
    """
    across_y, across_x = _weights(slices.shape, source_mm, target_mm, "cubic")
    resampled: NDArray[np.float32] = across_y @ slices.astype(np.float32) @ across_x.T
    return resampled


def resample_labels(
    slices: NDArray[np.int8],
    source_mm: tuple[float, float],
    target_mm: tuple[float, float],
) -> NDArray[np.int8]:
    """Labels on another grid: in each pixel the value that most of it is covered by.

    ``UNLABELLED`` counts as a value like any other. Of equal shares, the lowest value wins.

    Args:
        slices: ``[..., Y, X]``.
        source_mm: Spacing ``(y, x)`` of the slices.
        target_mm: Spacing ``(y, x)`` wanted.
    """
    return _most_covered(slices, *_weights(slices.shape, source_mm, target_mm, "linear"))


def acquired_mm(study: Study) -> float:
    """Spacing in plane of the study's source, before it was resampled; of rows and columns, mean.

    That of the study itself where no source is known.
    """
    recorded = study.geometry.to_source if study.geometry else {}
    return float(np.mean(recorded.get("source_spacing", study.spacing)[1:]))


def to_source(labels: NDArray[np.int8], geometry: Geometry) -> NDArray[np.int8]:
    """Labels of one frame on the grid of the study's source.

    Args:
        labels: ``[Z, Y, X]`` of the study.
        geometry: Of the study; spacings are read from its ``to_source``.

    Returns:
        ``[Z, Y, X]`` of exactly the source's shape.

    Raises:
        ValueError: If the number of slices differs.
    """
    weights = _weights_back(labels.shape, geometry, "labels")
    return labels if weights is None else _most_covered(labels, *weights)


def map_to_source(values: NDArray[np.floating], geometry: Geometry) -> NDArray[np.float32]:
    """A map of one frame, such as probabilities, on the grid of the study's source.

    It is interpolated with the weights that decide on labels, so that no value leaves the range
    there was.

    Args:
        values: ``[Z, Y, X]`` of the study.
        geometry: Of the study; spacings are read from its ``to_source``.

    Returns:
        ``[Z, Y, X]`` of exactly the source's shape.

    Raises:
        ValueError: If the number of slices differs.
    """
    weights = _weights_back(values.shape, geometry, "values")
    found = np.asarray(values, dtype=np.float32)
    return found if weights is None else np.asarray(weights[0] @ found @ weights[1].T)


def _weights_back(
    shape: tuple[int, ...], geometry: Geometry, what: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Weights along rows and columns from a frame to its source; None where both are one grid."""
    width, height, depth = geometry.shape
    if shape[0] != depth:
        raise ValueError(
            f"{geometry.source}: {what} have {shape[0]} slices, the source has {depth}"
        )
    if not geometry.to_source:
        if shape[1:] != (height, width):
            raise ValueError(
                f"{geometry.source}: {what} of {shape[1:]} pixels, the source has"
                f" {(height, width)} and no record of how they lie in it"
            )
        return None
    source_mm = geometry.to_source["source_spacing"][1:]
    study_mm = geometry.to_source["study_spacing"][1:]
    across_y, across_x = (
        _axis_weights(length, wanted, mm_wanted / mm, "linear")
        for length, wanted, mm, mm_wanted in zip(
            shape[1:], (height, width), study_mm, source_mm, strict=True
        )
    )
    return across_y, across_x


def _most_covered(
    slices: NDArray[np.int8], across_y: NDArray[np.float32], across_x: NDArray[np.float32]
) -> NDArray[np.int8]:
    """In each pixel the value that most of it is covered by, ``[..., Y', X']``."""
    values = np.unique(slices)
    shape = (*slices.shape[:-2], len(across_y), len(across_x))
    if len(values) == 0:
        return np.full(shape, BACKGROUND, np.int8)
    if len(values) == 1:
        return np.full(shape, values[0], np.int8)
    best = np.zeros(shape, np.float32)
    labels = np.full(shape, UNLABELLED, np.int8)
    for value in values:
        share = across_y @ (slices == value).astype(np.float32) @ across_x.T
        # Rounding must not decide between equal shares.
        wins = share > best + 1e-5
        labels[wins] = value
        best[wins] = share[wins]
    return labels


def _weights(
    shape: tuple[int, ...],
    source_mm: tuple[float, float],
    target_mm: tuple[float, float],
    kernel: Kernel,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    across_y, across_x = (
        _axis_weights(length, length_at(length, mm, wanted), wanted / mm, kernel)
        for length, mm, wanted in zip(shape[-2:], source_mm, target_mm, strict=True)
    )
    return across_y, across_x


@lru_cache(maxsize=64)
def _axis_weights(length: int, wanted: int, step: float, kernel: Kernel) -> NDArray[np.float32]:
    """Share of each pixel of a line in each pixel of the wanted line, ``[wanted, length]``.

    Args:
        length: Pixels there are.
        wanted: Pixels of the wanted line, whose centre is the same.
        step: Size of a wanted pixel in pixels of the line.
        kernel: Interpolates between pixels.
    """
    positions = (np.arange(wanted) - (wanted - 1) / 2) * step + (length - 1) / 2
    positions = positions.clip(0, length - 1)
    widening = max(1.0, step)
    distances = np.abs(positions[:, None] - np.arange(length)) / widening
    weights = _cubic(distances) if kernel == "cubic" else np.clip(1 - distances, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    shares: NDArray[np.float32] = weights.astype(np.float32)
    shares.setflags(write=False)  # The cache hands the same array to everybody.
    return shares


def _cubic(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    near = (1.5 * distances - 2.5) * distances**2 + 1
    far = ((-0.5 * distances + 2.5) * distances - 4) * distances + 2
    weights: NDArray[np.float64] = np.where(distances < 1, near, np.where(distances < 2, far, 0.0))
    return weights
