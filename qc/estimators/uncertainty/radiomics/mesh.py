"""The surface of a mask as triangles: its volume, area and corners, by marching cubes.

Reference:
    Lorensen and Cline, "Marching cubes: a high resolution 3D surface construction algorithm",
    SIGGRAPH 1987. https://doi.org/10.1145/37402.37422
    Ours: the cases are worked out from the faces of a cube, not read from a table; where a face
    could be cut in two ways its corners inside are kept apart.
"""

from functools import cache
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from qc.estimators.uncertainty.radiomics.region import Array

CORNERS = tuple(product((0, 1), repeat=3))
"""Of a cube, ``(z, y, x)``; the corner with number n counts as bit n of a case."""

Corner = tuple[int, ...]
Point = tuple[float, ...]


def mesh_size(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> tuple[float, float]:
    """Volume in mm3 and area in mm2 of the surface halfway to the voxels outside.

    Args:
        mask: ``[Z, Y, X]``.
        spacing: Of voxels, in mm.
    """
    of_case, triangles = _triangles()
    corners = triangles * np.asarray(spacing)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    cases = _cases(mask)
    found = np.nonzero((cases > 0) & (cases < 255))
    kinds = cases[found]
    areas = np.bincount(of_case, np.linalg.norm(across, axis=1), minlength=256)
    # The divergence theorem: a third of the positions times the normals, weighted by area.
    inner = np.bincount(of_case, (corners[:, 0] * across).sum(axis=1), minlength=256)
    normals = np.stack([np.bincount(of_case, axis, minlength=256) for axis in across.T], axis=1)
    places = np.stack(found, axis=1) * np.asarray(spacing)
    volume = (inner[kinds] + (places * normals[kinds]).sum(axis=1)).sum() / 3
    return abs(float(volume)), float(areas[kinds].sum())


def mesh_corners(mask: NDArray[np.bool_]) -> Array:
    """Corners of the triangles: halfway between neighbours of which one is inside.

    Args:
        mask: ``[Z, Y, X]``.

    Returns:
        In voxels, ``[N, 3]``, ordered ``(z, y, x)``.
    """
    padded = np.pad(mask, 1)
    found = []
    for axis in range(3):
        differs = np.diff(padded.astype(np.int8), axis=axis) != 0
        found.append(np.argwhere(differs) + np.eye(3)[axis] / 2 - 1)
    return np.concatenate(found)


def _cases(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which corners of each cube between voxel centres are inside, in bits."""
    padded = np.pad(mask, 1).astype(np.intp)
    sides = [size - 1 for size in padded.shape]
    cases = np.zeros(sides, np.intp)
    for number, corner in enumerate(CORNERS):
        part = tuple(slice(at, at + side) for at, side in zip(corner, sides, strict=True))
        cases += padded[part] << number
    return cases


@cache
def _triangles() -> tuple[NDArray[np.intp], Array]:
    """The case of each triangle, ``[N]``, and its corners in the unit cube, ``[N, 3, 3]``."""
    cases, triangles = [], []
    for case in range(256):
        inside = {corner for number, corner in enumerate(CORNERS) if case >> number & 1}
        for loop in _loops(inside):
            for second, third in pairwise(loop[1:]):
                cases.append(case)
                triangles.append((loop[0], second, third))
    return np.array(cases), np.array(triangles, dtype=np.float64)


def _loops(inside: set[Corner]) -> list[list[Point]]:
    """Polygons that part the corners inside from the others."""
    following = {start: end for face in _faces() for start, end in _cuts(face, inside)}
    loops = []
    while following:
        point = next(iter(following))
        loop = []
        while point in following:
            loop.append(point)
            point = following.pop(point)
        loops.append(loop)
    return loops


def _faces() -> list[list[Corner]]:
    """The corners of each face, one after the other, counter-clockwise from outside."""
    faces = []
    for axis, side in product(range(3), (0, 1)):
        around = [(0, 0), (1, 0), (1, 1), (0, 1)]
        first, second = (axis + 1) % 3, (axis + 2) % 3
        corners = []
        for pair in around if side else around[::-1]:
            corner = [0, 0, 0]
            corner[axis], corner[first], corner[second] = side, *pair
            corners.append(tuple(corner))
        faces.append(corners)
    return faces


def _cuts(face: list[Corner], inside: set[Corner]) -> list[tuple[Point, Point]]:
    """Lines that part the corners of a face, each from where its edge leaves the inside."""
    left: list[tuple[int, Point]] = []
    entered: list[tuple[int, Point]] = []
    for place in range(4):
        first, second = face[place], face[(place + 1) % 4]
        if (first in inside) == (second in inside):
            continue
        middle = tuple((a + b) / 2 for a, b in zip(first, second, strict=True))
        (left if first in inside else entered).append((place, middle))
    return [
        # Back to where the edge came in last, so that corners inside stay apart.
        (start, min(entered, key=lambda one: (place - one[0]) % 4)[1])
        for place, start in left
    ]
