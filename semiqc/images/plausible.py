"""What cannot well be true of an image, as far as its header and shape tell.

Nothing is refused: a study may be odd and right. Limits are far outside of what is acquired of
people, so that who reads a note has reason to look.
"""

from collections.abc import Iterator

from semiqc.images.raw import RawStudy
from semiqc.schemes import BACKGROUND

PIXEL_MM = (0.1, 8.0)
"""In plane; microscopes are below, gamma cameras above."""

SLICE_MM = (0.3, 30.0)

FIELD_MM = (40.0, 1000.0)
"""Rows and columns together: the smallest heart does not fit, no scanner is wider."""

FULL = 32
"""Pixels from which on a field that is too small is no crop but a header in other units."""

OBLONG = 2.0
"""Times by which pixels may be longer than wide."""

FLAT = 4
"""Times by which an image of equal voxels is wider than thick, where it has slices."""


def oddities(raw: RawStudy) -> Iterator[str]:
    """What is implausible of a study whose slices come first, a line each."""
    (z, y, x), (depth, height, width) = raw.spacing, raw.image.shape[2:]
    if len(raw.form.get("dim", (1, 1, 1))) == 2:
        yield f"the file has two axes, so slice thickness is not known; {z:g} mm is taken"
    elif (z, y, x) == (1, 1, 1) and FLAT * depth <= min(height, width):
        yield (
            "voxels of exactly 1 x 1 x 1 mm, as where the voxel size was never filled in;"
            " lengths and volumes may be wrong"
        )
    if not PIXEL_MM[0] <= min(y, x) <= max(y, x) <= PIXEL_MM[1]:
        yield f"pixels of {y:.3g} x {x:.3g} mm; is the spacing in mm?"
    elif max(y, x) > OBLONG * min(y, x):
        yield f"pixels of {y:.3g} x {x:.3g} mm are far from square"
    if depth > 1 and not SLICE_MM[0] <= z <= SLICE_MM[1]:
        yield f"slices {z:.3g} mm apart; is the spacing in mm?"
    yield from _odd_labels(raw)
    yield from _odd_size((z * depth, y * height, x * width), (depth, height, width))


def _odd_size(mm: tuple[float, float, float], shape: tuple[int, int, int]) -> Iterator[str]:
    """A field of view that holds no heart or is wider than a scanner, and too many slices."""
    depth, height, width = shape
    is_whole = min(height, width) >= FULL
    if max(mm) > FIELD_MM[1] or (is_whole and max(mm[1:]) < FIELD_MM[0]):
        size = " x ".join(f"{one:.3g}" for one in mm)
        yield f"the image measures {size} mm (slices x rows x columns)"
    if depth > 2 * min(height, width):
        yield (
            f"{depth} slices of {height} x {width} pixels; do its slices lie along another axis?"
        )


def _odd_labels(raw: RawStudy) -> Iterator[str]:
    """Structures that somebody drew where there is nothing to be seen."""
    drawn = [t for t, labels in enumerate(raw.labels) if (labels > BACKGROUND).any()]
    flat = [t for t in drawn if all(frame.min() == frame.max() for frame in raw.image[:, t])]
    if flat:
        yield "a labelled frame whose image is the same everywhere; are labels beside their image?"
