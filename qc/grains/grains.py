"""How finely predictions are admitted: whole, or without the parts that are doubted.

A grain takes a prediction and what was judged of it, and gives pseudo-labels that are
``UNLABELLED`` where they are doubted. It holds one frame at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from qc.base import Quality
from qc.grains.doubts import (
    check_shapes,
    doubted_slices,
    estimated_frame_dice,
)
from qc.grains.labels import Doubt, Kept, PartialLabels, after_grain
from semiqc.measuring.means import means_of_known
from semiqc.schemes import BACKGROUND, LabelScheme, Structure
from semiqc.study import Prediction, Voxels
from semiqc.work.bounds import Share, check_bounds

__all__ = [
    "GRAINS",
    "FrameGrain",
    "Grain",
    "Kept",
    "PartialLabels",
    "SliceGrain",
    "StructureGrain",
    "StudyGrain",
    "VoxelGrain",
    "after_grain",
]

Mask = NDArray[np.bool_]

LIKELY = 0.5
"""Probability of an error above which a voxel is more likely wrong than right."""


@dataclass(frozen=True)
class Grain(ABC):
    """Hides what is doubted of a prediction.

    A grain is a dataclass. Bounds of its arguments are annotated (``semiqc.work.bounds``) and its
    docstring describes them: settings of a run take names, checks and descriptions from there.

    Args:
        scheme: Whose structures are judged.
    """

    of_run: ClassVar[tuple[str, ...]] = ("scheme",)
    """Arguments that no setting names."""

    hides: ClassVar[bool] = True
    """Whether it hides anything."""

    needs_slices: ClassVar[bool] = False
    """Whether it goes by the estimated Dice of slices, or by error maps, which imply it."""

    needs_voxels: ClassVar[bool] = False
    """Whether it goes by error maps, or by the uncertainty of several segmenters."""

    of_error_maps: ClassVar[tuple[str, ...]] = ()
    """Arguments that, where they are not None, need error maps."""

    scheme: LabelScheme

    def __post_init__(self) -> None:
        check_bounds(self)

    def needs_error_maps(self, prediction: Prediction, quality: Quality) -> bool:
        """Whether the error maps of this prediction should be found before it is called."""
        return self.needs_slices and not quality.slice_dice

    def __call__(self, prediction: Prediction, quality: Quality) -> PartialLabels:
        """The predicted labels without what is doubted.

        Args:
            prediction: Its voxels are read frame by frame, now and when labels are read.
            quality: Of the same prediction.

        Raises:
            ValueError: If the quality is of another study, or lacks what the grain goes by.
        """
        if quality.study != prediction.study:
            raise ValueError(f"{prediction.study}: the quality is of {quality.study}")
        return PartialLabels(prediction.labels, self._doubt(prediction, quality))

    @abstractmethod
    def _doubt(self, prediction: Prediction, quality: Quality) -> Doubt:
        """What to hide of each frame."""


@dataclass(frozen=True)
class StudyGrain(Grain):
    """Whole studies: nothing of what a gate admits is hidden."""

    hides: ClassVar[bool] = False

    def _doubt(self, prediction: Prediction, quality: Quality) -> Doubt:
        return lambda frame, labels: np.zeros(labels.shape, np.bool_)


@dataclass(frozen=True)
class _GrainByDice(Grain):
    needs_slices: ClassVar[bool] = True

    min_slice_dice: Share = 0.7


@dataclass(frozen=True)
class FrameGrain(_GrainByDice):
    """Hides frames with a low Dice, and those in which nothing is segmented.

    A frame's Dice is the mean over structures, and of a structure that over slices by their
    areas.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: Estimated Dice of a frame, slice or structure below which it is doubted.
    """

    def _doubt(self, prediction: Prediction, quality: Quality) -> Doubt:
        dice = estimated_frame_dice(prediction, quality, self.scheme)
        is_hidden = means_of_known(dice, axis=0, unknown=0.0) < self.min_slice_dice

        def doubt(frame: int, labels: NDArray[np.int8]) -> Mask:
            return np.full(labels.shape, is_hidden[frame] or not (labels > BACKGROUND).any())

        return doubt


@dataclass(frozen=True)
class SliceGrain(_GrainByDice):
    """Hides slices in which any structure has a low Dice, or was missed.

    A structure was missed where it is neither in a slice that lies between others with it, nor
    anywhere in a frame although it is in another.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: A lower Dice is doubted.
    """

    def _doubt(self, prediction: Prediction, quality: Quality) -> Doubt:
        doubted = doubted_slices(prediction, quality, self.scheme, self.min_slice_dice)

        def doubt(frame: int, labels: NDArray[np.int8]) -> Mask:
            is_hidden: Mask = np.logical_or.reduce(doubted[:, frame])
            return np.broadcast_to(is_hidden[:, None, None], labels.shape)

        return doubt


@dataclass(frozen=True)
class StructureGrain(_GrainByDice):
    """Hides structures, with what is around them, in slices with a low Dice or without them.

    Hidden are the structure's voxels, and those where it may really be: background, or what else
    a structure that encloses it is made of, near any slice's part of it in the frame, seen along
    the slices; all of these where the frame has none of it. So is whatever an error map, if there
    is one, says is more likely wrong than right about it. Other structures of the slice stay.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: A lower Dice is doubted.
        margin_mm: How far from a structure, within the slice, what is around is doubted with it.
    """

    margin_mm: Annotated[float, Ge(0)] = 8.0

    def _doubt(self, prediction: Prediction, quality: Quality) -> Doubt:
        doubted = doubted_slices(prediction, quality, self.scheme, self.min_slice_dice)
        check_shapes(prediction, quality)
        in_plane = prediction.spacing[1:]

        def doubt(frame: int, labels: NDArray[np.int8]) -> Mask:
            hidden = np.zeros(labels.shape, np.bool_)
            judged = zip(self.scheme.structures, doubted[:, frame], strict=True)
            for structure, of_slices in judged:
                if not of_slices.any():
                    continue
                inside = structure.mask(labels)
                near = _near(np.logical_or.reduce(inside), self.margin_mm, in_plane)
                unsure = inside | (near & np.isin(labels, self._around(structure)))
                if structure.name in quality.error_maps:
                    errors = quality.error_maps[structure.name][frame]
                    unsure |= np.asarray(errors) > LIKELY
                hidden |= unsure & of_slices[:, None, None]
            return hidden

        return doubt

    def _around(self, structure: Structure) -> list[int]:
        """Labels that a missed part of the structure has."""
        own = set(structure.values)
        wholes = [set(one.values) for one in self.scheme.structures if own < set(one.values)]
        return sorted({BACKGROUND}.union(*wholes) - own)


@dataclass(frozen=True)
class VoxelGrain(Grain):
    """Hides voxels that an error map doubts or on which segmenters are not at one.

    A voxel is doubted if any of what is at hand speaks against it.

    Args:
        scheme: Whose structures are judged.
        max_error: Probability of an error, in any structure, that is not yet doubted. Where it
            is None, error maps are looked for only if the prediction has no uncertainty, and
            voxels are doubted that are more likely wrong than right.
        max_disagreement: Share of the segmenters that may differ from the others: any of few; of
            50 samples two, for one among so many nearly always does. None lets all differ.
        max_entropy: Entropy, as a share of the largest possible, that is not yet doubted; None
            does not look at it.
    """

    needs_voxels: ClassVar[bool] = True
    of_error_maps: ClassVar[tuple[str, ...]] = ("max_error",)

    max_error: Share | None = None
    max_disagreement: Share | None = 0.05
    max_entropy: Share | None = None

    def needs_error_maps(self, prediction: Prediction, quality: Quality) -> bool:
        return prediction.uncertainty is None or self.max_error is not None

    def _doubt(self, prediction: Prediction, quality: Quality) -> Doubt:
        bounded = self._bounded(prediction, quality)
        if not bounded:
            raise ValueError(
                f"{prediction.study}: the grain of voxels needs error maps of the estimator or"
                " the segmenters' uncertainty that it has a bound for, and there is neither"
            )

        def doubt(frame: int, labels: NDArray[np.int8]) -> Mask:
            hidden = np.zeros(labels.shape, np.bool_)
            for voxels, bound in bounded:
                # NaN speaks for nothing, so it is doubted.
                hidden |= ~(np.asarray(voxels[frame]) <= bound)
            return hidden

        return doubt

    def _bounded(self, prediction: Prediction, quality: Quality) -> Sequence[tuple[Voxels, float]]:
        bounded: list[tuple[Voxels, float]] = []
        check_shapes(prediction, quality)
        max_error = LIKELY if self.max_error is None else self.max_error
        bounded += [(errors, max_error) for errors in quality.error_maps.values()]
        uncertainty = prediction.uncertainty
        if uncertainty and self.max_disagreement is not None:
            bounded.append((uncertainty.disagreement, self.max_disagreement))
        if uncertainty and self.max_entropy is not None:
            bounded.append((uncertainty.entropy, self.max_entropy))
        return bounded


def _near(mask: Mask, margin_mm: float, spacing: tuple[float, ...]) -> Mask:
    """Where an image ``[Y, X]`` is within a margin of a mask; everywhere if that is empty."""
    if not mask.any():
        return np.ones(mask.shape, np.bool_)
    near: Mask = distance_transform_edt(~mask, sampling=spacing) <= margin_mm
    return near


GRAINS: dict[str, type[Grain]] = {
    "study": StudyGrain,
    "frame": FrameGrain,
    "slice": SliceGrain,
    "structure": StructureGrain,
    "voxel": VoxelGrain,
}
"""Grains that settings may name; from the coarsest to the finest."""
