"""Rows of slices, and films, as WebP images that stand in a page.

Voxels are enlarged as they are; outlines are drawn on the enlarged pixels, so that they are thin.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semiqc.pages.drawing import structure_colours
from semiqc.schemes import LabelScheme

TILE = 128
"""Pixels of a slice along either axis, about."""

QUALITY = 82
FRAME_MS = 70
WRONG = (255, 0, 200)
"""What tints voxels that are not as in the reference; none of the structures' colours."""

Pixels = NDArray[np.uint8]


def tile(
    image: NDArray[np.uint8],
    labels: NDArray[np.int8],
    scheme: LabelScheme,
    reference: NDArray[np.int8] | None = None,
    size: int = TILE,
) -> Pixels:
    """A slice with the outlines of its structures.

    Args:
        image: Grey values, ``[Y, X]``.
        labels: Class of each voxel, ``[Y, X]``.
        scheme: Whose structures are outlined, the first on top.
        reference: Where given, voxels of another class are tinted.
        size: Pixels along the longer axis, about.

    Returns:
        ``[Y, X, 3]``, enlarged by a whole number.
    """
    factor = max(1, round(size / max(image.shape)))
    grown = _grown(image, factor)
    pixels = np.repeat(grown[..., None], 3, axis=2).astype(np.float32)
    if reference is not None:
        wrong = _grown((labels != reference) & (reference >= 0), factor)
        pixels[wrong] = 0.55 * pixels[wrong] + 0.45 * np.array(WRONG)
    for name, colour in reversed(structure_colours(scheme).items()):
        mask = _grown(scheme.structure(name).mask(labels), factor)
        edge = _edge(mask)
        # Two pixels, so that the colour outlives the halved colour resolution of the format.
        pixels[edge | (_edge(mask & ~edge))] = _rgb(colour)
    return pixels.round().astype(np.uint8)


def tinted(
    image: NDArray[np.uint8], strength: NDArray[np.floating] | NDArray[np.bool_], size: int = TILE
) -> Pixels:
    """A slice whose voxels are tinted as far as ``strength`` says, such as an error map.

    Args:
        image: Grey values, ``[Y, X]``.
        strength: In [0, 1], ``[Y, X]``.
        size: Pixels along the longer axis, about.

    Returns:
        ``[Y, X, 3]``, enlarged by a whole number.
    """
    factor = max(1, round(size / max(image.shape)))
    share = 0.75 * _grown(np.clip(strength, 0, 1).astype(np.float32), factor)[..., None]
    grey = _grown(image, factor)[..., None].astype(np.float32)
    pixels: Pixels = ((1 - share) * grey + share * np.array(WRONG)).round().astype(np.uint8)
    return pixels


def row_of(tiles: Sequence[Pixels]) -> str:
    """Tiles of one size side by side, as a data URI."""
    height = tiles[0].shape[0]
    gap = np.zeros((height, 2, 3), dtype=np.uint8)
    parts = [part for one in tiles for part in (one, gap)][:-1]
    return _webp([np.concatenate(parts, axis=1)])


def film_of(frames: Sequence[Pixels]) -> str:
    """Frames of one size as a film that plays for ever, as a data URI."""
    return _webp(frames)


def _webp(frames: Sequence[Pixels]) -> str:
    drawn = io.BytesIO()
    first, *others = [Image.fromarray(frame) for frame in frames]
    moving = {"save_all": True, "append_images": others, "duration": FRAME_MS, "loop": 0}
    first.save(drawn, format="WEBP", quality=QUALITY, **(moving if others else {}))
    return f"data:image/webp;base64,{base64.b64encode(drawn.getvalue()).decode('ascii')}"


def _grown(values: NDArray[np.generic], factor: int) -> NDArray:  # type: ignore[type-arg]
    return values.repeat(factor, axis=0).repeat(factor, axis=1)


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask with a neighbour outside of it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))
