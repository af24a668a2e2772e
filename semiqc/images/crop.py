"""The part of a frame that a network looks at: a box of fixed size around the segmentation."""

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND

Numbers = TypeVar("Numbers", bound=NDArray[Any])


@dataclass(frozen=True, eq=False)
class CropBox:
    """Where a crop lies in a frame.

    Args:
        slices: Slice of the frame that each slice of the crop shows, ``[Z']``; -1 where the crop
            reaches beyond the frame.
        start: First row and column; negative where the crop reaches beyond.
        size: Rows and columns of the crop.
    """

    slices: NDArray[np.intp]
    start: tuple[int, int]
    size: tuple[int, int]

    def cut(self, array: NDArray[np.generic], fill: float) -> NDArray[np.generic]:
        """The crop of ``[..., Z, Y, X]``: ``[..., Z', Y', X']``, ``fill`` beyond the frame."""
        shape = (*array.shape[:-3], len(self.slices), *self.size)
        crop = np.full(shape, fill, array.dtype)
        (here_y, there_y), (here_x, there_x) = self._overlap(array.shape)
        shown = self.slices >= 0
        found = array[..., self.slices[shown], there_y, there_x]
        crop[..., shown, here_y, here_x] = found
        return crop

    def put_back(
        self, crop: NDArray[np.generic], shape: tuple[int, int, int], fill: float
    ) -> NDArray[np.generic]:
        """``[..., Z', Y', X']`` in its place in a frame ``[Z, Y, X]``; ``fill`` all around.

        A slice of the frame that the crop left out gets what the nearest one has.
        """
        whole = np.full((*crop.shape[:-3], *shape), fill, crop.dtype)
        (here_y, there_y), (here_x, there_x) = self._overlap(shape)
        whole[..., there_y, there_x] = crop[..., self.nearest(shape[0]), here_y, here_x]
        return whole

    def within(self, array: Numbers) -> Numbers:
        """What of ``[..., Z, Y, X]`` lies in the box's rows and columns, a view; of all slices."""
        (_, rows), (_, columns) = self._overlap(array.shape)
        return cast(Numbers, array[..., rows, columns])

    def nearest(self, count: int) -> NDArray[np.intp]:
        """Slice of the crop that shows each of ``count`` slices of the frame, or its nearest."""
        shown = np.flatnonzero(self.slices >= 0)
        distance = np.abs(self.slices[shown][None] - np.arange(count)[:, None])
        nearest: NDArray[np.intp] = shown[distance.argmin(axis=1)]
        return nearest

    def _overlap(self, shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
        """Of rows and columns: where they lie in the crop, and where in the frame."""
        pairs = []
        for first, wanted, length in zip(self.start, self.size, shape[-2:], strict=True):
            low, high = max(0, -first), max(0, min(wanted, length - first))
            pairs.append((slice(low, high), slice(low + first, high + first)))
        return pairs


def share_of_dice(within: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    """What of the Dice within a box is left once what is segmented beyond it counts too.

    Nothing beyond is taken to be right, and the reference to be as large as what is segmented
    within: 2 p / (1 + p), where p is the share of the segmentation that is within.

    Args:
        within: Voxels of a structure in the box, of any shape.
        whole: Of the same everywhere.

    Returns:
        In [0, 1], of that shape; 0 where nothing is segmented.
    """
    share = within / np.maximum(whole, 1)
    of_dice: NDArray[np.float64] = 2 * share / (1 + share)
    return of_dice


def box_around(labels: NDArray[np.int8], size: tuple[int | None, int, int]) -> CropBox:
    """A box around the segmentation, or around the frame's centre where nothing is segmented.

    It is laid around the median voxel of all structures, which stray voxels do not move, and
    kept within the frame where the frame is large enough. Slices are shown from first to last:
    all, with empty ones after them where there are fewer than asked for; evenly left out where
    there are more.

    Args:
        labels: ``[Z, Y, X]``.
        size: Slices, rows and columns of the box; None for as many slices as there are.
    """
    wanted = labels.shape[0] if size[0] is None else size[0]
    found = np.nonzero(labels > BACKGROUND)
    start = []
    for axis in (1, 2):
        length, span = labels.shape[axis], int(size[axis] or 0)
        centre = float(np.median(found[axis])) if found[axis].size else (length - 1) / 2
        first = round(centre - (span - 1) / 2)
        spare = length - span
        start.append(int(np.clip(first, 0, spare)) if spare > 0 else spare // 2)
    return CropBox(_slices(labels.shape[0], wanted), (start[0], start[1]), (size[1], size[2]))


def _slices(count: int, wanted: int) -> NDArray[np.intp]:
    """Slices that a box of ``wanted`` shows of ``count``; -1 for an empty one."""
    if count <= wanted:
        slices = np.full(wanted, -1, np.intp)
        slices[:count] = np.arange(count)
        return slices
    return np.rint(np.linspace(0, count - 1, wanted)).astype(np.intp)
