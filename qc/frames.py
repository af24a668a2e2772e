"""Single frames of predictions, as estimators that look at images see them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded
from semiqc.images.frames import uncertainty_of_frame
from semiqc.measuring.masks import compared, frame_dice
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.measuring.multi_class import multi_class_dice, surface_agreement
from semiqc.measuring.surfaces import surface_dice
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Prediction, UncertaintyMaps, Voxels


@dataclass(frozen=True, eq=False)
class Frame:
    """One time frame of a prediction, in memory.

    Args:
        study: Name of the study.
        image: ``[M, Z, Y, X]`` float32.
        labels: Predicted class of each voxel, ``[Z, Y, X]`` int8.
        spacing: In mm, ordered ``(z, y, x)``.
        uncertainty: Of the segmenters, for this frame alone: T is 1; None where there is none.
        cine: What the image is a frame of, ``[M, T, Z, Y, X]``, to look at more than a frame;
            None where it stands alone.
    """

    study: str
    image: NDArray[np.float32]
    labels: NDArray[np.int8]
    spacing: tuple[float, float, float]
    uncertainty: UncertaintyMaps | None = None
    cine: Voxels | None = None


@dataclass(frozen=True, eq=False)
class GradedFrame:
    """A frame whose quality is known; voxels are read when they are asked for.

    Args:
        graded: The prediction it is part of.
        number: Which of its frames.
    """

    graded: Graded
    number: int

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.graded.prediction.study

    @property
    def whose(self) -> str:
        """The subject, or the study's name."""
        return self.graded.whose

    def frame(self) -> Frame:
        """What an estimator may see."""
        return frame_of(self.graded.prediction, self.number)

    def reference(self) -> NDArray[np.int8]:
        """Class of each voxel or ``UNLABELLED``, ``[Z, Y, X]``.

        Raises:
            ValueError: If there is none.
        """
        if self.graded.reference is None:
            raise ValueError(
                f"{self.study}: graded without a reference, which this estimator learns from"
            )
        return np.asarray(self.graded.reference[self.number])

    def dice(self, scheme: LabelScheme) -> NDArray[np.float64]:
        """Dice of each structure, ``[S]``; NaN where it is in neither."""
        if self.graded.dice is not None:
            return np.asarray(self.graded.dice[self.number])
        return frame_dice(*compared(self.frame().labels, self.reference(), scheme))

    def nsd(self, scheme: LabelScheme) -> NDArray[np.float64]:
        """Normalised surface Dice of each structure, ``[S]``; NaN where it is unknown."""
        if self.graded.nsd is not None:
            return np.asarray(self.graded.nsd[self.number])
        if self.graded.reference is None:
            return np.full(len(scheme.structures), np.nan)
        frame = self.frame()
        pair = compared(frame.labels, self.reference(), scheme)
        return surface_dice(*pair, frame.spacing, NSD_TOLERANCE_MM)

    def all_classes(self, scheme: LabelScheme, *, with_nsd: bool) -> NDArray[np.float64]:
        """Dice and surface Dice of all classes at once, ``[2]``; NaN where one is unknown.

        Args:
            scheme: Of the labels.
            with_nsd: Whether to work out the surface Dice, which takes long; NaN where not.
        """
        one, (dice, nsd) = self.graded, (np.nan, np.nan)
        if one.multi_class_dice is not None:
            dice = float(one.multi_class_dice[self.number])
        elif one.reference is not None:
            dice = multi_class_dice(self.frame().labels, self.reference())
        if with_nsd and one.multi_class_nsd is not None:
            nsd = float(one.multi_class_nsd[self.number])
        elif with_nsd and one.reference is not None:
            frame = self.frame()
            given = frame.labels, self.reference(), scheme, frame.spacing, NSD_TOLERANCE_MM
            nsd = surface_agreement(*given)[1]
        return np.array([dice, nsd])


def frame_of(prediction: Prediction, number: int) -> Frame:
    """One frame of a prediction, read; its uncertainty maps are read as they are indexed."""
    uncertainty = prediction.uncertainty
    return Frame(
        prediction.study,
        np.asarray(prediction.image[:, number], dtype=np.float32),
        np.asarray(prediction.labels[number], dtype=np.int8),
        prediction.spacing,
        None if uncertainty is None else uncertainty_of_frame(uncertainty, number),
        prediction.image,
    )


def graded_frames(graded: Sequence[Graded]) -> list[GradedFrame]:
    """The frames of graded predictions that have a reference, or whose Dice is known.

    Raises:
        ValueError: If there is none.
    """
    if not len(graded):
        raise ValueError("fit needs at least one graded prediction, got none")
    found = [GradedFrame(one, number) for one in graded for number in frames_to_learn_from(one)]
    if not found:
        raise ValueError(
            f"fit needs at least one frame with a reference or Dice, got none in {len(graded)}"
            " graded predictions"
        )
    return found


def frames_to_learn_from(graded: Graded) -> tuple[int, ...]:
    """Frames of a graded prediction that have a reference, or else whose Dice is known."""
    reference = graded.reference
    if reference is None:
        dice = np.empty((0, 0)) if graded.dice is None else graded.dice
        return tuple(np.flatnonzero(np.isfinite(dice).any(axis=1)).tolist())
    known: tuple[int, ...] | None = getattr(reference, "labelled_frames", None)
    if known is not None:
        return known
    return tuple(t for t in range(reference.shape[0]) if (reference[t] != UNLABELLED).any())


def by_image(frames: Sequence[GradedFrame]) -> list[list[int]]:
    """Numbers of the frames that segment the same image of the same study, in order."""
    found: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(frames):
        key = one.study, digest(one.frame().image)
        found.setdefault(key, []).append(number)
    return list(found.values())


def digest(voxels: NDArray[np.generic]) -> str:
    """What tells an array's content from others'."""
    return hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()
