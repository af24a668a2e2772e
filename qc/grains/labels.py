"""Predicted labels of which some voxels are hidden."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.gates import Decision
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import Voxels

Hidden = Callable[[int, NDArray[np.int8]], NDArray[np.bool_]]
"""Number of a frame and its labels in, which voxels to hide out; both ``[Z, Y, X]``."""


@dataclass(frozen=True)
class Kept:
    """How much of a prediction is left to learn from.

    Args:
        voxels: Share of all voxels, in [0, 1].
        foreground: Share of the voxels that are segmented; NaN where none is.
        frames: Frames that have a voxel left.
    """

    voxels: float
    foreground: float
    frames: tuple[int, ...]


class PartialLabels:
    """Labels that are ``UNLABELLED`` where they are hidden; read frame by frame, as in a file.

    Args:
        labels: Predicted, ``[T, Z, Y, X]``, in memory or in a file.
        hidden: Which voxels to hide; asked whenever a frame is read.
    """

    dtype = np.dtype(np.int8)
    ndim = 4

    def __init__(self, labels: Voxels, hidden: Hidden) -> None:
        self.labels = labels
        self.shape = tuple(labels.shape)
        self._hidden = hidden

    def __getitem__(self, key: Any) -> NDArray[np.int8]:  # noqa: ANN401
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            found = self._frame(range(self.shape[0])[first])
            return found[tuple(rest)] if rest else found
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        if not isinstance(first, slice):
            raise IndexError(f"frames are read by number or slice, got {first!r}")
        numbers = range(*first.indices(self.shape[0]))
        frames = np.empty((len(numbers), *self.shape[1:]), np.int8)
        for row, number in enumerate(numbers):
            frames[row] = self._frame(number)
        return frames[(slice(None), *rest)]

    def _frame(self, number: int) -> NDArray[np.int8]:
        labels = np.asarray(self.labels[number], dtype=np.int8)
        return np.where(self._hidden(number, labels), np.int8(UNLABELLED), labels)

    @property
    def labelled_frames(self) -> tuple[int, ...]:
        """Frames that have a voxel left, in order."""
        return self.kept.frames

    @cached_property
    def kept(self) -> Kept:
        """How much is left; every frame is read once for it."""
        whole = left = segmented = segmented_left = 0
        frames = []
        for number in range(self.shape[0]):
            labels = np.asarray(self.labels[number], dtype=np.int8)
            is_left = ~self._hidden(number, labels) & (labels != UNLABELLED)
            foreground = labels > BACKGROUND
            whole += labels.size
            left += int(is_left.sum())
            segmented += int(foreground.sum())
            segmented_left += int((foreground & is_left).sum())
            if is_left.any():
                frames.append(number)
        return Kept(
            left / whole if whole else 0.0,
            segmented_left / segmented if segmented else float("nan"),
            tuple(frames),
        )


def after_grain(decision: Decision, labels: PartialLabels) -> Decision:
    """The decision on a study once it is known how much of it is left to learn from.

    An admitted study of which no segmented voxel is left is refused, for only background
    could be learned from it; otherwise the reason tells what is left.
    """
    if not decision.admitted:
        return decision
    kept = labels.kept
    if not kept.frames:
        said = "refused, for no voxel is left"
    elif not kept.foreground > 0:
        said = "refused, for no segmented voxel is left"
    else:
        said = f"{kept.voxels:.1%} of voxels kept, {kept.foreground:.1%} of those segmented"
    return replace(
        decision,
        admitted=kept.foreground > 0,
        reason=f"{decision.reason}; {said}",
    )
