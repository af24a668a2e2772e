"""Weak and strong views of a batch, with one geometry."""

from dataclasses import replace

import torch
from torch import Tensor

from loops.online.sampler import TwoStreamBatch
from loops.online.slices import Slices
from segmenters.augmentation import labels_and_weights, move, recolour, with_weights
from segmenters.method import Setup
from segmenters.sampler import SliceBatch

CONTRAST = (0.5, 1.5)
BLUR = 2.0
"""Of the strong view: Yang et al., "Revisiting Weak-to-Strong Consistency in Semi-Supervised
Semantic Segmentation", CVPR 2023. https://doi.org/10.1109/CVPR52729.2023.00699"""


def weak(batch: TwoStreamBatch, setup: Setup, generator: torch.Generator) -> tuple[Slices, Slices]:
    """Labelled and unlabelled slices, moved in one call and not recoloured."""
    to_device = setup.fabric.to_device
    both = (batch.labelled, batch.unlabelled)
    images = to_device(torch.cat([part.images for part in both]))
    known = to_device(torch.cat([with_weights(part.labels, _weights(part)) for part in both]))
    augmentation = setup.training.augmentation
    if not augmentation.is_off:
        images, known = move(images, known, augmentation, generator, setup.mirror_axes)
    moved = Slices(images, *labels_and_weights(known))
    count = len(batch.labelled.images)
    return moved[:count], moved[count:]


def _weights(part: SliceBatch) -> Tensor:
    """Of the pixels, ``[B, Y, X]``; 1 where all count alike."""
    return torch.ones(part.labels.shape) if part.weights is None else part.weights


def usual(images: Tensor, setup: Setup, generator: torch.Generator) -> Tensor:
    """Images recoloured as in supervised training, ``[B, M, Y, X]``."""
    augmentation = setup.training.augmentation
    return images if augmentation.is_off else recolour(images, augmentation, generator)


def strong(images: Tensor, setup: Setup, jitter: float, generator: torch.Generator) -> Tensor:
    """Images recoloured strongly, ``[B, M, Y, X]``; no pixel is moved.

    Ours: contrast and blur have the ranges of UniMatch; to them come the other changes of
    intensity of the training, each with the same probability.

    Args:
        images: Of the weak view.
        setup: Of the training.
        jitter: Probability of each change, in [0, 1].
        generator: Of all that is drawn.
    """
    if not jitter:
        return images
    augmentation = replace(
        setup.training.augmentation, probability=jitter, contrast=CONTRAST, blur=BLUR
    )
    return recolour(images, augmentation, generator)
