"""How commands show what they do.

Everything goes to one Rich console, which leaves out colours and progress bars where the output
is no terminal. With ``--json`` the same is gathered into one document for standard output, and
the console writes to standard error. Errors are not printed here; see ``semiqc.cli.app.main``.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from semiqc.cli.fitting import as_text, fitted
from semiqc.doors.regular import printable

if TYPE_CHECKING:
    from semiqc.pages.table import Table as ReportTable
    from semiqc.work.terminal import Terminal

MOST_PRINTED = 200
"""Rows of a table; nobody reads more in a terminal."""

FIRST_REASONS = 2
"""Of those that a table lists for a study; the page and ``--verbose`` have all."""


class _Console(Console):
    """A console that a name or a cell of a file can give no orders."""

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401
        return super().render_str(printable(text), **how)


console = _Console(markup=False)
"""Without markup: names and paths may have brackets."""

warnings = _Console(markup=False, stderr=True)
"""For what must be seen although the command is to be quiet."""


@dataclass
class Document:
    """What a command said, as ``--json`` prints it.

    Args:
        facts: What was said of one thing each, by its name.
        tables: Rows by the table's name; each row has its cells by column.
        left_out: What was not used, and why.
        notes: What the user should know.
        next: Commands that may follow.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    left_out: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """The document, with the facts at its top."""
        gathered = {"left_out": self.left_out, "notes": self.notes, "next": self.next}
        told = {"tables": self.tables, **gathered}
        return json.dumps(self.facts | told, indent=2, default=str, ensure_ascii=False)


@dataclass
class Manner:
    """How a command speaks; of the process, as there is one command in it."""

    is_quiet: bool = False
    is_verbose: bool = False
    is_json: bool = False
    document: Document = field(default_factory=Document)


manner = Manner()


def speak(*, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
    """Begin to speak in a manner, with nothing said yet."""
    manner.is_quiet, manner.is_verbose, manner.is_json = quiet, verbose, as_json
    manner.document = Document()
    console.quiet = quiet
    console.stderr = as_json


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is told how much is done, and of how much.

    Yields:
        To be called with the number done and the number of all. The bar moves without an end until
        the first call, and is wiped when the block ends. Without a terminal, lines tell it.
    """
    with terminal().bar(title, 0) as bar:
        yield lambda done, total: bar.move(done, {}, total)


def terminal() -> "Terminal":
    """Who is told of stages and of long work, in the manner of the command."""
    from semiqc.work.terminal import Terminal

    return Terminal(console, is_verbose=manner.is_verbose, on_note=partial(note, is_logged=True))


def say(name: str, value: object, shown: str | None = None) -> None:
    """A line ``name: value``.

    Args:
        name: In lower case.
        value: As ``--json`` has it.
        shown: What the terminal shows instead.
    """
    manner.document.facts[name] = value
    said = as_text(value) if shown is None else shown
    # A path is copied whole, and a log has lines of any length.
    is_whole = isinstance(value, Path) or not console.is_terminal
    console.print(f"{name}: {said}", highlight=False, soft_wrap=is_whole)


def note(message: str, *, is_logged: bool = False) -> None:
    """Something the user should know, seen in quiet commands too.

    Args:
        message: One line.
        is_logged: Whether it stands among lines with the time, where there is no terminal.
    """
    manner.document.notes.append(message)
    at = time.strftime("%Y-%m-%d %H:%M:%S ") if is_logged and not console.is_terminal else ""
    _warn(f"{at}note: {message}")


def next_command(command: str, why: str = "") -> None:
    """What may be done next."""
    manner.document.next.append({"why": why, "command": command})
    console.print(f"next: {why}".rstrip() if why else "next:", highlight=False)
    console.print(f"  {command}", highlight=False, soft_wrap=True)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    name: str = "",
    listed: str = "",
) -> None:
    """A table with a title above it; of very many rows the first, and how many there are beside.

    Args:
        title: Printed even where there are no rows.
        columns: Headings.
        rows: Cells in the order of ``columns``; real numbers are shown with three decimals.
        name: In the document of ``--json``; the title where not given.
        listed: Column of reasons, of which only the first are shown, unless all are asked for.
    """
    keys = [column or f"column {n}" for n, column in enumerate(columns, 1)]
    if len(set(keys)) < len(keys):
        keys = [f"{key} {n}" if keys.count(key) > 1 else key for n, key in enumerate(keys, 1)]
    manner.document.tables[name or title] = [dict(zip(keys, row, strict=True)) for row in rows]
    shown = rows[:MOST_PRINTED]
    if listed and not manner.is_verbose:
        place = columns.index(listed)
        shown = [[*row[:place], _first_of(row[place]), *row[place + 1 :]] for row in shown]
    for part in fitted(title, columns, shown, console.width):
        console.print(part)
    if len(rows) > MOST_PRINTED:
        console.print(f"and {len(rows) - MOST_PRINTED} more", highlight=False)


def _first_of(reasons: str) -> str:
    """The first reasons of several, and how many there are beside."""
    found = reasons.split("; ")
    rest = len(found) - FIRST_REASONS
    return "; ".join([*found[:FIRST_REASONS], f"{rest} more"]) if rest > 0 else reasons


def print_left_out(refusals: Sequence[tuple[str, str]]) -> None:
    """A table of what was left out and why; nothing where all was used."""
    if not refusals:
        return
    manner.document.left_out += [{"what": what, "why": why} for what, why in refusals]
    if manner.is_quiet:
        for what, why in refusals:
            _warn(f"left out: {what}: {why}")
        return
    columns = ("what", "why")
    for part in fitted(
        f"left out {len(refusals)}", columns, refusals[:MOST_PRINTED], console.width
    ):
        console.print(part)
    if len(refusals) > MOST_PRINTED:
        console.print(f"and {len(refusals) - MOST_PRINTED} more", highlight=False)


def print_report_table(table: "ReportTable") -> None:
    """A table of a report, unless it is empty."""
    if table.body:
        print_table(table.title, table.header, table.body, name=table.name)


def _warn(line: str) -> None:
    (warnings if manner.is_quiet else console).print(line, highlight=False, soft_wrap=True)
