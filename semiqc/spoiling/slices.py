"""Stacks whose slices are not what their number says: lost, doubled, shuffled, shifted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme
from semiqc.spoiling.base import Range, Spoiling, drawn
from semiqc.study import Study

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class LostSlices(Spoiling):
    """Slices were not archived; those left stand as if they were neighbours.

    Args:
        share: Of the slices, at least one of which is lost and one is left.
    """

    title: ClassVar[str] = "slices lost"
    fewest_slices: ClassVar[int] = 2

    share: Range = (0.25, 0.6)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        lost = _some(study.labels.shape[1], drawn(self.share, rng), rng)
        return _with_slices(study, [z for z in range(study.labels.shape[1]) if z not in lost])


@dataclass(frozen=True)
class DoubledSlices(Spoiling):
    """Slices stand in the stack twice, as where a scan was repeated or copied twice.

    Args:
        share: Of the slices, at least one of which is doubled.
    """

    title: ClassVar[str] = "slices doubled"
    fewest_slices: ClassVar[int] = 2

    share: Range = (0.3, 0.7)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        doubled = _some(study.labels.shape[1], drawn(self.share, rng), rng)
        order = [z for z in range(study.labels.shape[1]) for _ in range(1 + (z in doubled))]
        return _with_slices(study, order)


@dataclass(frozen=True)
class ShuffledSlices(Spoiling):
    """Slices stand in no order, as where they were sorted by the names of their files."""

    title: ClassVar[str] = "slices shuffled"
    fewest_slices: ClassVar[int] = 3

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        order = np.arange(study.labels.shape[1])
        # A stack that is merely turned round is still in order.
        while (np.abs(np.diff(order)) == 1).all():
            order = rng.permutation(order)
        return _with_slices(study, [int(z) for z in order])


@dataclass(frozen=True)
class ShiftedSlices(Spoiling):
    """Slices were measured in breath-holds of different depth.

    Each is shifted by whole pixels, alike in all frames. What comes in at the border is the
    image mirrored there, and background where the frame has labels.

    Args:
        sd_mm: Standard deviation of the shift along rows and along columns.
    """

    title: ClassVar[str] = "slices shifted in plane"
    fewest_slices: ClassVar[int] = 2

    sd_mm: Range = (8.0, 16.0)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        shifts_mm = drawn(self.sd_mm, rng) * rng.standard_normal((study.labels.shape[1], 2))
        shifts = np.rint(shifts_mm / np.array(study.spacing[1:])).astype(int)
        image, labels = np.array(study.image[:]), np.array(study.labels[:])
        for plane, (down, right) in enumerate(shifts.tolist()):
            image[:, :, plane] = _shifted(image[:, :, plane], down, right)
            labels[:, plane] = _shifted_labels(labels[:, plane], down, right)
        return replace(study, image=image, labels=labels)


def _some(count: int, share: float, rng: np.random.Generator) -> set[int]:
    """Some of ``count`` things: at least one of them, and not all."""
    chosen = int(np.clip(round(share * count), 1, count - 1))
    return {int(one) for one in rng.permutation(count)[:chosen]}


def _with_slices(study: Study, order: Sequence[int]) -> Study:
    """The study with these of its slices, in that order; where it lay is said of so many."""
    geometry = study.geometry
    if geometry is not None:
        geometry = replace(geometry, shape=(*geometry.shape[:2], len(order)))
    return replace(
        study,
        image=study.image[:][:, :, list(order)],
        labels=study.labels[:][:, list(order)],
        geometry=geometry,
    )


def _shifted(slices: NDArray[Scalar], down: int, right: int) -> NDArray[Scalar]:
    """``[..., Y, X]`` shifted by pixels; beyond the border it is mirrored."""
    rows = _mirrored(np.arange(slices.shape[-2]) - down, slices.shape[-2])
    columns = _mirrored(np.arange(slices.shape[-1]) - right, slices.shape[-1])
    return slices[..., rows[:, None], columns]


def _mirrored(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Indices of a line of pixels that goes to and fro, without its ends twice."""
    period = max(1, 2 * (length - 1))
    there = places % period
    return np.minimum(there, period - there)


def _shifted_labels(labels: NDArray[np.int8], down: int, right: int) -> NDArray[np.int8]:
    """``[T, Y, X]`` shifted by pixels; what comes in is background where a frame has labels."""
    height, width = labels.shape[1:]
    rows, columns = np.arange(height) - down, np.arange(width) - right
    outside = ((rows < 0) | (rows >= height))[:, None] | (columns < 0) | (columns >= width)
    found = _shifted(labels, down, right)
    for before, frame in zip(labels, found, strict=True):
        frame[outside] = BACKGROUND if (before != UNLABELLED).any() else UNLABELLED
    return found
