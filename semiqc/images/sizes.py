"""Lengths and sizes that images of people and animals can have."""

from collections.abc import Sequence

from semiqc.doors.regular import UnusableError

SMALLEST_MM = 1e-3
"""Between two voxels: a micrometre, finer than any scanner of whole organs sees."""

LARGEST_MM = 1e3
"""Between two voxels: a metre, wider than any scanner's bore."""

WIDEST_MM = 3e3
"""Rows or columns together: a person with arms stretched out."""

FARTHEST_MM = 1e6
"""From the origin of the scanner's coordinates: beyond, voxels have no place of their own."""

MOST_VOXELS = 2**28
"""Of an image once it is resampled: 1 GiB of numbers."""

MOST_SLICES = 2**17
"""Of all frames of an image: chunks that a store's readers take, ``hdf5_file.MOST_CHUNKS``."""


def check_spacing(spacing: Sequence[float], called: str) -> None:
    """Refuse distances between voxels that no scanner has.

    Args:
        spacing: In mm.
        called: How the message names the image.

    Raises:
        UnusableError: With the limits, and what was found.
    """
    if not all(SMALLEST_MM <= mm <= LARGEST_MM for mm in spacing):
        found = ", ".join(f"{mm:.6g}" for mm in spacing)
        raise UnusableError(
            f"{called}: spacing must be positive mm from {SMALLEST_MM:g} to {LARGEST_MM:g},"
            f" got {found}; is the spacing in mm?"
        )
