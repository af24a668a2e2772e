"""The layouts of the M&Ms challenges: multi-centre, multi-vendor short-axis cine.

References:
    Campello et al., "Multi-Centre, Multi-Vendor and Multi-Disease Cardiac Segmentation: The M&Ms
    Challenge", IEEE TMI 2021. https://doi.org/10.1109/TMI.2021.3090082
    Martín-Isla et al., "Deep Learning Segmentation of the Right Ventricle in Cardiac MRI: The
    M&Ms Challenge", IEEE JBHI 2023. https://doi.org/10.1109/JBHI.2023.3267857

M&Ms::

    *information*.csv                 External code, Pathology, and ED and ES counted from 0
    Training/  Validation/  Testing/  give the split; folders may be nested
        A0S9V9/
            A0S9V9_sa.nii.gz          the whole cycle, 4-D
            A0S9V9_sa_gt.nii.gz       4-D, zero in the frames nobody annotated

M&Ms-2::

    dataset_information.csv           SUBJECT_CODE, DISEASE
    001/
        001_SA_ED.nii.gz              with 001_SA_ED_gt.nii.gz
        001_SA_ES.nii.gz              with 001_SA_ES_gt.nii.gz
        001_SA_CINE.nii.gz            may be missing; taken where it holds both frames

Labels are LV 1, myocardium 2, RV 3, and are turned into those of ``SHORT_AXIS``. The table may
lie in the folder or beside it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.csv_table import read_table
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    Meaning,
    frame_like,
    hide_blank_frames,
    in_plane_mm,
    placed,
    raw_study,
    read_image,
    stacked,
    unlabelled,
)
from semiqc.files.walking import children, files_within
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.files import ENDINGS, is_image, read_voxels, stem
from semiqc.nifti.headers import Header
from semiqc.schemes import SHORT_AXIS, LabelScheme

MEANING = {0: 0, 1: 3, 2: 2, 3: 1}
"""M&Ms' LV 1, myocardium 2, RV 3 in the values of ``SHORT_AXIS``."""

SPLITS = {"training": "train", "validation": "validation", "testing": "test"}
CODE_COLUMNS = ("external code", "subject_code")
GROUP_COLUMNS = ("pathology", "disease")

_TABLE = re.compile(r"(information|dataset_info).*\.csv$", re.IGNORECASE)
_FRAME = re.compile(r"^[0-9]{1,6}$")
_IMAGE = re.compile(r"^(?P<code>.+)_sa(?P<part>_ed|_es|_cine|)$", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """What the table tells of one subject; frames are counted from 0."""

    group: str
    marked: tuple[int, ...] = ()


def recognises(source: Path) -> bool:
    """Whether a folder holds short-axis files named as in M&Ms, at any depth."""
    return source.is_dir() and any(True for _ in _image_files(source))


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Studies at any depth of a folder.

    Args:
        source: The folder.
        scheme: Of the labels as they will be, with the values of ``SHORT_AXIS``, the default.
        meaning: Value of the scheme of each value in the files, where not ``MEANING``.
    """
    scheme = scheme or SHORT_AXIS
    table, refusals = _tables(source)
    studies: dict[tuple[Path, str], dict[str, Path]] = {}
    for path, code, part in _image_files(source):
        studies.setdefault((path.parent, code), {})[part] = path
    entry = partial(_entry, source, table, LabelValues(scheme, meaning or MEANING))
    candidates = ((code, (folder, parts)) for (folder, code), parts in studies.items())
    return listing_of(candidates, entry, scheme, refusals=refusals)


def _entry(
    source: Path,
    table: Mapping[str, Row],
    values: LabelValues,
    code: str,
    found: tuple[Path, Mapping[str, Path]],
) -> Entry:
    """A study to be read of its folder and the files of its parts."""
    folder, parts = found
    name, first = safe_name(code), _any_image(parts)
    row = table.get(_key(code), Row(""))
    fields = {"group": row.group, "split": _split(folder, source)}
    read = partial(_read, name, parts, row.marked, values, fields)
    return Entry(name, folder, partial(in_plane_mm, first), read)


def _image_files(source: Path) -> Iterator[tuple[Path, str, str]]:
    """Each image with its code and part: ``""``, ``"ed"``, ``"es"`` or ``"cine"``."""
    for path in files_within(source):
        named = _IMAGE.match(stem(path))
        if named and is_image(path):
            yield path, named["code"], named["part"].lower().lstrip("_")


def _any_image(parts: Mapping[str, Path]) -> Path:
    """The image whose header gives a study's spacing.

    Raises:
        UnusableError: If there is neither a cycle nor both ED and ES.
    """
    if "" in parts:
        return parts[""]
    missing = [part.upper() for part in ("ed", "es") if part not in parts]
    if missing:
        some = next(iter(parts.values()))
        raise UnusableError(f"{some.name}: the {' and '.join(missing)} file is missing")
    return parts["ed"]


def _split(folder: Path, source: Path) -> str:
    """The split that a folder above a study names; empty where none does."""
    within = [part.lower() for part in folder.relative_to(source).parts]
    return next((SPLITS[part] for part in (source.name.lower(), *within) if part in SPLITS), "")


def _labels_of(path: Path) -> Path | None:
    """The file of labels beside an image, if there is one."""
    beside = (path.with_name(f"{stem(path)}_gt{ending}") for ending in ENDINGS)
    return next((labels for labels in beside if labels.exists()), None)


def _read(
    name: str,
    parts: Mapping[str, Path],
    marked: tuple[int, ...],
    values: LabelValues,
    fields: Mapping[str, str],
    with_labels: bool,
) -> RawStudy:
    """A study of M&Ms, where there is a cycle, or else of M&Ms-2."""
    if "" in parts:
        return _read_cycle(name, parts[""], marked, values, fields, with_labels)
    return _read_ends(name, parts, values, fields, with_labels)


def _read_ends(
    name: str,
    parts: Mapping[str, Path],
    values: LabelValues,
    fields: Mapping[str, str],
    with_labels: bool,
) -> RawStudy:
    """A study of M&Ms-2: the ED and ES frames, within their cine where it holds them."""
    ends = [parts["ed"], parts["es"]]
    image, voxels = stacked(ends)
    frames, warnings = [0, 1], list[str]()
    if "cine" in parts:
        cycle = _cycle_with(parts["cine"], image, voxels)
        if cycle is None:
            warnings.append("the cine does not hold the ED and ES frames; they alone are taken")
        else:
            image, voxels, frames = cycle
    beside = {frame: _labels_of(end) for frame, end in zip(frames, ends, strict=True)}
    files = {frame: path for frame, path in beside.items() if path} if with_labels else {}
    labels = placed(files, image, len(voxels), values, warnings)
    source = str(ends[0].parent)
    return raw_study(name, image, [voxels], labels, warnings=warnings, source=source, **fields)


def _cycle_with(
    path: Path, image: Header, ends: NDArray[Any]
) -> tuple[Header, NDArray[Any], list[int]] | None:
    """A cine, and which of its frames the volumes ``ends`` are; None where it lacks one."""
    cine = read_image(path, axes=4)
    cycle = read_voxels(cine)
    frames = [frame for frame in (frame_like(end, cycle) for end in ends) if frame is not None]
    if len(frames) < len(ends) or cine.shape[:3] != image.shape[:3]:
        return None
    return cine, cycle, frames


def _read_cycle(
    name: str,
    path: Path,
    marked: tuple[int, ...],
    values: LabelValues,
    fields: Mapping[str, str],
    with_labels: bool,
) -> RawStudy:
    """A study of M&Ms: a 4-D image, and 4-D labels where there are some."""
    image = read_image(path, axes=4)
    beside = _labels_of(path) if with_labels else None
    warnings: list[str] = []
    labels = unlabelled(image, image.frames)
    if beside:
        labels = _cycle_labels(beside, image, values, warnings)
    annotated = {t for t in range(image.frames) if (labels[t] >= 0).any()}
    if marked and annotated and not set(marked) <= annotated:
        warnings.append("the table's ED and ES are not the frames that are annotated")
    voxels = [read_voxels(image)]
    return raw_study(name, image, voxels, labels, warnings=warnings, source=str(path), **fields)


def _cycle_labels(
    path: Path, image: Header, values: LabelValues, notes: list[str]
) -> NDArray[np.int8]:
    """Labels of every frame, ``[T, Z, Y, X]``; frames nobody annotated are ``UNLABELLED``.

    Raises:
        UnusableError: If the file is not 4-D or has other frames than the image.
    """
    read_image(path, axes=4)
    labels = values.read(path, image, notes)
    if len(labels) != image.frames:
        raise UnusableError(f"{path.name}: {len(labels)} frames, the image {image.frames}")
    return hide_blank_frames(labels)


def _key(code: str) -> str:
    # M&Ms-2 writes 7 in its table and 007 in its folders.
    return code.strip().lower().lstrip("0")


def _tables(source: Path) -> tuple[dict[str, Row], list[Refusal]]:
    """Rows of the tables in a folder and beside it by subject, and tables nobody can read."""
    found: dict[str, Row] = {}
    refusals = []
    for folder in (source, source.parent):
        for path in children(folder):
            if _TABLE.search(path.name):
                try:
                    found = {**_table(path), **found}
                except UnusableError as error:
                    refusals.append(Refusal(path.name, str(error)))
    return found, refusals


def _table(path: Path) -> dict[str, Row]:
    """Rows of one table, by ``_key`` of the subject's code.

    Raises:
        UnusableError: If it cannot be read, or has no column of codes.
    """
    rows = {}
    for line in _lines(path):
        code = _first(line, CODE_COLUMNS)
        marked = [line.get("ed", ""), line.get("es", "")]
        if code:
            frames = tuple(sorted({int(cell) for cell in marked if _FRAME.match(cell)}))
            rows[_key(code)] = Row(_first(line, GROUP_COLUMNS), frames)
    if not rows:
        raise UnusableError(f"{path.name}: expected a column {' or '.join(CODE_COLUMNS)}")
    return rows


def _lines(path: Path) -> list[dict[str, str]]:
    """Cells of each line by the name of the column in lower case."""
    rows = read_table(path, called=path.name).rows
    return [{key.lower(): cell.strip() for key, cell in row.items()} for row in rows]


def _first(line: Mapping[str, str], columns: tuple[str, ...]) -> str:
    """The first of the columns that has something in it; empty where none has."""
    return next((line[column] for column in columns if line.get(column)), "")
