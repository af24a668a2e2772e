"""Where the voxels of a short-axis stack lie in a heart."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.draws import Distribution, Normal, Uniform
from semiqc.phantom.tissue import Image


@dataclass(frozen=True)
class Placement:
    """Where a stack lies around a heart.

    Args:
        first: Place of the first slice from the base at end-diastole, in slice distances.
        lean: Of the long axis against the slices, along ``x`` and ``y``, in mm per mm.
        right_mm: Of the axis from the image's centre.
        down_mm: Likewise.
    """

    first: Distribution
    lean: Distribution
    right_mm: Distribution
    down_mm: Distribution


# The RV lies to one side of the axis; the whole heart is what stands in the middle.
CENTRED = Placement(
    first=Uniform(-0.55, 0.35),
    lean=Normal(0, 0.06, -0.15, 0.15),
    right_mm=Normal(16, 7, -5, 36),
    down_mm=Normal(-4, 7, -22, 14),
)
"""A heart in the middle of the image, with its base in the first slice or near it."""


@dataclass(frozen=True, eq=False)
class ShortAxisGrid:
    """Where the voxels of a short-axis stack lie.

    Args:
        x: Of each pixel in mm from the heart's axis, towards the patient's left, ``[Y, X]``.
        y: Likewise, towards inferior.
        z: Of planes within each slice, from base to apex, ``[Z, P]`` mm.
        centre: Of the heart in each slice, ``[Z, 2]`` mm, ``(x, y)``.
        pixel_mm: In-plane spacing.
    """

    x: Image
    y: Image
    z: NDArray[np.float64]
    centre: NDArray[np.float64]
    pixel_mm: float

    def within(self, box: tuple[slice, slice]) -> "ShortAxisGrid":
        """The part of the grid in these rows and columns."""
        return replace(self, x=self.x[box], y=self.y[box])

    def thinnest(self) -> "ShortAxisGrid":
        """The same slices, each a single plane in its middle."""
        return replace(self, z=self.z.mean(axis=1, keepdims=True))
