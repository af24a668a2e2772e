"""Which axis of an image its slices lie along, and turning a study so that they come first.

Everything that works on a study takes ``[Z, Y, X]`` at its word: resampling is in plane, volumes
are sums over slices. Most files have their slices along the third axis, but none must. Readers
give a study as it lies in its file; every command turns it here, and results are turned back when
they are written.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from semiqc.images.raw import RawStudy

Kind = TypeVar("Kind", bound=np.generic)

APART = 1.5
"""Times the larger of two spacings from which on the third is the distance of slices."""

ALIKE = 1.2
"""Times by which spacings in one plane differ at most."""

AS_IT_LIES = (0, 1, 2)


def slice_axis(spacing: tuple[float, float, float]) -> int:
    """Of the axes ``[Z, Y, X]`` that of the slices: the one with far wider steps than the others.

    0, the usual one, where no axis stands out so.
    """
    order = np.argsort(spacing)
    low, middle, high = (spacing[axis] for axis in order)
    stands_out = high >= APART * middle and middle <= ALIKE * low
    return int(order[2]) if stands_out else 0


def axes_of(spacing: tuple[float, float, float]) -> tuple[int, int, int]:
    """The order in which axes ``[Z, Y, X]`` of a file make up those of a study."""
    first = slice_axis(spacing)
    _, y, x = (first, *(axis for axis in AS_IT_LIES if axis != first))
    return first, y, x


def turned(raw: RawStudy) -> RawStudy:
    """A study with its slices first, and a note where they were not; the voxels are not copied."""
    axes = axes_of(raw.spacing)
    if axes == AS_IT_LIES:
        return raw
    z, y, x = (raw.spacing[axis] for axis in axes)
    # The affine's columns are ordered (x, y, z).
    columns = [2 - axis for axis in reversed(axes)]
    return replace(
        raw,
        image=raw.image.transpose(0, 1, *(2 + axis for axis in axes)),
        labels=raw.labels.transpose(0, *(1 + axis for axis in axes)),
        spacing=(z, y, x),
        affine=raw.affine[:, [*columns, 3]],
        axes=axes,
        warnings=(*raw.warnings, _note(axes)),
    )


def turned_back(frame: NDArray[Kind], recorded: Mapping[str, Any]) -> NDArray[Kind]:
    """A frame ``[Z, Y, X]`` of a turned study as it lies in its file.

    Args:
        frame: On the grid of the study's source.
        recorded: The geometry's ``to_source``.
    """
    axes = recorded.get("axes")
    return frame.transpose(np.argsort(axes)) if axes else frame


def _note(axes: tuple[int, int, int]) -> str:
    place = {1: "second", 2: "first"}[axes[0]]
    return f"slices lie along the {place} axis; turned, and results are turned back"
