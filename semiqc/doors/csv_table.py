"""The door of CSV tables, and the cells that a spreadsheet would take for a formula."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semiqc.doors.regular import UnusableError, in_short
from semiqc.doors.text import LONGEST_TEXT, read_text

LONGEST_CELL = 2**15
"""Characters; as many as a spreadsheet keeps in a cell."""

REST = ""
"""Column of what a line holds beyond the header."""

_MARK = re.compile(r"""\s*"?sep=([,;|\t])"?""", re.IGNORECASE)
"""First line by which a spreadsheet is told what parts cells."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With which a cell begins that a spreadsheet computes."""


@dataclass(frozen=True)
class CsvTable:
    """A table with a header.

    Args:
        columns: As the header has them, without space around.
        rows: Cells of each line by column, blank where the line is shorter; ``REST`` where it is
            longer. Blank lines are left out.
        lines: Number of each row's line in the file, from 1.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    lines: tuple[int, ...]

    def require(self, path: Path, columns: Sequence[str]) -> None:
        """Refuse a table without certain columns.

        Raises:
            UnusableError: Naming those that are missing, and those that there are.
        """
        missing = sorted(set(columns) - set(self.columns))
        if missing:
            raise UnusableError(
                f"{path}: lacks the columns {', '.join(missing)}, has"
                f" {in_short(', '.join(self.columns)) or 'none'}"
            )


def read_table(path: Path, *, most: int = LONGEST_TEXT, called: str = "") -> CsvTable:
    """A table in UTF-8 or, with a byte order mark, UTF-16; cells parted by commas.

    A spreadsheet where commas part decimals writes semicolons, and Unicode text has tabs: what
    parts the header parts all lines. A first line such as ``sep=;`` says it, and is no header.

    Raises:
        UnusableError: If it cannot be read, two columns share a name, or a cell is far too long.
    """
    called = called or str(path)
    text = read_text(path, most=most, called=called)
    head = text.lstrip("\r\n").split("\n", 1)[0]
    told = _MARK.match(head)
    delimiter = told[1] if told else next((mark for mark in ",;\t" if mark in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] | None = None
    rows, lines = [], []
    try:
        for cells in reader:
            _check_cells(cells, called, reader.line_num)
            if told and any(cells):
                told = None
            elif header is None and any(cells):
                header = _header(cells, called)
            elif any(cells) and header is not None:
                rows.append(_row(header, cells))
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UnusableError(
            f"{called}, line {reader.line_num}: not a readable CSV file ({error})"
        ) from None
    return CsvTable(tuple(header or ()), tuple(rows), tuple(lines))


def harmless(cell: str) -> str:
    """A cell that a spreadsheet shows as it is and does not compute."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def as_meant(cell: str) -> str:
    """The text that ``harmless`` was given."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def _check_cells(cells: Sequence[str], called: str, line: int) -> None:
    longest = max(map(len, cells), default=0)
    if longest > LONGEST_CELL:
        raise UnusableError(
            f"{called}, line {line}: a cell of {longest} characters, expected {LONGEST_CELL}"
            " at most"
        )


def _header(cells: Sequence[str], called: str) -> list[str]:
    """Names of the columns.

    Raises:
        UnusableError: If two are alike.
    """
    columns = [cell.strip() for cell in cells]
    named = Counter(column.casefold() for column in columns if column)
    twice = sorted(name for name, count in named.items() if count > 1)
    if twice:
        raise UnusableError(f"{called}: the column {twice[0][:40]!r} is there twice")
    return columns


def _row(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    blank = [""] * (len(header) - len(cells))
    row = dict(zip(header, [as_meant(c) for c in (*cells, *blank)], strict=False))
    rest = ",".join(cells[len(header) :])
    return {**row, REST: rest} if rest.strip(",") else row
