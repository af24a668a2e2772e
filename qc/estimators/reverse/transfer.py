"""Carrying a segmentation over to references, and its Dice with theirs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qc.estimators.reverse.atlas import Atlas, Placed, labels_at
from qc.frames import Frame
from semiqc.measuring.masks import masks
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme

Array = NDArray[np.float64]


class PreparedImage(Protocol):
    """An image whose place among the references is known; its segmentation may be any."""

    @property
    def likeness(self) -> Array:
        """How like each reference the image is, ``[R]``."""
        ...

    def overlaps(self, frame: Frame) -> Array:
        """Dice of a segmentation of this image with each reference, ``[R, S]``.

        NaN where a structure is in neither, or the reference was not asked.
        """
        ...


class Transfer(Protocol):
    """How segmentations are carried over."""

    def prepare(self, frame: Frame, placed: Placed, allowed: NDArray[np.bool_]) -> PreparedImage:
        """What can be done before the segmentation is known.

        Args:
            frame: Its labels are not looked at.
            placed: How the references' space lies in it.
            allowed: References that may be asked, ``[R]``.
        """
        ...


@dataclass(frozen=True, eq=False)
class AtlasTransfer:
    """Places the image in the references' space, where the segmentation meets all of theirs.

    Args:
        atlas: The references.
        scheme: Of the labels.
    """

    atlas: Atlas
    scheme: LabelScheme

    def prepare(self, frame: Frame, placed: Placed, allowed: NDArray[np.bool_]) -> "PlacedImage":
        """See ``Transfer``."""
        return PlacedImage(self, placed, allowed)


@dataclass(frozen=True, eq=False)
class PlacedImage:
    """See ``AtlasTransfer``."""

    transfer: AtlasTransfer
    placed: Placed
    allowed: NDArray[np.bool_]

    @property
    def likeness(self) -> Array:
        """See ``PreparedImage``."""
        return self.placed.likeness

    def overlaps(self, frame: Frame) -> Array:
        """See ``PreparedImage``."""
        scheme = self.transfer.scheme
        carried = labels_at(frame.labels, frame.spacing, self.placed.points, BACKGROUND)
        beyond = lost(frame, self.placed.matrix, self.placed.shift, self.transfer.atlas, scheme)
        dice = dice_with(carried, beyond, self.transfer.atlas.deformed, scheme)
        dice[~self.allowed] = np.nan
        return dice


def lost(frame: Frame, matrix: Array, shift: Array, atlas: Atlas, scheme: LabelScheme) -> Array:
    """How much of each structure lies beside the space, in voxels of the space, ``[S]``.

    Slices that lie before its first or after its last say nothing.

    Args:
        frame: The segmentation.
        matrix: From mm in the space to mm in the frame, ``[3, 3]``.
        shift: Added to it, in mm, ``[3]``.
        atlas: The space.
        scheme: Of the labels.
    """
    halves = np.array(atlas.weights.shape) * atlas.spacing / 2
    inverse = np.linalg.inv(matrix)
    voxel = np.prod(frame.spacing) / np.prod(atlas.spacing) * abs(np.linalg.det(inverse))
    found = []
    for mask in masks(frame.labels, scheme):
        places = (np.argwhere(mask) - (np.array(mask.shape) - 1) / 2) * frame.spacing
        away = np.abs((places - shift) @ inverse.T) > halves
        found.append(voxel * np.count_nonzero(~away[:, 0] & away[:, 1:].any(axis=1)))
    return np.array(found)


def dice_with(
    carried: NDArray[np.int8], beyond: Array, references: NDArray[np.int8], scheme: LabelScheme
) -> Array:
    """Dice of one segmentation with many, over the voxels that each of them labels.

    Args:
        carried: ``[D, H, W]``.
        beyond: Voxels of each structure that are certainly wrong, ``[S]``.
        references: ``[R, D, H, W]``.
        scheme: Of the labels.

    Returns:
        ``[R, S]``; NaN where a structure is in neither.
    """
    flat = references.reshape(len(references), -1)
    known = (flat != UNLABELLED).astype(np.float32)
    columns = []
    for structure, wrong in zip(scheme.structures, beyond, strict=True):
        here = structure.mask(carried).ravel().astype(np.float32)
        there = structure.mask(flat).astype(np.float32)
        sizes = known @ here + there.sum(axis=1) + wrong
        columns.append(np.where(sizes > 0, 2 * (there @ here) / np.maximum(sizes, 1), np.nan))
    return np.stack(columns, axis=1).astype(np.float64)
