"""How the parts of a cine move from frame to frame, and what labels become that move along.

Reference:
    Bai et al., "Recurrent neural networks for aortic image sequence segmentation with sparse
    annotations", MICCAI 2018: annotations of a few frames are carried to the others by non-rigid
    registration. https://doi.org/10.1007/978-3-030-00937-3_67
    Ours: from both sides, the nearer one weighing more; and in strides of several frames, since
    errors add up with each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from semiqc.images.registration import register_slices, warp
from semiqc.images.registration.velocity import composed, local_correlation
from semiqc.schemes import BACKGROUND
from semiqc.study import Voxels

STRIDE = 3
"""Frames that one registration spans at most; hearts move little in as many."""

RESOLUTION_MM = 3.0
"""At which motion is looked for: muscle moves smoothly, and finer takes longer."""

MARGIN_MM = 20.0
"""Around what is labelled, within which motion is looked for."""

STEPS = 12
"""Of each registration, at each of its levels."""
LEVELS = 2
SMOOTHING = 2.0
"""Of the registration, in its voxels."""

LINKS_AT_ONCE = 8
"""Registered together, which bounds the memory that is needed."""

Window = tuple[slice, slice]
"""Rows and columns of an image."""

Link = tuple[int, int]
"""A frame that labels come from and one that they go to, registered with each other."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Labels that were brought to a frame.

    Args:
        frame: To which.
        labels: Class of each voxel or ``UNLABELLED``, ``[Z, Y, X]``.
        likeness: Of the images that were brought along to the frame's own, around each voxel, a
            correlation in [-1, 1] ``[Z, Y, X]``; 1 beyond the part that is registered.
        is_agreed: Where labels from before and from after the frame are the same,
            ``[Z, Y, X]``.
    """

    frame: int
    labels: NDArray[np.int8]
    likeness: NDArray[np.float32]
    is_agreed: NDArray[np.bool_]


@dataclass(frozen=True)
class FramePath:
    """From a frame with labels to one without, in steps of ``STRIDE`` frames at most.

    Args:
        frames: From the first to the last, through which it leads.
        length: Number of frames from one end to the other, around the cycle if need be.
    """

    frames: tuple[int, ...]
    length: int

    @property
    def links(self) -> list[Link]:
        """Pairs of frames to be registered."""
        return list(zip(self.frames[:-1], self.frames[1:], strict=True))


def carry(
    image: Voxels,
    sources: Mapping[int, NDArray[np.int8]],
    targets: Sequence[int],
    spacing: tuple[float, float, float],
) -> Iterator[Carried]:
    """Bring the labels of some frames to others of the same cine, which is a cycle.

    Each target gets the labels of the nearest source before it and after it, the nearer one
    weighing more.

    Args:
        image: ``[M, T, Z, Y, X]``; motion is looked for in the mean of the modalities.
        sources: Labels ``[Z, Y, X]`` by frame; at least one.
        targets: Frames, in the order in which they are to be had.
        spacing: In mm, ordered ``(z, y, x)``.
    """
    paths = {target: _paths(target, sorted(sources), image.shape[1]) for target in targets}
    window = _window(sources.values(), spacing)
    links = sorted({link for pair in paths.values() for path in pair for link in path.links})
    motion = _Motion(image, window, links, spacing) if window else None
    for target in targets:
        nearest = min(paths[target], key=lambda path: path.length)
        found = _still(target, sources[nearest.frames[0]])
        yield motion.moved(found, paths[target], sources) if motion else found


def _paths(target: int, sources: Sequence[int], frames: int) -> tuple[FramePath, FramePath]:
    """From the nearest source before and from the nearest after."""
    before = min(sources, key=lambda source: (target - source) % frames)
    after = min(sources, key=lambda source: (source - target) % frames)
    return _path(before, (target - before) % frames, 1, frames), _path(
        after, (after - target) % frames, -1, frames
    )


def _path(source: int, length: int, direction: int, frames: int) -> FramePath:
    passed = [*range(0, length, STRIDE), length]
    return FramePath(tuple((source + direction * n) % frames for n in passed), length)


def _window(
    labels: Iterable[NDArray[np.int8]], spacing: tuple[float, float, float]
) -> Window | None:
    """Rows and columns around all that is labelled; None where nothing is."""
    seen = np.any([(one > BACKGROUND).any(axis=0) for one in labels], axis=0)
    if not seen.any():
        return None
    ends = []
    for axis, mm in enumerate(spacing[1:]):
        found = np.flatnonzero(seen.any(axis=1 - axis))
        margin = round(MARGIN_MM / mm)
        ends.append(slice(max(0, int(found[0]) - margin), int(found[-1]) + 1 + margin))
    return ends[0], ends[1]


def _still(frame: int, labels: NDArray[np.int8]) -> Carried:
    """As if nothing moved."""
    likeness = np.ones(labels.shape, np.float32)
    return Carried(frame, labels.copy(), likeness, np.ones(labels.shape, np.bool_))


class _Motion:
    """Displacements within a window between frames of a cine.

    Args:
        image: ``[M, T, Z, Y, X]``.
        window: Rows and columns to look at.
        links: Pairs of frames, from and to.
        spacing: In mm, ordered ``(z, y, x)``.
    """

    def __init__(
        self,
        image: Voxels,
        window: Window,
        links: Sequence[Link],
        spacing: tuple[float, float, float],
    ) -> None:
        self.window = window
        frames = sorted({frame for link in links for frame in link})
        self.images = {frame: _standardised(image, frame, window) for frame in frames}
        self.displacements: dict[Link, Tensor] = {}
        for start in range(0, len(links), LINKS_AT_ONCE):
            some = links[start : start + LINKS_AT_ONCE]
            moving, fixed = (
                torch.cat([self.images[link[end]] for link in some]) for end in (0, 1)
            )
            found = _displacements(moving, fixed, spacing)
            self.displacements.update(zip(some, found.chunk(len(some)), strict=True))

    def moved(
        self, still: Carried, paths: Sequence[FramePath], sources: Mapping[int, NDArray[np.int8]]
    ) -> Carried:
        """What comes along the paths to a frame; beyond the window nothing moves."""
        here = (slice(None), *self.window)
        lowest = min(int(labels.min()) for labels in sources.values())
        count = max(int(labels.max()) for labels in sources.values()) - lowest + 1
        shares, likenesses = [], []
        for path in paths:
            displacement = self._along(path)
            labels = torch.from_numpy(sources[path.frames[0]][here].astype(np.int64) - lowest)
            one_hot = F.one_hot(labels, count).movedim(-1, 1).to(torch.float32)
            shares.append(warp(one_hot, displacement))
            brought = warp(self.images[path.frames[0]], displacement)
            likenesses.append(local_correlation(brought, self.images[still.frame])[:, 0])
        before, after = (1 / path.length for path in paths)
        weight = before / (before + after)
        mixed = weight * shares[0] + (1 - weight) * shares[1]
        likeness = weight * likenesses[0] + (1 - weight) * likenesses[1]
        still.labels[here] = (mixed.argmax(dim=1) + lowest).numpy()
        still.likeness[here] = likeness.numpy()
        still.is_agreed[here] = (shares[0].argmax(dim=1) == shares[1].argmax(dim=1)).numpy()
        return still

    def _along(self, path: FramePath) -> Tensor:
        """The displacement from the last frame of a path into the first, ``[Z, 2, Y, X]``."""
        displacement, *rest = (self.displacements[link] for link in path.links)
        for step in rest:
            displacement = composed(step, displacement)
        return displacement


def _standardised(image: Voxels, frame: int, window: Window) -> Tensor:
    """Mean of the modalities in a window, ``[Z, 1, Y, X]``, of mean 0 and standard deviation 1."""
    cut = np.asarray(image[:, frame][..., window[0], window[1]], dtype=np.float32).mean(axis=0)
    deviation = cut.std(axis=(-2, -1), keepdims=True).clip(1e-6)
    return torch.from_numpy((cut - cut.mean(axis=(-2, -1), keepdims=True)) / deviation)[:, None]


def _displacements(moving: Tensor, fixed: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Found at ``RESOLUTION_MM``, or at the images' own where that is coarser; in their voxels."""
    full = moving.shape[-2:]
    rows, columns = (
        max(1, round(n * min(1.0, mm / RESOLUTION_MM)))
        for n, mm in zip(full, spacing[1:], strict=True)
    )
    size = rows, columns
    coarse = register_slices(
        F.adaptive_avg_pool2d(moving, size),
        F.adaptive_avg_pool2d(fixed, size),
        steps=STEPS,
        levels=LEVELS,
        smoothing=SMOOTHING,
    )
    found = F.interpolate(coarse, full, mode="bilinear", align_corners=False)
    ratios = [n / coarse_n for n, coarse_n in zip(full, size, strict=True)]
    return found * found.new_tensor(ratios).view(1, 2, 1, 1)
