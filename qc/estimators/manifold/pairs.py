"""Slices of the region of interest, as the manifold's autoencoder sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from qc.estimators.manifold.network import Pairs
from qc.frames import GradedFrame
from semiqc.images.crop import CropBox, box_around
from semiqc.measuring.means import mean_of_known
from semiqc.schemes import UNLABELLED, LabelScheme

PERCENTILES = (1.0, 99.0)
"""Of the region's intensities in a frame, which become 0 and 1."""


@dataclass(frozen=True, eq=False)
class Region:
    """The region of interest of a frame, in all its slices.

    Args:
        box: Where it lies.
        images: In [0, 1], ``[Z, M, Y, X]`` float16.
        labels: Classes; ``UNLABELLED`` where nobody annotated and beyond the frame,
            ``[Z, Y, X]`` int8.
    """

    box: CropBox
    images: NDArray[np.float16]
    labels: NDArray[np.int8]

    def put_back(self, inside: NDArray[np.int8], outside: NDArray[np.int8]) -> NDArray[np.int8]:
        """Labels of the region in their place in those of the frame, ``[Z, Y, X]`` all."""
        slices, rows, columns = outside.shape
        placed = self.box.put_back(inside, (slices, rows, columns), UNLABELLED)
        return np.where(placed == UNLABELLED, outside, placed).astype(np.int8)


def region_of(
    image: NDArray[np.float32], labels: NDArray[np.int8], size: tuple[int, int]
) -> Region:
    """The region around the segmentation.

    Args:
        image: ``[M, Z, Y, X]``.
        labels: Of the frame, ``[Z, Y, X]``.
        size: Rows and columns of the region.
    """
    box = box_around(labels, (None, *size))
    known = box.cut(np.ones(labels.shape, bool), False)
    found = np.nan_to_num(box.cut(image, 0)).astype(np.float32)
    low, high = np.percentile(found[:, known], PERCENTILES, axis=1).reshape(2, -1, 1, 1, 1)
    scaled = np.clip((found - low) / np.maximum(high - low, 1e-6), 0, 1) * known
    return Region(
        box,
        scaled.swapaxes(0, 1).astype(np.float16),
        box.cut(labels, UNLABELLED).astype(np.int8),
    )


def good_regions(
    frames: Sequence[GradedFrame],
    scheme: LabelScheme,
    size: tuple[int, int],
    min_dice: float | None,
) -> list[Region]:
    """Regions of each reference once, and of predictions whose mean Dice is ``min_dice``."""
    found, seen = [], set()
    for frame in frames:
        reference = frame.reference()
        key = (frame.study, frame.number, blake2b(reference.tobytes()).digest())
        if key not in seen:
            seen.add(key)
            found.append(region_of(frame.frame().image, reference, size))
        if min_dice is not None and mean_of_known(frame.dice(scheme)) >= min_dice:
            whole = frame.frame()
            found.append(region_of(whole.image, whole.labels, size))
    return found


def pairs_of(regions: Sequence[Region]) -> Pairs:
    """All slices of some regions, one after the other."""
    return Pairs(
        torch.from_numpy(np.concatenate([region.images for region in regions])),
        torch.from_numpy(np.concatenate([region.labels for region in regions])),
    )
