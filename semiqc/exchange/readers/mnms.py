"""The layouts of the M&Ms challenges: multi-centre, multi-vendor short-axis cine.

References:
    Campello et al., "Multi-Centre, Multi-Vendor and Multi-Disease Cardiac Segmentation: The M&Ms
    Challenge", IEEE TMI 2021. https://doi.org/10.1109/TMI.2021.3090082
    Martín-Isla et al., "Deep Learning Segmentation of the Right Ventricle in Cardiac MRI: The
    M&Ms Challenge", IEEE JBHI 2023. https://doi.org/10.1109/JBHI.2023.3267857

M&Ms has ``CODE_sa.nii.gz`` and ``CODE_sa_gt.nii.gz``, both 4-D, the latter zero in the frames
nobody annotated. M&Ms-2 has ``NNN_SA_ED.nii.gz`` and ``NNN_SA_ES.nii.gz`` with ``_gt``, and
``NNN_SA_CINE.nii.gz``. Folders may be nested; ``Training``, ``Validation`` and ``Testing`` give
the split. Labels are LV 1, myocardium 2, RV 3, and are turned into those of ``SHORT_AXIS``. The
table of the data set (``*information*.csv`` or ``*dataset_info*.csv``), where it lies in the
folder or beside it, gives the pathology, and in M&Ms the 0-based ED and ES frame.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.readers.series import (
    LabelValues,
    hide_blank_frames,
    in_plane_mm,
    placed,
    raw_study,
    read_image,
    stacked,
    unlabelled,
)
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.files import is_nifti, read_voxels, stem
from semiqc.schemes import SHORT_AXIS, LabelScheme

MEANING = {0: 0, 1: 3, 2: 2, 3: 1}
"""M&Ms' LV 1, myocardium 2, RV 3 in the values of ``SHORT_AXIS``."""

SPLITS = {"training": "train", "validation": "validation", "testing": "test"}
CODE_COLUMNS = ("external code", "subject_code")
GROUP_COLUMNS = ("pathology", "disease")

_IMAGE = re.compile(r"^(?P<code>.+)_sa(?P<part>_ed|_es|_cine|)$", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """What the table tells of one subject; frames are counted from 0."""

    group: str
    marked: tuple[int, ...] = ()


def recognises(source: Path) -> bool:
    """Whether a folder holds short-axis files named as in M&Ms, at any depth."""
    return source.is_dir() and any(True for _ in _image_files(source))


def find(source: Path, scheme: LabelScheme | None = None) -> Listing:
    """Studies at any depth of a folder.

    Args:
        source: The folder.
        scheme: Of the labels as they will be, with the values of ``SHORT_AXIS``, the default.
    """
    scheme = scheme or SHORT_AXIS
    table, refusals = _tables(source)
    studies: dict[tuple[Path, str], dict[str, Path]] = {}
    for path, code, part in _image_files(source):
        studies.setdefault((path.parent, code), {})[part] = path
    entries = []
    for (folder, code), parts in studies.items():
        try:
            name = safe_name(code)
            first = _any_image(parts)
        except UnusableError as error:
            refusals.append(Refusal(code, str(error)))
            continue
        row = table.get(_key(code), Row(""))
        split = _split(folder, source)
        read = partial(_read, name, parts, row, split, LabelValues(scheme, MEANING))
        entries.append(Entry(name, folder, partial(in_plane_mm, first), read))
    return Listing(tuple(entries), scheme, refusals=tuple(refusals))


def _image_files(source: Path) -> Iterator[tuple[Path, str, str]]:
    """Each image with its code and part: ``""``, ``"ed"``, ``"es"`` or ``"cine"``."""
    for path in sorted(source.rglob("*.nii*")):
        named = _IMAGE.match(stem(path))
        if named and is_nifti(path):
            yield path, named["code"], named["part"].lower().lstrip("_")


def _any_image(parts: Mapping[str, Path]) -> Path:
    if "" in parts:
        return parts[""]
    missing = [part.upper() for part in ("ed", "es") if part not in parts]
    if missing:
        some = next(iter(parts.values()))
        raise UnusableError(f"{some.name}: the {' and '.join(missing)} file is missing")
    return parts["ed"]


def _split(folder: Path, source: Path) -> str:
    within = [part.lower() for part in folder.relative_to(source).parts]
    return next((SPLITS[part] for part in (source.name.lower(), *within) if part in SPLITS), "")


def _labels_of(path: Path) -> Path | None:
    beside = (path.with_name(f"{stem(path)}_gt{ending}") for ending in (".nii.gz", ".nii"))
    return next((labels for labels in beside if labels.exists()), None)


def _read(
    name: str,
    parts: Mapping[str, Path],
    row: Row,
    split: str,
    values: LabelValues,
    with_labels: bool,
) -> RawStudy:
    fields = {"group": row.group, "split": split}
    if "" in parts:
        return _read_cycle(name, parts[""], row, values, with_labels, fields)
    ends = [parts["ed"], parts["es"]]
    image, voxels = stacked(ends)
    frames, warnings = [0, 1], []
    if "cine" in parts:
        cine = read_image(parts["cine"], axes=4)
        cycle = read_voxels(cine)
        found = [_frame_like(end, cycle) for end in voxels]
        if None in found or cine.shape[:3] != image.shape[:3]:
            warnings.append("the cine does not hold the ED and ES frames; they alone are taken")
        else:
            image, voxels, frames = cine, cycle, [f for f in found if f is not None]
    labels = unlabelled(image, len(voxels))
    if with_labels:
        files = {f: _labels_of(end) for f, end in zip(frames, ends, strict=True)}
        labels = placed({f: p for f, p in files.items() if p}, image, len(voxels), values)
    return raw_study(
        name, image, [voxels], labels, warnings=warnings, source=str(ends[0].parent), **fields
    )


def _read_cycle(
    name: str,
    path: Path,
    row: Row,
    values: LabelValues,
    with_labels: bool,
    fields: Mapping[str, str],
) -> RawStudy:
    image = read_image(path, axes=4)
    labels = unlabelled(image, image.frames)
    warnings = []
    beside = _labels_of(path) if with_labels else None
    if beside:
        read_image(beside, axes=4)
        read = values.read(beside, image)
        if len(read) != image.frames:
            raise UnusableError(f"{beside.name}: {len(read)} frames, the image {image.frames}")
        labels = hide_blank_frames(read)
        annotated = {t for t in range(image.frames) if (labels[t] >= 0).any()}
        if row.marked and annotated and not set(row.marked) <= annotated:
            warnings.append("the table's ED and ES are not the frames that are annotated")
    return raw_study(
        name, image, [read_voxels(image)], labels, warnings=warnings, source=str(path), **fields
    )


def _frame_like(volume: NDArray[Any], cycle: NDArray[Any]) -> int | None:
    if volume.shape != cycle.shape[1:]:
        return None
    return next((t for t, frame in enumerate(cycle) if np.array_equal(frame, volume)), None)


def _key(code: str) -> str:
    # M&Ms-2 writes 7 in its table and 007 in its folders.
    return code.strip().lower().lstrip("0")


def _tables(source: Path) -> tuple[dict[str, Row], list[Refusal]]:
    found: dict[str, Row] = {}
    refusals = []
    for folder in (source, source.parent):
        for path in sorted(folder.glob("*.csv")):
            if re.search(r"information|dataset_info", path.name, re.IGNORECASE):
                try:
                    found = {**_table(path), **found}
                except UnusableError as error:
                    refusals.append(Refusal(path.name, str(error)))
    return found, refusals


def _table(path: Path) -> dict[str, Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [
                {(key or "").strip().lower(): str(cell or "").strip() for key, cell in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnusableError(f"{path.name}: cannot be read ({error})") from error
    rows = {}
    for line in lines:
        code = _first(line, CODE_COLUMNS)
        marked = [line.get("ed", ""), line.get("es", "")]
        if code:
            frames = tuple(sorted({int(cell) for cell in marked if cell.isdecimal()}))
            rows[_key(code)] = Row(_first(line, GROUP_COLUMNS), frames)
    if not rows:
        raise UnusableError(f"{path.name}: expected a column {' or '.join(CODE_COLUMNS)}")
    return rows


def _first(line: Mapping[str, str], columns: tuple[str, ...]) -> str:
    return next((line[column] for column in columns if line.get(column)), "")
