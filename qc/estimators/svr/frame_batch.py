"""A batch of frames of one shape, and what several features ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qc.estimators.svr.voxel_sample import VoxelSample, voxel_sample
from qc.frames import Frame
from semiqc.measuring.masks import masks, per_slice
from semiqc.schemes import BACKGROUND, LabelScheme

RING_MM = 3.0
"""Width of the rings inside and outside a border; two pixels of cine MR."""
MOST_STEPS = 4
"""Widest ring in voxels."""


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """``F`` frames of one shape and spacing, cut to the box around all structures.

    No number of a frame depends on the other frames. What is asked for more than once is worked
    out once.

    Args:
        masks: Where each structure is, ``[S, F, Z, Y, X]``; never within ``steps`` + 1 voxels of
            an edge of the slice.
        segmented: Where any structure is, ``[F, Z, Y, X]``.
        image: Mean over modalities, ``[F, Z, Y, X]`` float32.
        spacing: In mm, ordered ``(z, y, x)``.
    """

    masks: NDArray[np.bool_]
    segmented: NDArray[np.bool_]
    image: NDArray[np.float32]
    spacing: tuple[float, float, float]

    @cached_property
    def moments(self) -> NDArray[np.float64]:
        """Sum of ``y**i x**j`` over the voxels of each slice, ``[S, F, Z, 3, 3]``."""
        y, x = (
            np.arange(length, dtype=np.float32)[:, None] ** np.arange(3, dtype=np.float32)
            for length in self.masks.shape[-2:]
        )
        of_rows = (self.masks.astype(np.float32) @ x).astype(np.float64)
        return np.asarray(np.swapaxes(of_rows, -1, -2) @ y.astype(np.float64)).swapaxes(-1, -2)

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """Voxels of each slice, ``[S, F, Z]``."""
        return self.moments[..., 0, 0]

    @cached_property
    def sides(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether neighbours in a slice, along ``y`` and along ``x``, lie across the border."""
        return (
            self.masks[..., 1:, :] ^ self.masks[..., :-1, :],
            self.masks[..., 1:] ^ self.masks[..., :-1],
        )

    @cached_property
    def side_counts(self) -> NDArray[np.float64]:
        """Voxel sides on the border of each slice, facing ``y`` and ``x``, ``[2, S, F, Z]``."""
        return np.stack([per_slice(side) for side in self.sides])

    @cached_property
    def perimeters(self) -> NDArray[np.float64]:
        """Length of the border of each slice in mm, ``[S, F, Z]``.

        Steps overstate a smooth outline by 4 / pi on the average over its directions.
        """
        _, dy, dx = self.spacing
        length: NDArray[np.float64] = (
            np.pi / 4 * (self.side_counts[0] * dx + self.side_counts[1] * dy)
        )
        return length

    @cached_property
    def inside(self) -> VoxelSample:
        """Intensities of each structure."""
        return voxel_sample(self.masks, self.image)

    @cached_property
    def rings(self) -> tuple[VoxelSample, VoxelSample]:
        """Intensities within ``RING_MM`` of the border in the slice, inside and outside."""
        inner = self.masks & grown(~self.masks, self.steps)
        outer = ~self.masks & grown(self.masks, self.steps)
        return voxel_sample(inner, self.image), voxel_sample(outer, self.image)

    @cached_property
    def gradients(self) -> VoxelSample:
        """Size of the in-plane gradient, per mm, of voxels with a side on the border."""
        at_border = np.zeros_like(self.masks)
        along_y, along_x = self.sides
        at_border[..., 1:, :] |= along_y
        at_border[..., :-1, :] |= along_y
        at_border[..., 1:] |= along_x
        at_border[..., :-1] |= along_x
        by_y, by_x = np.gradient(self.image, *self.spacing[1:], axis=(-2, -1))
        return voxel_sample(at_border, np.sqrt(by_y**2 + by_x**2))

    @property
    def steps(self) -> int:
        """Width of the rings in voxels."""
        return steps_of(self.spacing)


def steps_of(spacing: tuple[float, float, float]) -> int:
    """Voxels in ``RING_MM``, at least one."""
    return int(np.clip(round(RING_MM / min(spacing[1:])), 1, MOST_STEPS))


def batch_of(frames: Sequence[Frame], scheme: LabelScheme) -> FrameBatch:
    """Frames of one shape and spacing; beyond their edges the image goes on as at the edge."""
    spacing = frames[0].spacing
    labels = np.stack([frame.labels for frame in frames])
    segmented = labels > BACKGROUND
    cuts, known = [], []
    for others, length in (((0, 1, 3), labels.shape[2]), ((0, 1, 2), labels.shape[3])):
        found = np.flatnonzero(segmented.any(axis=others))
        first, last = (found[0], found[-1]) if found.size else (0, 0)
        wanted = np.arange(first - steps_of(spacing) - 1, last + steps_of(spacing) + 2)
        cuts.append(np.clip(wanted, 0, length - 1))
        known.append((wanted >= 0) & (wanted < length))
    rows, columns = cuts[0][:, None], cuts[1]
    labels = np.where(known[0][:, None] & known[1], labels[:, :, rows, columns], BACKGROUND)
    image = np.stack([frame.image[:, :, rows, columns].mean(axis=0) for frame in frames])
    return FrameBatch(masks(labels, scheme), labels > BACKGROUND, image, spacing)


def grown(found: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """What is true, and what can be reached from it in so many steps along rows and columns."""
    wider = found
    for _ in range(steps):
        before, wider = wider, wider.copy()
        wider[..., 1:, :] |= before[..., :-1, :]
        wider[..., :-1, :] |= before[..., 1:, :]
        wider[..., 1:] |= before[..., :-1]
        wider[..., :-1] |= before[..., 1:]
    return wider
