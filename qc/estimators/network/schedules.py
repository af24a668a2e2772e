"""The course of the learning rate over a training."""

from collections.abc import Callable
from typing import Literal, get_args

Schedule = Literal["warmed", "exponential", "inverse", "constant"]

WARM_UP = 0.05
"""Share of the steps in which a warmed learning rate rises."""
EACH_EPOCH = 0.9
"""Factor of an exponential one after each epoch; Qiu et al., Medical Image Analysis 2025."""
LEAST = 1e-6
"""Below which it does not fall; likewise."""
DECAY = 0.005
"""Of an inverse one, as Keras has it: Robinson et al., MICCAI 2018."""


def rate_of(
    schedule: str, highest: float, steps: int, steps_of_epoch: int
) -> Callable[[int], float]:
    """Learning rate of each step, from 1.

    Args:
        schedule: ``warmed`` rises for ``WARM_UP`` of the steps and falls linearly;
            ``exponential`` falls to ``EACH_EPOCH`` after each epoch, to ``LEAST`` at last;
            ``inverse`` is divided by 1 + ``DECAY`` times the steps before; ``constant`` stays.
        highest: At its highest.
        steps: Of the whole training.
        steps_of_epoch: In which as many frames are seen as there are.

    Raises:
        ValueError: If there is no such schedule.
    """
    rates: dict[str, Callable[[int], float]] = {
        "warmed": lambda step: warmed_up(highest, step / steps),
        "exponential": lambda step: max(
            highest * EACH_EPOCH ** ((step - 1) // steps_of_epoch), min(LEAST, highest)
        ),
        "inverse": lambda step: highest / (1 + DECAY * (step - 1)),
        "constant": lambda step: highest,
    }
    if schedule not in rates:
        known = ", ".join(get_args(Schedule))
        raise ValueError(f"unknown schedule '{schedule}'; known: {known}")
    return rates[schedule]


def warmed_up(highest: float, done: float) -> float:
    """Learning rate after a share of the steps: it rises for ``WARM_UP``, and falls linearly."""
    return highest * min(1.0, done / WARM_UP) * (1 - 0.99 * done)
