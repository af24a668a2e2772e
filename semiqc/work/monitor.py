"""Who is told how a run goes on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Tick = Callable[[int, Mapping[str, float]], None]
"""Told how many steps are done, and figures to show beside the bar."""


PERCENT = 100
"""Steps of work whose parts are not counted."""


def percent_of(tick: Tick, done: int, total: int, title: str = "") -> None:
    """Tell the share that is done, in percent; the title is not shown."""
    tick(PERCENT * done // total, {})


class Monitor(Protocol):
    """Is told of stages, of long work within them, and of what the user should know."""

    def plan(self, steps: Mapping[str, float]) -> None:
        """All that will be done: the seconds that each step may take, by its name."""
        ...

    def begin_step(self, name: str) -> None:
        """A step of the plan begins; it may be told more than once."""
        ...

    def end_step(self, name: str, is_made: bool | None = None) -> None:
        """A step is done.

        Args:
            name: Of the step.
            is_made: Whether there was anything left to do in it; by default, if a stage was made.
        """
        ...

    def stage(self, name: str, found: bool) -> None:
        """A stage begins, or was ``found`` finished."""
        ...

    def progress(self, title: str, total: int) -> AbstractContextManager[Tick]:
        """Work of so many steps begins; the block ends with it."""
        ...

    def note(self, message: str) -> None:
        """Something the user should know."""
        ...


class Silent:
    """Says nothing."""

    def plan(self, steps: Mapping[str, float]) -> None:
        pass

    def begin_step(self, name: str) -> None:
        pass

    def end_step(self, name: str, is_made: bool | None = None) -> None:
        pass

    def stage(self, name: str, found: bool) -> None:
        pass

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        yield lambda done, figures: None

    def note(self, message: str) -> None:
        pass


@contextmanager
def step(monitor: Monitor, name: str) -> Iterator[None]:
    """A step of the plan, which the block does; one that fails is not done."""
    monitor.begin_step(name)
    yield
    monitor.end_step(name)
