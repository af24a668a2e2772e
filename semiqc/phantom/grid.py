"""Where the voxels of a short-axis stack lie in a heart."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.tissue import Image


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
