"""Loss terms of the students of online methods."""

from torch import Tensor

from loops.online.slices import Slices
from segmenters.losses import cross_entropy, dice_loss
from segmenters.method import Setup


def loss_terms(
    logits: Tensor, slices: Slices, setup: Setup, factor: float, prefix: str = ""
) -> dict[str, Tensor]:
    """Dice loss and cross-entropy over the pixels that count, by name.

    Both divide by the sum of the weights: where few pixels count, each teaches more.

    Args:
        logits: ``[B, C, Y, X]``.
        slices: With labels and weights.
        setup: Of the training.
        factor: On each term.
        prefix: Of the terms' names.
    """
    entropy = cross_entropy(logits, slices.labels, slices.weights)
    return {
        **dice_terms(logits, slices, setup, factor, prefix),
        f"{prefix}cross_entropy": factor * entropy,
    }


def dice_terms(
    logits: Tensor, slices: Slices, setup: Setup, factor: float, prefix: str = ""
) -> dict[str, Tensor]:
    """The Dice loss alone; see ``loss_terms``."""
    background = setup.training.dice_background
    loss = dice_loss(logits, slices.labels, slices.weights, background=background)
    return {f"{prefix}dice_loss": factor * loss}


def summed(*terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sum of terms of one name, by name."""
    total: dict[str, Tensor] = {}
    for some in terms:
        total |= {
            name: total[name] + term if name in total else term for name, term in some.items()
        }
    return total
