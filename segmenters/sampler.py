"""Batches of labelled slices, read one slice at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semiqc.images.prefetch import ahead
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import Study

Number = TypeVar("Number", bound=np.generic)

JITTER = 0.15
"""How far beside the structures' middle a crop is laid at most, as a share of the patch."""

DRAWS = 10
"""Times that a slice is drawn, at most, for one that has a label."""


@dataclass(frozen=True, eq=False)
class SliceBatch:
    """Slices of one size.

    Args:
        images: ``[B, M, Y, X]`` float32.
        labels: Class of each pixel or ``UNLABELLED``, ``[B, Y, X]`` int64.
        weights: How much each pixel counts, in [0, 1], ``[B, Y, X]`` float32; None where all
            count alike.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor | None = None


class Drawn(NamedTuple):
    """A slice, cut to the patch."""

    image: NDArray[np.float32]
    labels: NDArray[np.int8]
    weights: NDArray[np.float32]


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
        foreground: Share of the crops, where a slice is larger than the patch, that follow the
            structures: they are laid around the middle of those of the whole frame, up to
            ``JITTER`` of the patch beside it. All others lie anywhere.
        seed: Of all that is drawn.

    Raises:
        ValueError: If no study has a label.
    """

    studies: Sequence[Study]
    pseudo: Sequence[Study] = ()
    batch_size: int = 16
    patch: tuple[int, int] = (96, 96)
    pseudo_ratio: float = 0.5
    foreground: float = 0.9
    seed: int = 0
    _middles: dict[tuple[int, int], tuple[float, float] | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _frames: dict[int, tuple[int, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("studies", "pseudo"):
            # Looking for labelled frames reads all labels: once is enough.
            self._frames.update((id(s), s.labelled_frames) for s in getattr(self, name))
            labelled = [study for study in getattr(self, name) if self._frames[id(study)]]
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
        weights = None
        if self._has_weights:
            weights = torch.from_numpy(np.stack([one.weights for one in drawn]))
        return SliceBatch(
            torch.from_numpy(np.stack([one.image for one in drawn])),
            torch.from_numpy(np.stack([one.labels for one in drawn])).long(),
            weights,
        )

    @property
    def _has_weights(self) -> bool:
        """Whether the pixels of any study count differently."""
        return any(study.voxel_weights is not None for study in (*self.studies, *self.pseudo))

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

    def _draw(self, studies: Sequence[Study], rng: np.random.Generator) -> Drawn:
        for _ in range(DRAWS):
            study = weighted_choice(studies, rng)
            frames = self._frames[id(study)]
            frame = frames[int(rng.integers(len(frames)))]
            z = int(rng.integers(study.image.shape[2]))
            labels = study.labels[frame, z]
            if (labels != UNLABELLED).any():
                break
        start = self._corner(study, frame, rng)
        return Drawn(
            fit_patch(study.image[:, frame, z], start, self.patch, 0.0),
            fit_patch(labels, start, self.patch, UNLABELLED),
            fit_patch(_weights_of(study, frame, z), start, self.patch, 0.0),
        )

    def _corner(self, study: Study, frame: int, rng: np.random.Generator) -> tuple[int, int]:
        """First row and column of the patch; negative where the slice is smaller."""
        spare = [n - wanted for n, wanted in zip(study.image.shape[-2:], self.patch, strict=True)]
        at_random = [int(rng.integers(s + 1)) if s > 0 else s // 2 for s in spare]
        is_around = rng.random() < self.foreground
        beside = JITTER * (2 * rng.random(2) - 1)
        middle = self._middle(study, frame) if is_around and max(spare) > 0 else None
        if middle is None:
            return at_random[0], at_random[1]
        rows, columns = (
            int(np.clip(round(m + (b - 0.5) * wanted), 0, s)) if s > 0 else s // 2
            for m, b, wanted, s in zip(middle, beside, self.patch, spare, strict=True)
        )
        return rows, columns

    def _middle(self, study: Study, frame: int) -> tuple[float, float] | None:
        """Median row and column of the structures of a frame; None where it has none."""
        key = (id(study), frame)
        if key not in self._middles:
            _, rows, columns = np.nonzero(study.labels[frame] > BACKGROUND)
            found = (float(np.median(rows)), float(np.median(columns))) if len(rows) else None
            self._middles[key] = found
        return self._middles[key]


def _weights_of(study: Study, frame: int, z: int) -> NDArray[np.float32]:
    """Of the pixels of a slice, ``[Y, X]``; 1 where all count alike."""
    if study.voxel_weights is None:
        return np.ones(study.image.shape[-2:], np.float32)
    return np.asarray(study.voxel_weights[frame, z], np.float32)


def weighted_choice(studies: Sequence[Study], rng: np.random.Generator) -> Study:
    """One of the studies, drawn as often as its weight says."""
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
