"""What to say of a training whose loss is no number any more."""

from collections.abc import Callable

from segmenters import NetworkSegmenter
from semiqc.doors.regular import in_short


def or_diverged(title: str, fit: Callable[[], NetworkSegmenter]) -> NetworkSegmenter:
    """What a training gives.

    Raises:
        FloatingPointError: If it diverged, with its title and what to change.
    """
    try:
        return fit()
    except FloatingPointError as error:
        raise FloatingPointError(
            f"training {title} diverged ({in_short(error)}); lower training.learning_rate or"
            " training.clip (online.learning_rate of an online loop), or set training.precision to"
            " 32-true"
        ) from error
