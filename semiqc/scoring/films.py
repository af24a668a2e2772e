"""Moving pictures of few studies, and small ones of many, for the page."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.pages.drawing import Picture
from semiqc.pages.mosaic import film_of, row_of, tile
from semiqc.schemes import LabelScheme
from semiqc.scoring.worst import WorstSlice

SIZE = 192
"""Pixels along the longer axis, about."""

DARKEST, BRIGHTEST = 1, 99
"""Percentiles of the intensities between which grey goes."""


@dataclass(frozen=True)
class Film:
    """A moving picture.

    Args:
        moving: All frames.
        still: The first of them, for who does not want motion.
    """

    moving: Picture
    still: str


def film_picture(study: str, shown: WorstSlice, scheme: LabelScheme) -> Film | None:
    """The slice through all frames with the segmentation's outlines; None where nothing moves."""
    if shown.film is None or shown.film_labels is None:
        return None
    grey = as_grey(shown.film)
    pairs = zip(grey, shown.film_labels, strict=True)
    frames = [tile(image, labels, scheme, size=SIZE) for image, labels in pairs]
    said = f"{study}: slice {shown.slice + 1} through all {len(frames)} frames."
    caption = f"slice {shown.slice + 1}, {len(frames)} frames"
    return Film(Picture(film_of(frames), said, caption), row_of(frames[:1]))


def small_picture(study: str, shown: WorstSlice, scheme: LabelScheme) -> Picture:
    """The slice with the segmentation's outlines, in few bytes."""
    [grey] = as_grey(shown.image[None])
    where = f"frame {shown.frame + 1}, slice {shown.slice + 1}"
    said = f"{study}: slice {shown.slice + 1} of frame {shown.frame + 1} with outlines."
    return Picture(row_of([tile(grey, shown.labels, scheme, size=SIZE)]), said, where)


def as_grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Intensities as bytes."""
    low, high = np.percentile(image, (DARKEST, BRIGHTEST))
    scaled = (image - low) * (255 / max(high - low, 1e-6))
    grey: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey
