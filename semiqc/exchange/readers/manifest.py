"""A plain table that names the files of each study, for data in no other layout.

A CSV with the column ``image`` and, as far as they are known, ``study``, ``labels``, ``frame``,
``group``, ``split`` and ``subject``. Paths are relative to the table::

    table.csv
    a/cine.nii.gz     4-D            study,image,labels,frame
    a/ed.nii.gz       3-D            a,a/cine.nii.gz,a/ed.nii.gz,0
    a/es.nii.gz       3-D            a,a/cine.nii.gz,a/es.nii.gz,11

A study may have several rows: either all name the same 4-D image, and each the labels of one
``frame``, counted from 0; or each names the 3-D image of one frame, which are put in the order of
``frame``, or else of the rows. Labels without ``frame`` are those of all frames: 4-D, zero where
nobody annotated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.csv_table import REST, read_table
from semiqc.doors.regular import in_short
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    Meaning,
    hide_blank_frames,
    in_plane_mm,
    placed,
    raw_study,
    read_image,
    stacked,
    unlabelled,
)
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import read_voxels, stem
from semiqc.nifti.headers import Header
from semiqc.schemes import SHORT_AXIS, LabelScheme

COLUMNS = ("study", "image", "labels", "frame", "group", "split", "subject")
LONGEST_NUMBER = 9
"""Digits of a frame."""

SHARED = ("group", "split", "subject")
"""Columns in which all rows of a study must agree."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        line: Its number in the file, from 1, for messages.
        image: Whole path of the image.
        labels: Whole path of the labels, if any.
        frame: From 0; None where it is not given.
        shared: Cells of the columns ``SHARED``.
    """

    line: int
    image: Path
    labels: Path | None
    frame: int | None
    shared: tuple[str, ...]


def recognises(source: Path) -> bool:
    """Whether it is a CSV file."""
    return source.is_file() and source.suffix.lower() == ".csv"


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """The studies that a table names.

    Args:
        source: The CSV file.
        scheme: Of the labels; by default ``SHORT_AXIS``.
        meaning: Value of the scheme of each value in the files, where they are not the same.

    Raises:
        ValueError: If it is not such a table.
    """
    scheme = scheme or SHORT_AXIS
    studies: dict[str, list[dict[str, str]]] = {}
    for cells in _lines(source):
        studies.setdefault(cells["study"] or stem(Path(cells["image"])), []).append(cells)
    entry = partial(_entry, source, LabelValues(scheme, meaning))
    return listing_of(studies.items(), entry, scheme)


def _entry(source: Path, values: LabelValues, text: str, lines: list[dict[str, str]]) -> Entry:
    """A study of the rows that name it.

    Raises:
        UnusableError: If a row cannot be understood, or rows contradict each other.
    """
    name = safe_name(text)
    rows = [_row(cells, source) for cells in lines]
    _check_agreement(rows)
    read = partial(_read, name, rows, values)
    return Entry(name, rows[0].image, partial(in_plane_mm, rows[0].image), read)


def named_files(source: Path) -> list[Path]:
    """The table and all images and labels that it names, whether they are there or not.

    Raises:
        ValueError: If it is not such a table.
    """
    named = {cells[column] for cells in _lines(source) for column in ("image", "labels")}
    return [source, *sorted(source.parent / name for name in named if name)]


def _lines(source: Path) -> list[dict[str, str]]:
    """Cells of each line by column, with its number as ``line``; blank where it has none.

    Raises:
        ValueError: If the file is no CSV, lacks the column ``image``, or has unknown columns.
    """
    table = read_table(source)
    _check_columns(source, [column.lower() for column in table.columns])
    blank = dict.fromkeys(COLUMNS, "")
    return [
        {**blank, **{key.lower(): cell.strip() for key, cell in row.items()}, "line": str(line)}
        for line, row in zip(table.lines, table.rows, strict=True)
    ]


def _check_columns(source: Path, columns: Sequence[str]) -> None:
    """Refuse a table without images, or with columns nobody knows.

    Raises:
        ValueError: Naming both.
    """
    unknown = [column for column in columns if column not in COLUMNS]
    if "image" not in columns or unknown:
        raise ValueError(
            f"{source}: expected columns out of {', '.join(COLUMNS)} with image among them,"
            f" got {in_short(', '.join(columns))}"
        )


def _row(cells: dict[str, str], source: Path) -> Row:
    """One line, understood.

    Raises:
        UnusableError: If it names no image, or one file as image and labels, or its frame is not
            a number from 0.
    """
    line = int(cells["line"])
    if REST in cells:
        raise UnusableError(
            f"{source.name} line {line}: more cells than columns; a comma in a path needs quotes"
        )
    if not cells["image"]:
        raise UnusableError(f"{source.name} line {line}: names no image")
    if cells["labels"] == cells["image"]:
        raise UnusableError(f"{source.name} line {line}: image and labels are the same file")
    frame = cells["frame"]
    if frame and not (frame.isascii() and frame.isdecimal() and len(frame) <= LONGEST_NUMBER):
        raise UnusableError(
            f"{source.name} line {line}: frame must be a number from 0, got '{in_short(frame)}'"
        )
    return Row(
        line=line,
        image=source.parent / cells["image"],
        labels=source.parent / cells["labels"] if cells["labels"] else None,
        frame=int(frame) if frame else None,
        shared=tuple(cells[column] for column in SHARED),
    )


def _check_agreement(rows: Sequence[Row]) -> None:
    """Refuse rows of one study that contradict each other.

    Raises:
        UnusableError: If a shared column differs, or frames are doubled or missing.
    """
    for row in rows[1:]:
        for column, first, other in zip(SHARED, rows[0].shared, row.shared, strict=True):
            if first != other:
                raise UnusableError(
                    f"line {row.line}: {column} is {other!r}, in line {rows[0].line} {first!r}"
                )
    frames = [row.frame for row in rows]
    none_given = set(frames) == {None} and len({row.image for row in rows}) == len(rows)
    if not none_given and (len(set(frames)) != len(frames) or (None in frames and frames[1:])):
        given = ", ".join("none" if frame is None else str(frame) for frame in frames)
        raise UnusableError(f"lines from {rows[0].line}: frames are doubled or missing: {given}")


def _read(name: str, rows: Sequence[Row], values: LabelValues, with_labels: bool) -> RawStudy:
    """A study of one 4-D image, or of an image for each frame."""
    images = list(dict.fromkeys(row.image for row in rows))
    if len(images) == 1:
        image = read_image(images[0])
        voxels = read_voxels(image)
        files = [(row.labels, row.frame) for row in rows if row.labels]
    else:
        image, voxels, files = _read_frames(rows, images)
    labels, notes = unlabelled(image, len(voxels)), list[str]()
    if with_labels:
        labels = _labels(files, image, voxels, values, notes)
    fields = dict(zip(SHARED, rows[0].shared, strict=True))
    source = str(images[0])
    return raw_study(name, image, [voxels], labels, warnings=notes, source=source, **fields)


def _read_frames(
    rows: Sequence[Row], images: Sequence[Path]
) -> tuple[Header, NDArray[Any], list[tuple[Path, int | None]]]:
    """A study whose every frame is an image of its own, and which labels belong to which."""
    if len(images) != len(rows):
        raise UnusableError(
            f"lines from {rows[0].line}: {len(rows)} rows name {len(images)} images,"
            " expected one for all or one each"
        )
    ordered = sorted(rows, key=lambda row: row.line if row.frame is None else row.frame)
    image, voxels = stacked([row.image for row in ordered])
    return image, voxels, [(row.labels, place) for place, row in enumerate(ordered) if row.labels]


def _labels(
    files: Sequence[tuple[Path, int | None]],
    image: Header,
    voxels: NDArray[Any],
    values: LabelValues,
    notes: list[str],
) -> NDArray[np.int8]:
    """Labels ``[T, Z, Y, X]`` of single frames or of all at once.

    Raises:
        UnusableError: If a frame lies beyond the image, or a file does not suit it.
    """
    single = {frame: path for path, frame in files if frame is not None}
    beyond = [frame for frame in single if frame >= len(voxels)]
    if beyond:
        raise UnusableError(
            f"{image.path.name}: has {len(voxels)} frames from 0, labels are given for {beyond}"
        )
    whole = [path for path, frame in files if frame is None]
    if whole:
        return _whole_labels(whole[0], image, len(voxels), values, notes)
    return placed(single, image, len(voxels), values, notes)


def _whole_labels(
    path: Path, image: Header, frames: int, values: LabelValues, notes: list[str]
) -> NDArray[np.int8]:
    """Labels of all frames out of one file; 4-D where there are several frames."""
    labels = values.read(path, image, notes)
    if len(labels) != frames:
        raise UnusableError(
            f"{path.name}: {len(labels)} frames, {image.path.name} has {frames};"
            " labels of one frame need the column frame"
        )
    return hide_blank_frames(labels) if frames > 1 else labels
