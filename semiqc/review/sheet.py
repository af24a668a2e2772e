"""All frames and slices of a study as tiles of one compressed picture."""

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semiqc.study import Voxels

BLOCK = 8
"""Pixels of JPEG's blocks: a tile that begins with one does not smear into its neighbour."""

QUALITY = 90
MOST_PIXELS = 24_000_000
"""Of a sheet; browsers keep four bytes of each, and of three studies at a time."""

DARKEST, BRIGHTEST = 0.5, 99.5
"""Percentiles of the intensities between which grey goes; the page narrows it further."""


@dataclass(frozen=True)
class Sheet:
    """Where the tiles of a study stand; slice ``z`` of frame ``t`` is tile ``t * slices + z``.

    Args:
        frames: Of the study.
        slices: Of the study.
        height: Rows of a tile.
        width: Columns of a tile.
        step: Voxels from one pixel to the next: more than 1 where the study is too large.
    """

    frames: int
    slices: int
    height: int
    width: int
    step: int

    @classmethod
    def of(cls, shape: tuple[int, ...], most: int = MOST_PIXELS) -> "Sheet":
        """The sheet of a study of that shape, ``[..., T, Z, Y, X]``."""
        frames, slices, rows, columns = shape[-4:]
        step = 1
        while frames * slices * math.ceil(rows / step) * math.ceil(columns / step) > most:
            step += 1
        return cls(frames, slices, math.ceil(rows / step), math.ceil(columns / step), step)

    @property
    def pitch(self) -> tuple[int, int]:
        """Rows and columns from one tile to the next."""
        height, width = (BLOCK * math.ceil(n / BLOCK) for n in (self.height, self.width))
        return height, width

    @property
    def columns(self) -> int:
        """Tiles in a row of the sheet, which is about as wide as it is high."""
        height, width = self.pitch
        return max(1, round(math.sqrt(self.frames * self.slices * height / width)))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the sheet, in pixels."""
        rows = math.ceil(self.frames * self.slices / self.columns)
        return rows * self.pitch[0], self.columns * self.pitch[1]


def film(image: Voxels, modality: int) -> bytes:
    """A study's frames and slices as JPEG, as ``Sheet`` has them.

    Args:
        image: Intensities, ``[M, T, Z, Y, X]``.
        modality: Which of them.
    """
    sheet = Sheet.of(image.shape)
    voxels = np.stack(
        [
            np.asarray(image[modality, frame])[:, :: sheet.step, :: sheet.step]
            for frame in range(sheet.frames)
        ]
    )
    return _compressed(_tiled(_as_grey(voxels), sheet))


def heat_sheet(values: Voxels) -> bytes:
    """What lies over the image, ``[T, Z, Y, X]`` in [0, 1], likewise; NaN is 0."""
    sheet = Sheet.of(values.shape)
    grey = [
        np.nan_to_num(np.asarray(values[frame])[:, :: sheet.step, :: sheet.step])
        for frame in range(sheet.frames)
    ]
    return _compressed(_tiled((255 * np.clip(np.stack(grey), 0, 1)).astype(np.uint8), sheet))


def _as_grey(voxels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Intensities ``[T, Z, Y, X]`` as bytes; what is not finite is black."""
    known = voxels[:, :, ::2, ::2]
    known = known[np.isfinite(known)]
    low, high = np.percentile(known, (DARKEST, BRIGHTEST)) if known.size else (0.0, 1.0)
    scaled = (voxels - low) * (255 / max(high - low, 1e-6))
    return np.clip(np.nan_to_num(scaled, posinf=255), 0, 255).astype(np.uint8)


def _tiled(grey: NDArray[np.uint8], sheet: Sheet) -> NDArray[np.uint8]:
    """Tiles ``[T, Z, Y, X]`` beside and below one another; edges are drawn out to the pitch."""
    height, width = sheet.pitch
    tiles = grey.reshape(-1, sheet.height, sheet.width)
    rows = sheet.size[0] // height
    beyond = ((0, rows * sheet.columns - len(tiles)), (0, 0), (0, 0))
    outwards = ((0, 0), (0, height - sheet.height), (0, width - sheet.width))
    tiles = np.pad(np.pad(tiles, outwards, mode="edge"), beyond)
    placed = tiles.reshape(rows, sheet.columns, height, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(placed.reshape(sheet.size))


def _compressed(grey: NDArray[np.uint8]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(grey).save(written, format="JPEG", quality=QUALITY)
    return written.getvalue()
