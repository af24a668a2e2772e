"""Predicted labels of which some voxels are hidden, or count less than others."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from qc.gates import Decision
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import Voxels

Number = TypeVar("Number", bound=np.generic)
Hidden = Callable[[int, NDArray[np.int8]], NDArray[np.bool_]]
"""Number of a frame and its labels in, which voxels to hide out; both ``[Z, Y, X]``."""
Weights = Callable[[int, NDArray[np.int8]], NDArray[np.float32]]
"""Likewise, how much each voxel counts in a training, in [0, 1], out."""


def nothing_hidden(frame: int, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """The ``Hidden`` of what leaves everything."""
    return np.zeros(labels.shape, np.bool_)


@dataclass(frozen=True)
class Kept:
    """How much of a prediction is left to learn from.

    Args:
        voxels: Share of all voxels, in [0, 1].
        foreground: Share of the voxels that are segmented; NaN where none is.
        frames: Frames that have a voxel left.
        weight: Mean weight of the segmented voxels that are left; 1 where all count alike.
    """

    voxels: float
    foreground: float
    frames: tuple[int, ...]
    weight: float = 1.0


class OfFrames(Generic[Number]):
    """Voxels that are worked out from labels, frame by frame, as if read from a file.

    Args:
        labels: Predicted, ``[T, Z, Y, X]``, in memory or in a file.
        of_frame: Number of a frame and its labels in, its voxels out; asked whenever it is read.
        dtype: Of these voxels.
    """

    ndim = 4

    def __init__(
        self,
        labels: Voxels,
        of_frame: Callable[[int, NDArray[np.int8]], NDArray[Number]],
        dtype: np.dtype[Number],
    ) -> None:
        self.labels = labels
        self.shape = tuple(labels.shape)
        self.dtype = dtype
        self._of_frame = of_frame

    def __getitem__(self, key: Any) -> NDArray[Number]:  # noqa: ANN401
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            found = self._frame(range(self.shape[0])[first])
            return found[tuple(rest)] if rest else found
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        if not isinstance(first, slice):
            raise IndexError(f"frames are read by number or slice, got {first!r}")
        numbers = range(*first.indices(self.shape[0]))
        frames = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for row, number in enumerate(numbers):
            frames[row] = self._frame(number)
        return frames[(slice(None), *rest)]

    def _frame(self, number: int) -> NDArray[Number]:
        return self._of_frame(number, np.asarray(self.labels[number], dtype=np.int8))


class PartialLabels(OfFrames[np.int8]):
    """Labels that are ``UNLABELLED`` where they are hidden.

    Args:
        labels: Predicted, ``[T, Z, Y, X]``, in memory or in a file.
        hidden: Which voxels to hide.
        weights: How much each voxel counts in a training; None where all count alike.
    """

    def __init__(self, labels: Voxels, hidden: Hidden, weights: Weights | None = None) -> None:
        def left(number: int, labels: NDArray[np.int8]) -> NDArray[np.int8]:
            return np.where(hidden(number, labels), np.int8(UNLABELLED), labels)

        super().__init__(labels, left, np.dtype(np.int8))
        self.weights = weights and OfFrames(labels, weights, np.dtype(np.float32))

    @property
    def labelled_frames(self) -> tuple[int, ...]:
        """Frames that have a voxel left, in order."""
        return self.kept.frames

    @cached_property
    def kept(self) -> Kept:
        """How much is left; every frame is read once for it."""
        whole = left = segmented = segmented_left = 0
        weight = 0.0
        frames = []
        for number in range(self.shape[0]):
            labels = np.asarray(self.labels[number], dtype=np.int8)
            is_left = self._frame(number) != UNLABELLED
            foreground = labels > BACKGROUND
            whole += labels.size
            left += int(is_left.sum())
            segmented += int(foreground.sum())
            segmented_left += int((foreground & is_left).sum())
            weight += self._weight(number, foreground & is_left)
            if is_left.any():
                frames.append(number)
        return Kept(
            left / whole if whole else 0.0,
            segmented_left / segmented if segmented else float("nan"),
            tuple(frames),
            weight / segmented_left if segmented_left else 1.0,
        )

    def _weight(self, number: int, mask: NDArray[np.bool_]) -> float:
        """Sum of the weights of some voxels of a frame."""
        return float(mask.sum() if self.weights is None else self.weights[number][mask].sum())


def after_grain(decision: Decision, kept: Kept) -> Decision:
    """The decision on a study once it is known how much of it is left to learn from.

    An admitted study of which no segmented voxel is left, or none that counts, is refused, for
    only background could be learned from it; otherwise the reason tells what is left.
    """
    if not decision.admitted:
        return decision
    if not kept.frames:
        said = "refused, for no voxel is left"
    elif not kept.foreground > 0:
        said = "refused, for no segmented voxel is left"
    elif not kept.weight > 0:
        said = "refused, for no segmented voxel counts"
    else:
        said = f"{kept.voxels:.1%} of voxels kept, {kept.foreground:.1%} of those segmented"
        said += f", of weight {kept.weight:.2f} on average" if kept.weight < 1 else ""
    return replace(
        decision,
        admitted=kept.foreground > 0 and kept.weight > 0,
        reason=f"{decision.reason}; {said}",
    )
