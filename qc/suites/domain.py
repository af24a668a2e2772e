"""What a suite learned from, and where a study is unlike that."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from qc.base import Graded
from semiqc.doors.json_file import whole_number
from semiqc.images.resampling import acquired_mm
from semiqc.schemes import BACKGROUND
from semiqc.study import Prediction, Study

Range = tuple[float, float]

BEYOND = 0.25
"""Share by which a spacing or intensity may lie outside the range of the training."""
TURNED = 60.0
"""Degrees by which an axis may point elsewhere; the short axes of hearts differ by half of it."""
FACTOR = 2.0
"""By which pixels may be larger or smaller than the suite's where no more is known."""


@dataclass(frozen=True)
class TrainingDomain:
    """What a suite learned from, and so what it may be asked about.

    Args:
        modalities: Number of modalities.
        spacing_mm: In plane; images are resampled to it.
        slice_mm: Smallest and largest slice distance.
        brightness: Lowest and highest median of a frame's normalised intensities within the
            segmentation.
        names: Of the studies that the estimators learned from, which it must not be evaluated on.
        weighing: Of other studies, to which the weights of the estimators were fitted; likewise.
        subjects: Whose all of them are; likewise, whatever other studies of theirs are called.
        directions: Where the voxel axes of the images point, of all that came from files: unit
            vectors in RAS+ of the axes ``x``, ``y`` and ``z``, one behind the other.
        segmentations: Number of graded frames.
        sources: How many of them came from each source.
        acquired_mm: Smallest and largest in-plane spacing in which the studies were acquired; None
            where that is not known.
        slices: Smallest and largest number of slices; None where that is not known.
        nsd_tolerance_mm: Surface distance that the surface Dice forgave; None where not known.
    """

    modalities: int
    spacing_mm: float
    slice_mm: Range
    brightness: Range
    names: tuple[str, ...]
    segmentations: int
    sources: Mapping[str, int] = field(default_factory=dict)
    acquired_mm: Range | None = None
    subjects: tuple[str, ...] = ()
    weighing: tuple[str, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    slices: Range | None = None
    nsd_tolerance_mm: float | None = None

    @property
    def studies(self) -> int:
        """Number of studies that the estimators learned from."""
        return len(self.names)

    def weighed_by(self, studies: Iterable[Study]) -> Self:
        """The same with more studies that the weights of the estimators were fitted to."""
        found = list(studies)
        return replace(
            self,
            weighing=tuple(sorted({*self.weighing, *(one.name for one in found)})),
            subjects=tuple(sorted({*self.subjects, *(one.subject for one in found)})),
        )

    def learned_from(self, studies: Iterable[Study]) -> Self:
        """The same with more studies whose references an estimator learned."""
        found = list(studies)
        bright = [b for one in found if (b := brightness_of(_reference_of(one))) is not None]
        return replace(
            self,
            names=tuple(sorted({*self.names, *(one.name for one in found)})),
            subjects=tuple(sorted({*self.subjects, *(one.subject for one in found)})),
            slice_mm=_range_of([*self.slice_mm, *(one.spacing[0] for one in found)]),
            brightness=_range_of([*self.brightness, *bright]),
            acquired_mm=_range_of([*(self.acquired_mm or ()), *map(acquired_mm, found)]),
            directions=tuple(
                sorted({*self.directions, *(d for one in found if (d := directions_of(one)))})
            ),
            slices=_range_of([*(self.slices or ()), *(one.labels.shape[1] for one in found)]),
        )

    def has_seen(self, study: Study) -> bool:
        """Whether estimators or weights were fitted to the study or another of its subject."""
        known = {*self.names, *self.weighing}
        return study.name in known or study.subject in self.subjects

    @classmethod
    def of(
        cls,
        graded: Sequence[Graded],
        studies: Iterable[Study] = (),
        *,
        nsd_tolerance_mm: float | None = None,
    ) -> Self:
        """What graded predictions of one in-plane spacing and as many modalities tell.

        Args:
            graded: What estimators learn from.
            studies: Of which the predictions are; they know how they were acquired.
            nsd_tolerance_mm: Surface distance that their surface Dice forgave, where known.

        Raises:
            ValueError: If there are none.
        """
        if not graded:
            raise ValueError("a suite needs at least one graded prediction, got none")
        found = [one.prediction for one in graded]
        brightness = [b for p in found if (b := brightness_of(p)) is not None]
        studies = list(studies)
        return cls(
            modalities=found[0].image.shape[0],
            spacing_mm=float(np.median([np.mean(p.spacing[1:]) for p in found])),
            slice_mm=_range_of([p.spacing[0] for p in found]),
            brightness=_range_of(brightness) if brightness else (0.0, 1.0),
            names=tuple(sorted({p.study for p in found})),
            segmentations=len(found),
            sources=dict(Counter(one.source.partition("-")[0] for one in graded)),
            acquired_mm=_range_of([acquired_mm(one) for one in studies]) if studies else None,
            subjects=tuple(sorted({one.subject for one in graded if one.subject})),
            directions=tuple(sorted({d for one in studies if (d := directions_of(one))})),
            slices=_range_of([p.labels.shape[1] for p in found]),
            nsd_tolerance_mm=nsd_tolerance_mm,
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From what ``dataclasses.asdict`` gave, through JSON."""
        return cls(
            modalities=whole_number(stored["modalities"]),
            spacing_mm=float(stored["spacing_mm"]),
            slice_mm=_range(stored["slice_mm"]),
            brightness=_range(stored["brightness"]),
            names=tuple(str(name) for name in stored["names"]),
            segmentations=whole_number(stored["segmentations"]),
            sources={str(name): whole_number(count) for name, count in stored["sources"].items()},
            acquired_mm=_range(acquired) if (acquired := stored.get("acquired_mm")) else None,
            subjects=tuple(str(subject) for subject in stored.get("subjects", ())),
            weighing=tuple(str(name) for name in stored.get("weighing", ())),
            directions=tuple(tuple(map(float, of)) for of in stored.get("directions", ())),
            slices=_range(slices) if (slices := stored.get("slices")) else None,
            nsd_tolerance_mm=stored.get("nsd_tolerance_mm"),
        )

    def oddities(self, prediction: Prediction, study: Study) -> Iterator[str]:
        """Where a prediction is unlike what was learned from, in words.

        Args:
            prediction: As the estimators see it.
            study: Whose it is; it knows how it was acquired.
        """
        angle = self._turned(directions_of(study))
        if angle > TURNED:
            yield (
                f"voxel axes point {angle:.0f} degrees away from where those point that the suite"
                " learned from: if image and segmentation lie turned or mirrored, lay both as"
                " those lay, or do not believe what is said"
            )
        yield from self._odd_size(prediction)
        yield from self._odd_spacing(prediction.spacing[0], acquired_mm(study))
        yield from self._odd_brightness(brightness_of(prediction))
        empty = empty_frames(prediction)
        if 0 < empty < prediction.frames:
            yield (
                f"nothing is segmented in {empty} of {prediction.frames} frames, which count as"
                " missed: leave them out if they were not to be segmented"
            )

    def _odd_spacing(self, slice_mm: float, pixel_mm: float) -> Iterator[str]:
        """Slice distance, and pixel size before resampling, unlike those of the training.

        Where it is not known how the training was acquired, pixels may be half to twice the
        suite's.
        """
        if _is_outside(slice_mm, self.slice_mm):
            yield f"slices {slice_mm:.3g} mm apart, the suite learned from {_words(self.slice_mm)}"
        if self.acquired_mm is None:
            if not 1 / FACTOR <= pixel_mm / self.spacing_mm <= FACTOR:
                yield f"pixels of {pixel_mm:.3g} mm, the suite sees {self.spacing_mm:.3g} mm"
        elif _is_outside(pixel_mm, self.acquired_mm):
            learned = _words(self.acquired_mm)
            yield f"pixels of {pixel_mm:.3g} mm, the suite learned from {learned}"

    def _turned(self, directions: tuple[float, ...]) -> float:
        """By how many degrees an axis points elsewhere than in the study that is most alike."""
        if not directions or not self.directions:
            return 0.0
        known = np.reshape(self.directions, (-1, 3, 3))
        cosines = (known * np.reshape(directions, (3, 3))).sum(axis=2).min(axis=1)
        return float(np.degrees(np.arccos(np.clip(cosines.max(), -1, 1))))

    def _odd_size(self, prediction: Prediction) -> Iterator[str]:
        """Far more or fewer slices than learned from, and modalities of constant intensity."""
        depth = prediction.labels.shape[1]
        if self.slices and not self.slices[0] / FACTOR <= depth <= self.slices[1] * FACTOR:
            low, high = self.slices
            yield f"{depth} slices, the suite learned from {low:.0f} to {high:.0f}"
        flat = [n for n in range(prediction.image.shape[0]) if not _varies(prediction, n)]
        if flat:
            numbers = ", ".join(str(number) for number in flat)
            yield f"modality {numbers} of 0 to {self.modalities - 1} is missing"

    def _odd_brightness(self, brightness: float | None) -> Iterator[str]:
        """A median intensity within the segmentation beyond the range of the training.

        ``brightness`` is None where nothing is segmented, which is told instead.
        """
        low, high = self.brightness
        margin = BEYOND * max(high - low, 0.1)
        if brightness is None:
            yield "nothing is segmented"
        elif not low - margin <= brightness <= high + margin:
            yield (
                f"median intensity {brightness:.2f} in the segmentation, the suite learned from"
                f" {low:.2f} to {high:.2f}"
            )


def directions_of(study: Study) -> tuple[float, ...]:
    """Unit vectors of a study's voxel axes, see ``TrainingDomain``; empty if of no file."""
    if study.geometry is None or not study.geometry.source:
        return ()
    columns = np.asarray(study.geometry.affine)[:3, :3].T
    lengths = np.linalg.norm(columns, axis=1, keepdims=True)
    return tuple(np.round(columns / np.maximum(lengths, 1e-9), 3).ravel().tolist())


def empty_frames(prediction: Prediction) -> int:
    """How many frames have nothing segmented."""
    numbers = range(prediction.frames)
    return sum(not (np.asarray(prediction.labels[n]) > BACKGROUND).any() for n in numbers)


def _varies(prediction: Prediction, modality: int) -> bool:
    """Whether a modality has several values in one of the frames."""
    return any(
        np.ptp(np.asarray(prediction.image[modality, frame])) > 0
        for frame in range(prediction.frames)
    )


def brightness_of(prediction: Prediction) -> float | None:
    """Median normalised intensity in the segmentation of the first frame that has one."""
    for frame in range(prediction.frames):
        segmented = np.asarray(prediction.labels[frame]) > BACKGROUND
        if segmented.any():
            return float(np.median(np.asarray(prediction.image[0, frame])[segmented]))
    return None


def _reference_of(study: Study) -> Prediction:
    """A study's labels as if they were predicted."""
    labels = np.maximum(np.asarray(study.labels[:]), BACKGROUND)
    return Prediction(study.name, study.image, labels, study.spacing)


def _range_of(values: Sequence[float]) -> Range:
    return min(values), max(values)


def _range(stored: Sequence[Any]) -> Range:
    return float(stored[0]), float(stored[1])


def _is_outside(value: float, known: Range) -> bool:
    """Whether a value lies beyond a known range by more than the share ``BEYOND`` of its ends."""
    return not known[0] * (1 - BEYOND) <= value <= known[1] * (1 + BEYOND)


def _words(known: Range) -> str:
    return f"{known[0]:.3g} to {known[1]:.3g}"
