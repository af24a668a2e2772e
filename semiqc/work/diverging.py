"""What to say of a training whose loss is no number any more."""

from collections.abc import Iterator
from contextlib import contextmanager

from semiqc.doors.regular import in_short


@contextmanager
def named_if_diverged(title: str, change: str) -> Iterator[None]:
    """Name a training that diverges.

    Args:
        title: Of the training.
        change: What the user may change, in words.

    Raises:
        FloatingPointError: If it diverged, with the title and what to change.
    """
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"training {title} diverged ({in_short(error)}); {change}") from (
            error
        )
