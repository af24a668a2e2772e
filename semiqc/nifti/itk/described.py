"""What the header of a MetaImage or NRRD file says, in words that both have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.images.sizes import FARTHEST_MM

MOST_AXES = 8
"""Of a file; further ones than 4 are refused, but in words that tell the shape."""

HIDDEN_AT_END = -1
"""In place of the bytes before the voxels: they are the end of the file."""


@dataclass(frozen=True, eq=False)
class Described:
    """Voxels in a file, and where they lie.

    Args:
        size: Of each axis of the array, the fastest first.
        spacing: In mm, of each axis but that of ``parts_axis``.
        origin: Of the first voxel, in mm towards left, posterior and superior.
        direction: Columns of length 1 along the axes, likewise.
        dtype: Of the voxels as they are stored, with their byte order.
        parts_axis: The axis along which one voxel has several values, such as frames or colours;
            None where it has one.
        packed: Whether the voxels are deflated.
        beside: Name of another file with the voxels; empty where they follow the header.
        offset: Bytes before the voxels, or ``HIDDEN_AT_END``.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    parts_axis: int | None
    packed: bool
    beside: str
    offset: int

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes of the axes in space and time."""
        return tuple(n for axis, n in enumerate(self.size) if axis != self.parts_axis)

    @property
    def parts(self) -> int:
        """Values of a voxel."""
        return 1 if self.parts_axis is None else self.size[self.parts_axis]


def checked_size(numbers: Sequence[int], axes: int) -> tuple[int, ...]:
    """Sizes of so many axes.

    Raises:
        ValueError: If they are not as many, or not positive.
    """
    if not 1 <= axes <= MOST_AXES or len(numbers) != axes or min(numbers) < 1:
        raise ValueError(f"expected the sizes of {axes} axes, got {list(numbers)[:MOST_AXES]}")
    return tuple(numbers)


def integers(text: str) -> list[int]:
    """Whole numbers parted by spaces."""
    return [int(word) for word in text.split()]


def floats(text: str, count: int) -> tuple[float, ...]:
    """So many numbers parted by spaces.

    Raises:
        ValueError: If they are not as many.
    """
    numbers = tuple(float(word) for word in text.split())
    if len(numbers) != count:
        raise ValueError(f"expected {count} numbers, got {text[:80]!r}")
    return bounded(numbers)


def bounded(numbers: tuple[float, ...]) -> tuple[float, ...]:
    """The same numbers; one that is not known is NaN.

    Raises:
        ValueError: If one is larger than anything that lies in a scanner.
    """
    if any(abs(number) > FARTHEST_MM for number in numbers):
        raise ValueError(f"expected mm of {FARTHEST_MM:g} at most, got {numbers}")
    return numbers


def one_of(fields: Mapping[str, str], *names: str) -> str | None:
    """The first of these fields that a header has."""
    return next((fields[name] for name in names if name in fields), None)


def is_beside(name: str) -> bool:
    """Whether a name is that of a file in the same folder."""
    return bool(name) and Path(name).name == name
