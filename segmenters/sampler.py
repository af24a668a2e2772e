"""Batches of labelled slices, read one slice at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semiqc.images.prefetch import ahead
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import Study

Number = TypeVar("Number", bound=np.generic)

DRAWS = 10
"""Times that a slice is drawn, at most, for one that has a label."""


@dataclass(frozen=True, eq=False)
class SliceBatch:
    """Slices of one size.

    Args:
        images: ``[B, M, Y, X]`` float32.
        labels: Class of each pixel or ``UNLABELLED``, ``[B, Y, X]`` int64.
    """

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class SliceSampler:
    """Draws batches; the batch of a number is always the same.

    A study is drawn first, as often as its weight says, then one of its labelled frames, then a
    slice; a slice of which nothing is labelled is drawn anew, some times. What pseudo-labels of
    a weight below one are not drawn, experts' labels are.

    Args:
        studies: With expert labels; those without any are passed over.
        pseudo: With pseudo-labels, likewise.
        batch_size: Slices in a batch.
        patch: Rows and columns; slices are cropped or padded to them.
        pseudo_ratio: Share of the batches drawn from ``pseudo``, if there are any; times the mean
            of their weights.
        foreground: Share of the crops, where a slice is larger than the patch, that are laid
            around a voxel of a structure.
        seed: Of all that is drawn.

    Raises:
        ValueError: If no study has a label.
    """

    studies: Sequence[Study]
    pseudo: Sequence[Study] = ()
    batch_size: int = 16
    patch: tuple[int, int] = (96, 96)
    pseudo_ratio: float = 0.5
    foreground: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("studies", "pseudo"):
            labelled = [study for study in getattr(self, name) if study.labelled_frames]
            if name == "studies" and not labelled:
                total = len(self.studies)
                raise ValueError(f"fit needs a labelled frame, got none in {total} studies")
            object.__setattr__(self, name, labelled)

    def batch(self, number: int) -> SliceBatch:
        """The batch of that number."""
        rng = np.random.default_rng([self.seed, number])
        of_pseudo = self._of_pseudo(rng)
        drawn = [
            self._draw(self.pseudo if place < of_pseudo else self.studies, rng)
            for place in range(self.batch_size)
        ]
        images = np.stack([image for image, _ in drawn])
        labels = np.stack([labels for _, labels in drawn])
        return SliceBatch(torch.from_numpy(images), torch.from_numpy(labels).long())

    def batches(self, first: int, last: int) -> Iterator[SliceBatch]:
        """Batches of these numbers, the next ones read while the one given is used."""
        return ahead(self.batch(number) for number in range(first, last + 1))

    def _of_pseudo(self, rng: np.random.Generator) -> int:
        """How many of a batch; what is no whole number is met on average."""
        if not self.pseudo:
            return 0
        mean_weight = float(np.mean([study.weight for study in self.pseudo]))
        wanted = self.batch_size * min(1.0, self.pseudo_ratio * mean_weight)
        return int(wanted) + (wanted > int(wanted) and rng.random() < wanted - int(wanted))

    def _draw(
        self, studies: Sequence[Study], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        for _ in range(DRAWS):
            study = _weighted_choice(studies, rng)
            frames = study.labelled_frames
            frame = frames[int(rng.integers(len(frames)))]
            z = int(rng.integers(study.image.shape[2]))
            labels = study.labels[frame, z]
            if (labels != UNLABELLED).any():
                break
        image = study.image[:, frame, z]
        start = self._corner(labels, rng)
        return fit_patch(image, start, self.patch, 0.0), fit_patch(
            labels, start, self.patch, UNLABELLED
        )

    def _corner(self, labels: NDArray[np.int8], rng: np.random.Generator) -> tuple[int, int]:
        """First row and column of the patch; negative where the slice is smaller."""
        spare = [size - wanted for size, wanted in zip(labels.shape, self.patch, strict=True)]
        at_random = [int(rng.integers(s + 1)) if s > 0 else s // 2 for s in spare]
        around = rng.random() < self.foreground
        place = rng.random()
        if max(spare) <= 0 or not around:
            return at_random[0], at_random[1]
        structures = np.argwhere((labels != UNLABELLED) & (labels != BACKGROUND))
        if not len(structures):
            return at_random[0], at_random[1]
        voxel = structures[int(place * len(structures))]
        rows, columns = (
            int(np.clip(v - rng.integers(wanted), 0, s)) if s > 0 else s // 2
            for v, wanted, s in zip(voxel, self.patch, spare, strict=True)
        )
        return rows, columns


def _weighted_choice(studies: Sequence[Study], rng: np.random.Generator) -> Study:
    weights = np.array([study.weight for study in studies])
    if (weights == weights[0]).all():
        return studies[int(rng.integers(len(studies)))]
    return studies[int(rng.choice(len(studies), p=weights / weights.sum()))]


def fit_patch(
    array: NDArray[Number], start: tuple[int, int], patch: tuple[int, int], fill: float
) -> NDArray[Number]:
    """The patch of the last two axes that begins at ``start``, filled up where it sticks out."""
    fitted = np.full((*array.shape[:-2], *patch), fill, dtype=array.dtype)
    inside = [
        (max(0, -first), min(wanted, size - first))
        for first, wanted, size in zip(start, patch, array.shape[-2:], strict=True)
    ]
    (top, bottom), (left, right) = inside
    fitted[..., top:bottom, left:right] = array[
        ..., top + start[0] : bottom + start[0], left + start[1] : right + start[1]
    ]
    return fitted
