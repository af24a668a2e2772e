"""Losses over labelled voxels."""

import torch
from torch import Tensor

from semiqc.schemes import UNLABELLED


def dice_loss(
    logits: Tensor, labels: Tensor, weights: Tensor | None = None, *, background: bool = True
) -> Tensor:
    """One minus the soft Dice of each class over labelled pixels, mean over classes.

    Pooled over the batch, so that a slice without a class does not count as a failure. A class
    that the batch's labels lack is left out.

    Reference:
        Milletari et al., "V-Net", 3DV 2016. https://doi.org/10.1109/3DV.2016.79
        Ours: pooled over the batch, as nnU-Net's ``batch_dice`` does.

    Args:
        logits: ``[B, C, Y, X]``.
        labels: Class of each pixel or ``UNLABELLED``, ``[B, Y, X]`` int64.
        weights: How much each pixel counts, in [0, 1], ``[B, Y, X]``; None counts all alike.
        background: Whether the background is one of the classes; nnU-Net leaves it out.

    Returns:
        A scalar in [0, 1]; 0 where nothing is labelled.
    """
    counted = _counted(labels, weights).unsqueeze(1)
    target = torch.nn.functional.one_hot(labels.clamp(min=0), logits.shape[1]).movedim(-1, 1)
    probabilities = logits.softmax(dim=1)
    size = (target * counted).sum(dim=(0, 2, 3))
    overlap = (probabilities * target * counted).sum(dim=(0, 2, 3))
    total = (probabilities * counted).sum(dim=(0, 2, 3)) + size
    present = size > 0
    if not background:
        present[0] = False
    dice = 2 * overlap / total.clamp(min=1e-6)
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy averaged over labelled pixels.

    Args:
        logits: ``[B, C, Y, X]``.
        labels: Class of each pixel or ``UNLABELLED``, ``[B, Y, X]`` int64.
        weights: How much each pixel counts in the average, in [0, 1], ``[B, Y, X]``; None counts
            all alike.

    Returns:
        A scalar; 0 where nothing is labelled.
    """
    counted = _counted(labels, weights)
    of_pixels = torch.nn.functional.cross_entropy(
        logits, labels, ignore_index=UNLABELLED, reduction="none"
    )
    # PyTorch's own mean is NaN on a batch without any label.
    return (of_pixels * counted).sum() / counted.sum().clamp(min=1)


def squared_error(logits: Tensor, probabilities: Tensor, weights: Tensor) -> Tensor:
    """Squared difference of the softmax to probabilities, averaged over classes and pixels.

    Args:
        logits: ``[B, C, Y, X]``.
        probabilities: To come near to, likewise.
        weights: How much each pixel counts in the average, in [0, 1], ``[B, Y, X]``.

    Returns:
        A scalar; 0 where no pixel counts.
    """
    of_pixels = (logits.softmax(dim=1) - probabilities).square().mean(dim=1)
    return (of_pixels * weights).sum() / weights.sum().clamp(min=1)


def _counted(labels: Tensor, weights: Tensor | None) -> Tensor:
    known = (labels != UNLABELLED).float()
    return known if weights is None else known * weights
