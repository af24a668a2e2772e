"""Whole cines that any program segmented and a reader judged, as a suite learns from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qc.base import Graded
from qc.verdicts import read_verdicts
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.files.checksums import sha256_of
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.rows import read_rows, write_rows
from semiqc.files.store.reader import Store
from semiqc.files.walking import files_within
from semiqc.images.preparing import prepared
from semiqc.study import Prediction
from semiqc.suites.settings import Reviewed
from semiqc.work.monitor import Monitor

TABLE, VOXELS = "reviewed.csv", "reviewed.h5"


@dataclass(frozen=True)
class ReviewedRow:
    """A segmentation of a whole cine; its verdict, and its distances of voxels in mm."""

    study: str
    is_good: bool | None
    z_mm: float
    y_mm: float
    x_mm: float


def identity_of(reviewed: Reviewed) -> dict[str, Any]:
    """All that ``write_reviewed`` depends on beside the store."""
    folders = (reviewed.images, reviewed.segmentations)
    files = [path for one in folders for path in ([one] if one.is_file() else files_within(one))]
    return {
        "verdicts": sha256_of(reviewed.verdicts),
        "files": [[str(path), sha256_of(path)] for path in files],
    }


def write_reviewed(folder: Path, reviewed: Reviewed, store: Store, monitor: Monitor) -> None:
    """Keep segmentations that have a verdict, on the pixels of the store.

    Args:
        folder: To write into.
        reviewed: Segmentations without a verdict, and what cannot be read, are left out.
        store: Of the suite: its labels, modalities and pixels.
        monitor: Told what was left out.

    Raises:
        ValueError: If no segmentation has a verdict.
    """
    verdicts = read_verdicts(reviewed.verdicts)
    listing = find_pairs(
        reviewed.images, reviewed.segmentations, store.scheme, len(store.modalities)
    )
    for refusal in listing.refusals:
        monitor.note(f"left out: {refusal.name}: {refusal.reason}")
    entries = [entry for entry in listing.entries if entry.name in verdicts]
    _say_missing(verdicts, {entry.name for entry in entries}, reviewed, monitor)
    pixel = float(next(iter(store)).spacing[1])
    rows = []
    with PredictionWriter(folder / VOXELS) as writer:
        for entry in entries:
            study = prepared(entry.read(True), pixel)
            nothing = np.zeros((0,), np.float32)
            writer.add(study, ((np.asarray(frame), nothing) for frame in study.labels[:]))
            rows.append(ReviewedRow(study.name, verdicts[entry.name], *study.spacing))
    write_rows(folder / TABLE, ReviewedRow, rows)


def _say_missing(
    verdicts: Mapping[str, bool], found: set[str], reviewed: Reviewed, monitor: Monitor
) -> None:
    """Tell of verdicts on what is not there.

    Raises:
        ValueError: If that is all of them.
    """
    missing = sorted(set(verdicts) - found)
    if not found:
        raise ValueError(
            f"{reviewed.verdicts}: no verdict is on a segmentation of {reviewed.segmentations},"
            f" the first is on {next(iter(verdicts))}"
        )
    if missing:
        monitor.note(f"{len(missing)} verdicts are on nothing there, such as {missing[0]}")


def read_reviewed(folder: Path) -> list[Graded]:
    """What ``write_reviewed`` kept; labels are read when they are looked at."""
    return [_graded(folder, row) for row in read_rows(folder / TABLE, ReviewedRow)]


def _graded(folder: Path, row: ReviewedRow) -> Graded:
    labels = predicted_labels(folder / VOXELS, row.study)
    # Verdicts are learned from the course of a segmentation: images are not kept.
    image = np.broadcast_to(np.float32(0), (1, *labels.shape))
    spacing = (row.z_mm, row.y_mm, row.x_mm)
    prediction = Prediction(row.study, image, labels, spacing)
    return Graded(prediction, None, row.is_good, "reviewed", subject=row.study)
