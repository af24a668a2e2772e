"""Typed rows, written and read as CSV: one figure a column."""

import csv
import typing
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from semiqc.doors.csv_table import harmless, read_table
from semiqc.doors.regular import in_short, refusing
from semiqc.files.atomic import whole_file
from semiqc.files.earlier import in_current_columns

PREFIX = "prefix"
"""Key in a field's metadata: how the columns of its keys begin."""

REQUIRED = "required"
"""Key in a field's metadata: keys of its mapping that a table must have."""

LARGEST_TABLE = 2**30
"""Bytes of a table of thousands of studies."""

BOOLEANS = {"True": True, "False": False, "": None}

Row = TypeVar("Row")


def spread(prefix: str, required: tuple[str, ...] = ()) -> Any:  # noqa: ANN401
    """A mapping in a row, of which every key has a column of its own: the prefix and the key.

    Args:
        prefix: How the columns begin; empty for those that no plain field has.
        required: Keys without which a table is not read.
    """
    return field(default_factory=dict, metadata={PREFIX: prefix, REQUIRED: required})


def write_rows(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """Write a table, whole or not at all; numbers keep every digit they have.

    Without a row there is no file; one that stood there is removed. Rows of a kind without a
    field made by ``spread`` are written as they come, and never stand in memory together.

    Args:
        path: File to write.
        kind: Of the rows, a dataclass whose fields are the columns. A field made by ``spread`` has
            a column for each key.
        rows: One line each.
    """
    floats = _floats(kind)
    lines: Iterable[dict[str, Any]] = (_cells(row, floats) for row in rows)
    if any(PREFIX in one.metadata for one in _fields(kind)):
        # Which columns there are is known with the last row.
        lines = list(lines)
        present = list(dict.fromkeys(name for line in lines for name in line))
    else:
        present = [one.name for one in _fields(kind)]
    taken = [one.name for one in _fields(kind)]
    order = [name for one in _fields(kind) for name in _columns(one, present, taken)]
    _write_lines(path, order, iter(lines))


def _write_lines(path: Path, columns: Sequence[str], lines: Iterator[Mapping[str, Any]]) -> None:
    """Write cells by column, a line at a time; without a line there is no file."""
    first = next(lines, None)
    if first is None:
        path.unlink(missing_ok=True)
        return
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(lines)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read a table that ``write_rows`` wrote, in this version or an earlier one.

    Returns:
        Its rows; none where there is no file.

    Raises:
        ValueError: If a column is missing or a cell is not of its type.
    """
    if not path.exists():
        return []
    names = {one.name for one in _fields(kind)}
    read = read_table(path, most=LARGEST_TABLE)
    cells = [[row.get(name, "") for name in read.columns] for row in read.rows]
    written = pd.DataFrame(cells, columns=list(read.columns), dtype=str)
    with refusing(path, "a table of this kind"):
        table = in_current_columns(written, names)
    types: dict[str, Any] = typing.get_type_hints(kind)
    missing = {name for one in _fields(kind) for name in _required(one)} - set(table.columns)
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
    try:
        columns = {one.name: _read(table, one, types[one.name], names) for one in _fields(kind)}
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}: {in_short(error)}") from error
    rows = zip(*columns.values(), strict=True)
    return [kind(**dict(zip(columns, row, strict=True))) for row in rows]


def _floats(kind: type[Any]) -> set[str]:
    """Fields that hold numbers with a point, or a mapping of such."""
    types: dict[str, Any] = typing.get_type_hints(kind)
    return {name for name, of in types.items() if float in (of, *typing.get_args(of))}


def _cells(row: object, floats: Container[str]) -> dict[str, Any]:
    """The cells of a row by column; what is None is an empty cell.

    Args:
        row: A dataclass.
        floats: Fields of which whole numbers are written with a point, too.
    """
    cells: dict[str, Any] = {}
    for one in _fields(type(row)):
        value, is_float = getattr(row, one.name), one.name in floats
        prefix = one.metadata.get(PREFIX)
        if prefix is None:
            cells[one.name] = _cell(value, is_float=is_float)
        else:
            cells |= {f"{prefix}{k}": _cell(v, is_float=is_float) for k, v in value.items()}
    return cells


def _cell(value: Any, *, is_float: bool) -> Any:  # noqa: ANN401
    """A value in a table; names and groups come from outside, and are not to be computed."""
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)
    return float(value) if is_float else value


def _columns(one: "Field[Any]", present: Iterable[str], taken: Container[str]) -> list[str]:
    """The columns of a field among those of a table, but those ``taken`` by plain fields."""
    prefix = one.metadata.get(PREFIX)
    if prefix is None:
        return [one.name]
    return [name for name in present if name.startswith(prefix) and name not in taken]


def _required(one: "Field[Any]") -> list[str]:
    """The columns that a field needs."""
    prefix = one.metadata.get(PREFIX)
    if prefix is None:
        return [one.name]
    return [f"{prefix}{key}" for key in one.metadata[REQUIRED]]


def _read(
    table: pd.DataFrame,
    one: "Field[Any]",
    of: Any,  # noqa: ANN401
    taken: Container[str],
) -> list[Any]:
    """The values of a field in every row."""
    columns = {name: table[name].tolist() for name in _columns(one, table.columns, taken)}
    if PREFIX not in one.metadata:
        return [_value(cell, of) for cell in columns[one.name]]
    prefix, of_key = one.metadata[PREFIX], typing.get_args(of)[1]
    return [
        {
            name.removeprefix(prefix): _value(cells[number], of_key)
            for name, cells in columns.items()
            if cells[number]
        }
        for number in range(len(table))
    ]


def _value(cell: str, of: Any) -> Any:  # noqa: ANN401
    """A cell as a value of its type; None for an empty one that may be."""
    if of is not bool and bool not in typing.get_args(of):
        return of(cell)
    if cell not in BOOLEANS:
        raise ValueError(f"expected True or False, got {cell}")
    return BOOLEANS[cell]


def _fields(kind: type[Any]) -> "tuple[Field[Any], ...]":
    """The columns and spread columns of a kind of row."""
    return fields(kind)
