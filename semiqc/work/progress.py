"""The callback that is told how much of a piece of work is done."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with the number of parts done, and of all: after each part, the last time with both
equal. ``semiqc.work.monitor.Tick``, in contrast, is told figures of each step."""


def untold(done: int, total: int) -> None:
    """A ``Progress`` that nobody looks at."""
