"""What a place promises that workers run in.

A worker is a Python program that reads one line from its input and ends when its input does. What
it makes stands in the run folder, so that an engine only begins workers and tells how they ended;
see ``semiqc.work.sharing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PROCESSES = "processes"
RAY = "ray"
ENGINES = (PROCESSES, RAY)
"""Names of places."""

MEMORY = 2 * 2**30
"""Bytes of memory that a worker may take, however many studies there are, beside those that
trainings on a GPU hold; it needs about half of them."""


@dataclass(frozen=True)
class Program:
    """What a worker runs.

    Args:
        module: Of Python, run as ``python -m``.
        arguments: Of the program.
        given: Line that it reads from its input.
        threads: That it computes with.
        said: File for what it writes on its output, where all machines see it.
    """

    module: str
    arguments: Sequence[str]
    given: str
    threads: int
    said: Path


class Begun(Protocol):
    """A worker that was begun."""

    def code(self) -> int | None:
        """Exit status, not 0 where it failed or was killed; None as long as it runs."""
        ...

    def end(self) -> None:
        """End it, if it still runs."""
        ...


class Engine(Protocol):
    """A place where workers run."""

    @property
    def slots(self) -> int:
        """Workers that can run at the same time: one a GPU, else one a core that has memory."""
        ...

    def threads(self, jobs: int) -> int:
        """Threads for each of so many workers."""
        ...

    def begin(self, program: Program) -> Begun:
        """Start a worker."""
        ...

    def close(self) -> None:
        """Leave the place; workers end."""
        ...
