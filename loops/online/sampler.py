"""Batches of labelled and unlabelled slices."""

from collections.abc import Iterator
from dataclasses import dataclass

from segmenters.method import Setup, TrainingData
from segmenters.sampler import SliceBatch, SliceSampler
from semiqc.images.prefetch import ahead

UNLABELLED_STREAM = 2**32
"""Added to the seed, so that the two streams draw independently."""


@dataclass(frozen=True, eq=False)
class TwoStreamBatch:
    """Slices of both streams.

    Args:
        labelled: With an expert's labels, or pseudo-labels that a gate admitted.
        unlabelled: With what the label bank says of them.
    """

    labelled: SliceBatch
    unlabelled: SliceBatch


@dataclass(frozen=True)
class TwoStreams:
    """Draws each batch from two streams; the batch of a number is always the same.

    Args:
        labelled: Draws the labelled slices.
        unlabelled: Draws the unlabelled ones, from the frames of which the label bank says
            something, as often as the studies' weights say; where a slice exceeds the patch, most
            crops are laid around a structure of the bank's.
    """

    labelled: SliceSampler
    unlabelled: SliceSampler

    def batch(self, number: int) -> TwoStreamBatch:
        """The batch of that number."""
        return TwoStreamBatch(self.labelled.batch(number), self.unlabelled.batch(number))

    def batches(self, first: int, last: int) -> Iterator[TwoStreamBatch]:
        """Batches of these numbers, the next ones read while the one given is used."""
        return ahead(self.batch(number) for number in range(first, last + 1))


def two_streams(data: TrainingData, setup: Setup, labelled: int, unlabelled: int) -> TwoStreams:
    """Streams of so many labelled and unlabelled slices a batch.

    Raises:
        ValueError: If a stream is empty.
    """
    if not any(study.labelled_frames for study in data.unlabelled):
        raise ValueError(
            f"nothing to learn from in {len(data.unlabelled)} unlabelled studies; give each the"
            " labels that a segmenter found, and UNLABELLED where it is not to be learned from"
        )
    if min(labelled, unlabelled) < 1:
        raise ValueError("batch_size must be at least 2, for labelled and unlabelled slices")
    training = setup.training
    return TwoStreams(
        SliceSampler(
            data.studies,
            data.pseudo,
            batch_size=labelled,
            patch=setup.patch,
            pseudo_ratio=training.pseudo_ratio,
            foreground=training.foreground,
            seed=training.seed,
        ),
        SliceSampler(
            data.unlabelled,
            batch_size=unlabelled,
            patch=setup.patch,
            foreground=training.foreground,
            seed=training.seed + UNLABELLED_STREAM,
        ),
    )


def halves(data: TrainingData, setup: Setup) -> TwoStreams:
    """Streams that share a batch, the odd slice being labelled; see ``two_streams``."""
    size = setup.training.batch_size
    return two_streams(data, setup, size - size // 2, size // 2)
