"""Growth of a loss term's weight at the start of a training."""

import math


def ramp(iteration: int, steps: int, share: float) -> float:
    """Factor on a weight, from ``exp(-5)`` to 1: ``exp(-5 (1 - t / T)^2)``.

    Reference:
        Laine & Aila, "Temporal Ensembling for Semi-Supervised Learning", ICLR 2017.
        https://arxiv.org/abs/1610.02242
        Ours: ``T`` is a share of the training, whatever its length.

    Args:
        iteration: From 1.
        steps: Of the whole training.
        share: Of it, after which the factor is 1; with 0 it is 1 at once.
    """
    rest = max(0.0, 1.0 - iteration / (share * steps)) if share else 0.0
    return math.exp(-5.0 * rest**2)
