"""Losses over labelled voxels."""

import torch
from torch import Tensor

from semiqc.schemes import UNLABELLED


def dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """One minus the soft Dice of each class, background included, over labelled pixels.

    Pooled over the batch, so that a slice without a class does not count as a failure. A class
    that the batch's labels lack is left out.

    Reference:
        Milletari et al., "V-Net", 3DV 2016. https://doi.org/10.1109/3DV.2016.79
        Ours: pooled over the batch, as nnU-Net's ``batch_dice`` does.

    Args:
        logits: ``[B, C, Y, X]``.
        labels: Class of each pixel or ``UNLABELLED``, ``[B, Y, X]`` int64.

    Returns:
        A scalar in [0, 1]; 0 where nothing is labelled.
    """
    known = labels != UNLABELLED
    probabilities = logits.softmax(dim=1) * known.unsqueeze(1)
    target = torch.nn.functional.one_hot(labels.clamp(min=0), logits.shape[1])
    target = target.movedim(-1, 1).to(probabilities.dtype) * known.unsqueeze(1)
    overlap = (probabilities * target).sum(dim=(0, 2, 3))
    size = target.sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + size
    present = size > 0
    dice = 2 * overlap / total.clamp(min=1e-6)
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy averaged over labelled pixels.

    Args:
        logits: ``[B, C, Y, X]``.
        labels: Class of each pixel or ``UNLABELLED``, ``[B, Y, X]`` int64.

    Returns:
        A scalar; 0 where nothing is labelled.
    """
    total = torch.nn.functional.cross_entropy(
        logits, labels, ignore_index=UNLABELLED, reduction="sum"
    )
    # PyTorch's own mean is NaN on a batch without any label.
    return total / (labels != UNLABELLED).sum().clamp(min=1)
