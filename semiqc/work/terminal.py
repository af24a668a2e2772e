"""How a run goes on, in a terminal or in a log."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from semiqc.work.monitor import Tick
from semiqc.work.plan import Plan, duration

EVERY = 60.0
"""Seconds between two lines on the same work, where there is no terminal."""

FIGURES = 3
"""Of a training, that a line has room for."""

FIRST_SHOWN = ("validation_dice", "validation_dice_ema", "loss")


class Bar(Protocol):
    """Is told how far some work is."""

    def move(self, done: int, figures: Mapping[str, float], total: int | None = None) -> None:
        """So much is done, of ``total`` if that is known only now."""
        ...


class Terminal:
    """Steps, stages and progress bars; where there is no terminal, lines with the time.

    Args:
        console: Where to write.
        is_verbose: Whether stages that were found are told, too.
        on_note: Told what the user should know, in place of the console.
        clock: Seconds since some moment.
    """

    def __init__(
        self,
        console: Console,
        *,
        is_verbose: bool = False,
        on_note: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console
        self.is_verbose = is_verbose
        self.on_note = on_note
        self.clock = clock
        self._plan: Plan | None = None
        self._is_made = False
        self._noted: set[str] = set()

    def plan(self, steps: Mapping[str, float]) -> None:
        self._plan = Plan(steps, self.clock)

    def begin_step(self, name: str) -> None:
        self._is_made = False
        if self._plan and self._plan.begin(name):
            left = duration(self._plan.seconds_left)
            place = self._plan.place(name)
            self._print(f"[bold]step {place}[/]: {escape(name)} (about {left} left)")

    def end_step(self, name: str, is_made: bool | None = None) -> None:
        if self._plan:
            self._plan.end(name, is_made=self._is_made if is_made is None else is_made)

    def stage(self, name: str, found: bool) -> None:
        self._is_made |= not found
        if not found or self.is_verbose:
            indent = "  " if self._plan else ""
            self._print(f"{indent}{'[dim]found[/]' if found else 'stage'} {escape(name)}")

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        with self.bar(title, total) as bar:
            yield bar.move

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Bar]:
        """Work of so many steps; of yet unknown many where ``total`` is 0."""
        if not self.console.is_terminal:
            yield _Log(self, title, total)
            return
        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            yield _Drawn(bars, bars.add_task(title, total=total or None, figures=""))

    def note(self, message: str) -> None:
        if message in self._noted:
            return
        self._noted.add(message)
        if self.on_note:
            self.on_note(message)
        else:
            self._print(f"[yellow]note[/] {escape(message)}")

    def _print(self, line: str) -> None:
        """A line; in a log it begins with the time."""
        if not self.console.is_terminal:
            line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}"
        self.console.print(line, highlight=False, markup=True, soft_wrap=True)

    def tell(self, line: str) -> None:
        """A line of a log, whatever characters are in it."""
        self._print(escape(line))


class _Drawn:
    """A bar of a terminal.

    Args:
        bars: All bars.
        task: This one.
    """

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self.bars = bars
        self.task = task
        self.figures: dict[str, float] = {}

    def move(self, done: int, figures: Mapping[str, float], total: int | None = None) -> None:
        self.figures |= figures
        self.bars.update(self.task, completed=done, figures=_shown(self.figures))
        if total is not None:
            self.bars.update(self.task, total=total)


class _Log:
    """Lines in place of a bar, the first when a minute has passed.

    Args:
        terminal: That writes them.
        title: Of the work.
        total: Of its steps; 0 if not yet known.
    """

    def __init__(self, terminal: Terminal, title: str, total: int) -> None:
        self.terminal = terminal
        self.title = title
        self.total = total
        self.figures: dict[str, float] = {}
        self._start = self._last = terminal.clock()

    def move(self, done: int, figures: Mapping[str, float], total: int | None = None) -> None:
        self.figures |= figures
        self.total = self.total if total is None else total
        now = self.terminal.clock()
        if now - self._last < EVERY or not done:
            return
        self._last = now
        left = (now - self._start) / done * max(0, self.total - done)
        said = f", {_shown(self.figures)}" if self.figures else ""
        until = f", about {duration(left)} left" if done < self.total else ""
        counted = f"{done} of {self.total}" if self.total else f"{done} done"
        self.terminal.tell(f"  {self.title}: {counted}{said}{until}")


def _shown(figures: Mapping[str, float]) -> str:
    """Those that fit beside a bar, of a training its validation Dice first."""
    names = sorted(figures, key=lambda name: name not in FIRST_SHOWN)[:FIGURES]
    return "  ".join(f"{name.replace('_', ' ')} {figures[name]:.3f}" for name in names)
