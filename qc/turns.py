"""Which frames of a cine are judged, and what is said of those that lie between them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND, LabelScheme
from semiqc.study import Voxels

Array = NDArray[np.float64]

SHORTEST = 9
"""Frames of a cine; of fewer each is judged."""
JUMP = 0.1
"""Dice that two neighbouring frames lack of what neighbours in the cine usually have, for both to
be judged."""


@dataclass(frozen=True, eq=False)
class Course:
    """How a segmentation goes through the frames of a cine.

    Args:
        sizes: Voxels of each class in each slice, ``[T, Z, C]``.
        alike: Dice of all classes of each frame and the one before it, ``[T - 1]``.
    """

    sizes: NDArray[np.int64]
    alike: Array

    @classmethod
    def of(cls, labels: Voxels, classes: int) -> "Course":
        """Of labels ``[T, Z, Y, X]``, of which two frames at a time stand in memory."""
        sizes, alike = [], []
        before: NDArray[np.int8] | None = None
        for number in range(labels.shape[0]):
            here = np.asarray(labels[number])
            sizes.append(_sizes(here, classes))
            if before is not None:
                alike.append(_alike(before, here))
            before = here
        return cls(np.stack(sizes), np.array(alike))

    def present(self, scheme: LabelScheme) -> NDArray[np.bool_]:
        """In which slices something of each structure is segmented, ``[T, S, Z]``."""
        parts = [self.sizes[..., list(part.values)].any(axis=-1) for part in scheme.structures]
        return np.stack(parts, axis=1)

    def judged(self, every: int) -> NDArray[np.intp]:
        """Numbers of the frames that are judged, in order.

        Spread evenly from the first to the last; beside them those in which most and least is
        segmented, which are near ED and ES, and both of two neighbours that are less alike than
        neighbours of this cine are: what happens there nothing between would tell.

        Args:
            every: How far apart frames may be that are judged.
        """
        frames = len(self.sizes)
        if frames < SHORTEST:
            return np.arange(frames)
        even = np.linspace(0, frames - 1, -(-(frames - 1) // every) + 1).round().astype(np.intp)
        segmented = self.sizes[..., BACKGROUND + 1 :].sum(axis=(1, 2))
        jumps = np.flatnonzero(self.alike < np.median(self.alike) - JUMP)
        extremes = [segmented.argmin(), segmented.argmax()]
        return np.unique(np.concatenate([even, jumps, jumps + 1, extremes]))


def between(judged: NDArray[np.intp], said: Array, frames: int) -> Array:
    """What is said of every frame, ``[T, ...]``, on straight lines between the judged ones.

    Args:
        judged: Their numbers, ``[N]``, in order, the first and the last frame among them.
        said: Of each of them, ``[N, ...]``; where only one of two neighbours is known, it counts.
        frames: Of the cine.
    """
    if len(judged) == frames:
        return said
    found = np.zeros((frames, *said.shape[1:]), said.dtype)
    # Where all that is said is zero, as almost everywhere in maps, nothing else lies between.
    part = _filled(said)
    exact = said[part].astype(np.result_type(said, np.float32), copy=False)
    found[judged] = said
    for place, (first, last) in enumerate(pairwise(judged.tolist())):
        earlier, later = exact[place], exact[place + 1]
        either = np.where(np.isnan(earlier), later, earlier)
        change = np.where(np.isnan(later), 0, later - either)
        for number in range(first + 1, last):
            found[number][part] = either + (number - first) / (last - first) * change
    return found


def _filled(said: Array) -> tuple[Any, ...]:
    """What holds all of ``[N, ..., Y, X]`` that is not zero, of each ``[..., Y, X]``; an index."""
    if said.ndim < 3:
        return (...,)
    there = (said != 0).reshape(-1, *said.shape[-2:]).any(axis=0)
    edges = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    return (..., *(slice(one[0], one[-1] + 1) if len(one) else slice(0) for one in edges))


def _sizes(labels: NDArray[np.int8], classes: int) -> NDArray[np.int64]:
    """Voxels of each class in each slice of a frame, ``[Z, C]``."""
    planes = labels.reshape(len(labels), -1)
    return np.stack([np.bincount(one[one >= BACKGROUND], minlength=classes) for one in planes])


def _alike(before: NDArray[np.int8], here: NDArray[np.int8]) -> float:
    there = here > BACKGROUND
    both = 2 * np.count_nonzero(there & (here == before))
    total = np.count_nonzero(there) + np.count_nonzero(before > BACKGROUND)
    return both / total if total else 1.0
