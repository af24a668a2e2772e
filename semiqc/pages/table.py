"""A table that is data first: every digit to be kept, and how to show it."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semiqc.doors.csv_table import harmless
from semiqc.files.atomic import write_text

Cell = str | int | float

Row = Mapping[str, Cell]
"""Figures of one row by their name, unrounded."""

NOTHING = "–"  # noqa: RUF001
"""What stands where there is no number."""


@dataclass(frozen=True)
class Column:
    """How one column of a table is shown.

    Args:
        title: Of the column.
        show: The cell of a row, as text.
        is_number: Whether to align it as a number.
    """

    title: str
    show: Callable[[Row], str]
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of figures and how to show them.

    Args:
        name: Names its file.
        title: Of the table.
        rows: What ``csv_text`` keeps.
        columns: What is shown, fewer and rounded.
        note: How the figures came about, and how to read them.
        missing: Said in the table's place where it has no rows.
        section: Of the page; a table without a place of its own stands at its end.
    """

    name: str
    title: str
    rows: Sequence[Row]
    columns: Sequence[Column]
    note: str = ""
    missing: str = ""
    section: str = "segmentation"

    @property
    def header(self) -> list[str]:
        """Titles of the columns."""
        return [column.title for column in self.columns]

    @property
    def body(self) -> list[list[str]]:
        """The cells as they are shown."""
        return [[column.show(row) for column in self.columns] for row in self.rows]

    def write(self, folder: Path) -> None:
        """Write ``NAME.csv``, whole or not at all; a table without rows has no file."""
        path = folder / f"{self.name}.csv"
        if self.rows:
            write_text(path, self.csv_text())
        else:
            path.unlink(missing_ok=True)

    def csv_text(self) -> str:
        """All figures of all rows, unrounded; empty for a table without rows."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        if names:
            writer.writeheader()
        writer.writerows(
            {name: harmless(c) if isinstance(c, str) else c for name, c in row.items()}
            for row in self.rows
        )
        return text.getvalue()


def text(name: str, title: str) -> Column:
    """A column of words or whole numbers."""
    return Column(title, lambda row: str(row.get(name, "")), is_number=False)


def count(name: str, title: str) -> Column:
    """A column of whole numbers."""
    return Column(title, lambda row: str(row.get(name, NOTHING)))


def number(name: str, title: str, digits: int, *, signed: bool = False) -> Column:
    """A column of numbers with so many decimals."""
    return Column(title, lambda row: number_text(_of(row, name), digits, signed=signed))


def mean_sd(name: str, title: str, digits: int, mark: str = "") -> Column:
    """A column of ``mean (SD)``, out of ``NAME mean`` and ``NAME sd``, and a mark beside it."""

    def show(row: Row) -> str:
        mean, sd = _of(row, f"{name} mean"), _of(row, f"{name} sd")
        if math.isnan(mean):
            return NOTHING
        return f"{number_text(mean, digits)} ({number_text(sd, digits)}){row.get(mark, '')}"

    return Column(title, show)


def interval(name: str, title: str, digits: int) -> Column:
    """A column of ranges, out of ``NAME low`` and ``NAME high``."""
    return Column(
        title,
        lambda row: interval_text((_of(row, f"{name} low"), _of(row, f"{name} high")), digits),
    )


def p_value(name: str, title: str) -> Column:
    """A column of p-values."""
    return Column(title, lambda row: p_text(_of(row, name)))


def number_text(value: float, digits: int, *, signed: bool = False) -> str:
    """A number as it is read: with a true minus sign, and a dash for NaN."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "\N{MINUS SIGN}∞"
    shown = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if float(shown) == 0:
        shown = shown.lstrip("+-")
    return shown.replace("-", "\N{MINUS SIGN}")


def interval_text(ends: tuple[float, float], digits: int) -> str:
    """A range as ``low to high``; a dash where it is not known."""
    if any(math.isnan(end) for end in ends):
        return NOTHING
    return f"{number_text(ends[0], digits)} to {number_text(ends[1], digits)}"


def p_text(p: float) -> str:
    """A p-value to two figures, with no more than they are worth."""
    if math.isnan(p):
        return NOTHING
    if p < 0.001:
        return "< .001"
    # Rounded to 1, a p below it would look like a certainty.
    return f"{min(p, 0.999):.3f}".lstrip("0") if p < 1 else "1"


def _of(row: Row, name: str) -> float:
    """The number of a row by its name; NaN where it has none."""
    value = row.get(name, math.nan)
    return value if isinstance(value, int | float) else math.nan
