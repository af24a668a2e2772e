"""Batches of volumes, for networks that look at neighbouring slices together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from segmenters.augmentation import augment, labels_and_weights, with_weights
from segmenters.method import Setup, TrainingData, seeded
from segmenters.sampler import Drawn, SliceBatch, SliceSampler, fit_patch, weighted_choice
from segmenters.step import Supervised, SupervisedMethod
from semiqc.schemes import UNLABELLED
from semiqc.study import Study

DEPTH = 8
"""Neighbouring slices of a frame that make a volume in training."""


class VolumeMethod(SupervisedMethod):
    """Learns from labels, volume by volume; see ``segmenters.method.Method``."""

    def identity(self) -> Any:  # noqa: ANN401
        return f"supervised, {DEPTH} slices together"

    def sampler(self, data: TrainingData, setup: Setup) -> "VolumeSampler":
        training = setup.training
        return VolumeSampler(
            data.studies,
            data.pseudo,
            batch_size=max(1, training.batch_size // DEPTH),
            patch=setup.patch,
            pseudo_ratio=training.pseudo_ratio,
            foreground=training.foreground,
            seed=training.seed,
        )

    def step(self, setup: Setup) -> "OfVolumesStep":
        return OfVolumesStep(setup)


class VolumeSampler(SliceSampler):
    """Draws volumes as ``SliceSampler`` draws slices; ``batch_size`` counts volumes.

    The slices of a volume follow each other in a batch, ``[B * DEPTH, ...]``. A frame of fewer
    slices has empty ones before and after them, of which nothing is known.
    """

    def batch(self, number: int) -> SliceBatch:
        """The batch of that number."""
        drawn = super().batch(number)
        return SliceBatch(
            drawn.images.transpose(1, 2).flatten(0, 1).contiguous(),
            drawn.labels.flatten(0, 1),
            None if drawn.weights is None else drawn.weights.flatten(0, 1),
        )

    def _draw(self, studies: Sequence[Study], rng: np.random.Generator) -> Drawn:
        study = weighted_choice(studies, rng)
        frames = self._frames[id(study)]
        frame = frames[int(rng.integers(len(frames)))]
        spare = study.image.shape[2] - DEPTH
        first = int(rng.integers(spare + 1)) if spare > 0 else spare // 2
        corner = self._corner(study, frame, rng)
        weights = study.voxel_weights
        known = np.asarray(study.labels[frame])
        counted = np.ones(known.shape, np.float32) if weights is None else weights[frame]
        image = np.asarray(study.image[:, frame], dtype=np.float32)
        return Drawn(
            fit_patch(_neighbours(image, first, 0.0), corner, self.patch, 0.0),
            fit_patch(_neighbours(known, first, UNLABELLED), corner, self.patch, UNLABELLED),
            fit_patch(
                _neighbours(np.asarray(counted, np.float32), first, 0.0), corner, self.patch, 0.0
            ),
        )


def _neighbours(frame: NDArray[Any], first: int, fill: float) -> NDArray[Any]:
    """``DEPTH`` slices of ``[..., Z, Y, X]`` from the first on, filled up where there are none."""
    places = np.arange(first, first + DEPTH)
    is_there = (places >= 0) & (places < frame.shape[-3])
    found = np.full((*frame.shape[:-3], DEPTH, *frame.shape[-2:]), fill, frame.dtype)
    found[..., is_there, :, :] = frame[..., places[is_there], :, :]
    return found


class OfVolumesStep(Supervised):
    """Dice and cross-entropy over volumes whose slices are changed alike."""

    def _augmented(
        self, batch: SliceBatch, iteration: int
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        known = batch.labels.unsqueeze(1)
        if batch.weights is not None:
            known = with_weights(batch.labels, batch.weights)
        images, moved = augment(
            self.fabric.to_device(_together(batch.images)),
            self.fabric.to_device(_together(known)),
            self.training.augmentation,
            seeded(self.training.seed, iteration),
            self.mirror_axes,
        )
        images, moved = images.reshape(batch.images.shape), moved.reshape(known.shape)
        if batch.weights is None:
            return images, moved[:, 0], None
        return images, *labels_and_weights(moved)


def _together(slices: Tensor) -> Tensor:
    """Slices ``[B * DEPTH, K, Y, X]`` as planes of one image for each volume."""
    planes: Tensor = slices.unflatten(0, (-1, DEPTH)).flatten(1, 2)
    return planes
