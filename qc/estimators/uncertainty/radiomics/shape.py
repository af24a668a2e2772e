"""Size and form of a mask."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from qc.estimators.uncertainty.radiomics.mesh import mesh_corners, mesh_size
from qc.estimators.uncertainty.radiomics.region import Array

NAMES = (
    "volume",
    "approximate volume",
    "surface area",
    "surface to volume ratio",
    "sphericity",
    "maximum 3D diameter",
    "maximum diameter in slices",
    "maximum diameter in rows",
    "maximum diameter in columns",
    "major axis length",
    "minor axis length",
    "least axis length",
    "elongation",
    "flatness",
)
"""Of the features of shape, in mm."""


def shape(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> dict[str, float]:
    """The 14 features of shape; all 0 of an empty mask.

    Args:
        mask: ``[Z, Y, X]``.
        spacing: In mm, ordered ``(z, y, x)``.
    """
    if not mask.any():
        return dict.fromkeys(NAMES, 0.0)
    volume, area = mesh_size(mask, spacing)
    values = (
        volume,
        float(mask.sum() * np.prod(spacing)),
        area,
        area / volume,
        float(np.cbrt(36 * np.pi * volume**2) / area),
        *_diameters(mask, spacing),
        *_axes(mask, spacing),
    )
    return dict(zip(NAMES, values, strict=True))


def _diameters(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> list[float]:
    """Largest distance between corners of the mesh, anywhere and in planes across each axis."""
    corners = mesh_corners(mask)
    placed = corners * np.asarray(spacing)
    found = [float(pdist(placed[ConvexHull(placed).vertices]).max())]
    for axis in range(3):
        order = np.argsort(corners[:, axis], kind="stable")
        planes = np.split(placed[order], np.flatnonzero(np.diff(corners[order, axis])) + 1)
        found.append(max(float(pdist(plane).max(initial=0)) for plane in planes))
    return found


def _axes(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> list[float]:
    """Lengths of the axes of the ellipsoid of the same moments, elongation and flatness."""
    places: Array = np.argwhere(mask) * np.asarray(spacing)
    from_centre = places - places.mean(axis=0)
    moments = np.linalg.eigvalsh(from_centre.T @ from_centre / max(len(places) - 1, 1))
    least, minor, major = np.sqrt(np.maximum(moments, 0))
    rounded = [minor / major, least / major] if major else [0.0, 0.0]
    return [4 * major, 4 * minor, 4 * least, *rounded]
