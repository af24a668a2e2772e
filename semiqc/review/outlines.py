"""Outlines of a segmentation, as the paths that a browser draws."""

from collections.abc import Sequence

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray

from semiqc.schemes import Structure
from semiqc.study import Voxels


def outlines(labels: Voxels, structures: Sequence[Structure]) -> list[list[dict[str, str]]]:
    """Paths by frame, slice and structure; a structure that a slice lacks is left out.

    Args:
        labels: Class of each voxel or ``UNLABELLED``, ``[T, Z, Y, X]``.
        structures: Whose outlines are asked for.

    Returns:
        SVG paths in voxels, where the first voxel reaches from 0 to 1.
    """
    return [_of_frame(np.asarray(labels[t]), structures) for t in range(labels.shape[0])]


def _of_frame(frame: NDArray[np.int8], structures: Sequence[Structure]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{} for _ in frame]
    for structure in structures:
        masks = structure.mask(frame)
        for number in np.flatnonzero(masks.any(axis=(1, 2))):
            found[number][structure.name] = path_of(masks[number])
    return found


def path_of(mask: NDArray[np.bool_]) -> str:
    """The outline of a mask ``[Y, X]``, closed also where it meets the border."""
    (top, bottom), (left, right) = (
        (int(found[0]), int(found[-1]) + 1)
        for found in (np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0)))
    )
    within = np.pad(mask[top:bottom, left:right], 1).astype(np.float32)
    lines = contour_generator(z=within).lines(0.5)
    # A voxel's centre is half a voxel from its edge, and the padding moved it by one.
    corner = np.array([left - 0.5, top - 0.5])
    return "".join(_as_path(line + corner) for line in lines)


def _as_path(points: NDArray[np.float64]) -> str:
    corners = " ".join(f"{x:g} {y:g}" for x, y in points[:-1])
    return f"M{corners}Z"


def box_of(labels: Voxels) -> tuple[int, ...]:
    """Columns and rows around all that is segmented, ``(left, top, right, bottom)``.

    The whole image where nothing is.
    """
    seen = np.zeros(labels.shape[2:], bool)
    for frame in range(labels.shape[0]):
        seen |= (np.asarray(labels[frame]) > 0).any(axis=0)
    if not seen.any():
        return 0, 0, int(seen.shape[1]), int(seen.shape[0])
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
