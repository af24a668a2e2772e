"""Who is told how a run goes on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Tick = Callable[[int, Mapping[str, float]], None]
"""Told how many steps are done, and figures to show beside the bar."""


PERCENT = 100
"""Steps of work whose parts are not counted."""


def percent_of(tick: Tick, done: int, total: int, title: str = "") -> None:
    """Tell the share that is done, in percent; the title is not shown."""
    tick(PERCENT * done // total, {})


class Monitor(Protocol):
    """Is told of stages, of long work within them, and of what the user should know."""

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

    def stage(self, name: str, found: bool) -> None:
        pass

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        yield lambda done, figures: None

    def note(self, message: str) -> None:
        pass


class Terminal:
    """Lines and progress bars with the time that is left.

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def stage(self, name: str, found: bool) -> None:
        said = "[dim]found[/]" if found else "[bold]stage[/]"
        self.console.print(f"{said} {escape(name)}", markup=True)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(title, total=total, figures="")

            def tick(done: int, figures: Mapping[str, float]) -> None:
                shown = "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
                bars.update(task, completed=done, figures=shown)

            yield tick

    def note(self, message: str) -> None:
        self.console.print(f"[yellow]note[/] {escape(message)}", highlight=False, markup=True)


class Lines(Silent):
    """A line for each stage that is made, as several processes can write to one terminal.

    Args:
        console: Where to write.
        name: Of the process, before each line.
    """

    def __init__(self, console: Console, name: str) -> None:
        self.console = console
        self.name = name

    def stage(self, name: str, found: bool) -> None:
        if not found:
            self.console.print(f"{self.name}: stage {name}", markup=False, highlight=False)
