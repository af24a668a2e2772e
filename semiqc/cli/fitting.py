"""Tables that fit a terminal.

Columns that say nothing are left out, and where there is no room for them those that say the same
in each row stand below. Words wrap, numbers don't. What is still too wide is parted into several
tables that begin with the same column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from semiqc.doors.regular import printable
from semiqc.pages.table import NOTHING

GAP = 2
"""Blanks between two columns."""

LONGEST_WORD = 30
"""Characters from which on a cell may be broken anywhere, as paths must be."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: Its heading.
        cells: One for each row.
        least: Width below which a number or a word would be broken.
        most: Width at which nothing wraps.
    """

    title: str
    cells: tuple[str, ...]

    @property
    def least(self) -> int:
        texts = (self.title,) if self.is_number else (self.title, *self.cells)
        words = [word for text in texts for word in text.split()]
        words += self.cells if self.is_number else ()
        return min(LONGEST_WORD, max(map(len, words), default=1))

    @property
    def most(self) -> int:
        return max(map(len, (self.title, *self.cells)))

    @property
    def is_empty(self) -> bool:
        """Whether there are rows, and none says anything."""
        return bool(self.cells) and not any(cell.strip() for cell in self.cells)

    @property
    def is_same(self) -> bool:
        """Whether several rows all say one thing."""
        return len(self.cells) > 1 and len(set(self.cells)) == 1

    @property
    def is_number(self) -> bool:
        """Whether every cell that says something is a number, which stands at the right."""
        said = [cell for cell in self.cells if cell.strip() and cell != NOTHING]
        return bool(said) and all(cell.lstrip("+-.").strip("%")[:1].isdigit() for cell in said)


def as_text(cell: object) -> str:
    """A cell as it is shown: real numbers with three decimals, nothing for None."""
    if cell is None:
        return ""
    return f"{cell:.3f}" if isinstance(cell, float) else printable(str(cell))


def fitted(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int
) -> list[RenderableType]:
    """Tables that are no wider than so many characters, unless one word is.

    Args:
        title: Above the first.
        columns: Headings.
        rows: Cells in the order of ``columns``.
        width: Of the terminal, in characters.
    """
    cells = [[as_text(cell) for cell in row] for row in rows]
    every = [Column(name, tuple(row[n] for row in cells)) for n, name in enumerate(columns)]
    told = [column for column in every if not column.is_empty] or every
    if not told:
        return [Text(printable(title))]
    same: list[Column] = []
    if _width(told) > width:
        same = [column for column in told[1:] if column.is_same]
        told = [column for column in told if column not in same]
    parts = _parted(told, width)
    tables = [_table(part, width) for part in parts]
    below = ", ".join(f"{one.title}: {one.cells[0]}" for one in same)
    return [Text(printable(title)), *tables, *([Text(below)] if same else [])]


def _parted(columns: list[Column], width: int) -> list[list[Column]]:
    """Columns of each table; the first stands in all of them."""
    first, *others = columns
    parts = [[first]]
    for column in others:
        part = [*parts[-1], column]
        if len(part) > 2 and _width(part) > width:
            parts.append([first, column])
        else:
            parts[-1] = part
    return parts


def _width(columns: Sequence[Column]) -> int:
    """Of a table whose columns are as narrow as they may be."""
    return sum(column.least + GAP for column in columns)


def _table(columns: Sequence[Column], width: int) -> Table:
    shown = Table(
        box=SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for column, wide in zip(columns, _widths(columns, width), strict=True):
        shown.add_column(
            Text(column.title),
            width=wide,
            overflow="fold",
            justify="right" if column.is_number else "left",
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """What each column gets: what it needs, and of the rest what it could use."""
    widths = [column.least for column in columns]
    rest = width - _width(columns)
    wanted = [column.most - column.least for column in columns]
    for number in sorted(range(len(columns)), key=wanted.__getitem__):
        left = sum(1 for one in wanted if one >= wanted[number])
        given = max(0, min(wanted[number], rest // max(1, left)))
        widths[number] += given
        rest -= given
    return widths
