"""Labels that a teacher gives to unlabelled slices."""

from dataclasses import replace

import torch
from torch import Tensor

from loops.online.components import largest_in_slices
from loops.online.slices import Slices
from segmenters.method import Setup
from semiqc.schemes import UNLABELLED


def pseudo_labelled(
    slices: Slices, probabilities: Tensor, *, confidence: float = 0.0, largest: bool = False
) -> Slices:
    """Slices with the most probable classes as labels.

    Args:
        slices: Where their labels are ``UNLABELLED``, the label bank having said so or the view
            reaching beyond the slice, they remain so.
        probabilities: Of the teacher, ``[B, C, Y, X]``.
        confidence: Probability that a class must have; pixels below it get a weight of 0.
        largest: Whether each structure keeps its largest component of each slice only.
    """
    sure, labels = probabilities.max(dim=1)
    if largest:
        labels = largest_in_slices(labels, probabilities.shape[1])
    labels = torch.where(slices.labels == UNLABELLED, UNLABELLED, labels)
    return replace(slices, labels=labels, weights=slices.weights * (sure >= confidence))


def soft_labelled(slices: Slices, probabilities: Tensor) -> Slices:
    """Slices with the probabilities as soft labels; what is ``UNLABELLED`` gets a weight of 0."""
    known = slices.labels != UNLABELLED
    return replace(slices, weights=slices.weights * known, probabilities=probabilities)


def need_average(setup: Setup, method: str) -> float:
    """Decay of the moving average, of which a method's teacher is made.

    Raises:
        ValueError: If the settings keep none.
    """
    if setup.training.ema is None:
        raise ValueError(f"{method} takes its labels from a moving average; set training.ema")
    return setup.training.ema


def check_shares(settings: object, *names: str) -> None:
    """Check that settings lie in [0, 1].

    Raises:
        ValueError: If one does not.
    """
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {getattr(settings, name)}")
