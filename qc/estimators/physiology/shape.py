"""What the rules of physiology ask of the shapes in one frame and of their course over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from semiqc.measuring.masks import masks, per_slice
from semiqc.measuring.measures import MM3_PER_ML
from semiqc.schemes import BACKGROUND, LabelScheme, Measure, Structure

Array = NDArray[np.float64]

SIDES = np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3])
"""Neighbours in a slice that share a side."""
CORNERS = np.array([[[0, 0, 0]] * 3, [[1, 1, 1]] * 3, [[0, 0, 0]] * 3])
"""Neighbours in a slice that share a side or a corner."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """The structures of one frame, cut to the box around them with an empty margin.

    Args:
        masks: Where each structure is, ``[S, Z, Y, X]``; never at an edge of a slice.
        segmented: Where any structure is, ``[Z, Y, X]``.
        structures: In the order of the scheme.
        spacing: In mm, ordered ``(z, y, x)``.
        start: Row and column of the frame at which the box begins.
    """

    masks: NDArray[np.bool_]
    segmented: NDArray[np.bool_]
    structures: tuple[Structure, ...]
    spacing: tuple[float, float, float]
    start: tuple[int, int]

    @cached_property
    def areas(self) -> Array:
        """In voxels, ``[S, Z]``."""
        return per_slice(self.masks)

    @cached_property
    def sizes(self) -> Array:
        """Volume in ml, or mean area in mm2 of what is measured as an area, ``[S]``."""
        is_area = np.array([part.measure is Measure.AREA for part in self.structures])
        in_mm2 = self.areas * (self.spacing[1] * self.spacing[2])
        volumes = in_mm2.sum(axis=1) * (self.spacing[0] / MM3_PER_ML)
        return np.asarray(np.where(is_area, in_mm2.mean(axis=1), volumes))

    @cached_property
    def centres(self) -> Array:
        """Row and column of each slice's centre in mm, in the frame, ``[S, Z, 2]``; or NaN."""
        rows, columns = (
            (np.arange(length) + first) * mm
            for length, first, mm in zip(
                self.masks.shape[2:], self.start, self.spacing[1:], strict=True
            )
        )
        found = np.stack([self.masks.sum(axis=3) @ rows, self.masks.sum(axis=2) @ columns], -1)
        with np.errstate(invalid="ignore"):
            return np.asarray(found / self.areas[..., None])

    @cached_property
    def centre(self) -> Array:
        """Slice, row and column of each structure's centre in mm, ``[S, 3]``; NaN if absent."""
        total = self.areas.sum(axis=1)
        heights = np.arange(self.areas.shape[1]) * self.spacing[0]
        in_plane = (np.nan_to_num(self.centres) * self.areas[..., None]).sum(axis=1)
        with np.errstate(invalid="ignore"):
            found = np.column_stack([self.areas @ heights, in_plane]) / total[:, None]
        return np.asarray(found)

    @cached_property
    def sides(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether neighbours along ``y`` and along ``x`` lie across the outline."""
        return (
            self.masks[..., 1:, :] ^ self.masks[..., :-1, :],
            self.masks[..., 1:] ^ self.masks[..., :-1],
        )

    @cached_property
    def outlines(self) -> Array:
        """Length of the outline in each slice in mm, ``[S, Z]``; steps overstate it by 4 / pi."""
        along_y, along_x = (per_slice(side) for side in self.sides)
        return np.asarray(np.pi / 4 * (along_y * self.spacing[2] + along_x * self.spacing[1]))

    @cached_property
    def parts(self) -> Array:
        """Connected parts in each slice, corners connecting, ``[S, Z]``; NaN where it is empty."""
        slices = self.masks.reshape(-1, *self.masks.shape[2:])
        labels, _ = ndimage.label(slices, CORNERS)
        found, first = np.unique(labels, return_index=True)
        of_slice = first[found > 0] // slices[0].size
        parts = np.bincount(of_slice, minlength=len(slices)).reshape(self.areas.shape)
        return np.where(self.areas > 0, parts, np.nan)

    @cached_property
    def holes(self) -> Array:
        """Background that a structure encloses in each slice, in voxels, ``[S, Z]``."""
        outside = ~self.masks.reshape(-1, *self.masks.shape[2:])
        labels, _ = ndimage.label(outside, SIDES)
        # The margin is empty, so what is outside has the label of the first corner.
        enclosed = outside & (labels != labels[:, :1, :1])
        return per_slice(enclosed.reshape(self.masks.shape) & ~self.segmented)

    @cached_property
    def facing_mass(self) -> Array:
        """Share of each structure's outline that faces what is measured as a mass, ``[S]``.

        NaN where it is absent, and where the scheme has no mass.
        """
        is_mass = [part.measure is Measure.MASS for part in self.structures]
        if not any(is_mass):
            return np.full(len(self.structures), np.nan)
        wall = np.asarray(self.masks[is_mass].any(axis=0))
        along_y, along_x = self.sides
        touching = per_slice(along_y & (wall[:, 1:] | wall[:, :-1])).sum(axis=-1)
        touching += per_slice(along_x & (wall[..., 1:] | wall[..., :-1])).sum(axis=-1)
        total = sum(per_slice(side).sum(axis=-1) for side in self.sides)
        with np.errstate(invalid="ignore"):
            return np.asarray(touching / total)


def shapes_of(
    labels: NDArray[np.int8], scheme: LabelScheme, spacing: tuple[float, float, float]
) -> Shapes:
    """The shapes in a frame ``[Z, Y, X]``."""
    found = labels > BACKGROUND
    start, cuts = [], []
    for others, length in (((0, 2), labels.shape[1]), ((0, 1), labels.shape[2])):
        filled = np.flatnonzero(found.any(axis=others))
        first, end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, min(1, length))
        start.append(first - 1)
        cuts.append(slice(first, end))
    box = np.pad(labels[:, cuts[0], cuts[1]], ((0, 0), (1, 1), (1, 1)))
    return Shapes(
        masks(box, scheme), box > BACKGROUND, scheme.structures, spacing, (start[0], start[1])
    )


@dataclass(frozen=True, eq=False)
class Course:
    """The structures of a prediction over its frames.

    Args:
        sizes: In ml or mm2, ``[S, T]``.
        centres: In mm, ``[S, T, 3]``; NaN where a structure is absent.
        overlaps: Dice with the frame before, the last before the first, ``[S, T]``; NaN where
            the structure is in neither.
        structures: In the order of the scheme.
    """

    sizes: Array
    centres: Array
    overlaps: Array
    structures: tuple[Structure, ...]

    @property
    def frames(self) -> int:
        """Number of time frames."""
        return int(self.sizes.shape[1])


def course_of(
    frames: Sequence[Shapes], overlaps: Array, structures: tuple[Structure, ...]
) -> Course:
    """The course of shapes, at least one, whose ``overlaps`` ``[S, T]`` are known."""
    sizes = np.stack([shapes.sizes for shapes in frames], axis=1)
    centres = np.stack([shapes.centre for shapes in frames], axis=1)
    return Course(sizes, centres, overlaps, structures)


def stray_share(mask: NDArray[np.bool_]) -> float:
    """Share of the voxels ``[Z, Y, X]`` outside the largest part; NaN where there are none."""
    labels, parts = ndimage.label(mask, np.ones((3, 3, 3)))
    if not parts:
        return float("nan")
    counts = np.bincount(labels[mask])
    return float(1 - counts.max() / counts.sum())
