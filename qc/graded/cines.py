"""Whole cines with verdicts: a table of them, and their segmentations in a file beside it.

Frames alone don't show a curve. A ladder of networks segments every frame of the studies that it
did not learn from, and a simulated reader, who looks at the labelled ones, says which of these
are good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from qc.base import Graded, ProgressCallback, unobserved
from qc.graded.ladder import CnnLadder
from qc.verdicts import MIN_SHARE, VERDICTS, SimulatedReader, balanced
from segmenters import segment
from semiqc.doors.hdf5_file import Attributes
from semiqc.doors.regular import UnusableError
from semiqc.files.hdf5 import open_h5
from semiqc.files.predictions import PredictedFrame, PredictionWriter, predicted_labels
from semiqc.files.rows import read_rows, write_rows
from semiqc.files.store.reader import Store
from semiqc.study import Prediction, Study
from semiqc.work.bounds import Count

Split = tuple[Sequence[Study], Sequence[Study]]
"""Studies to learn from, and studies to segment."""


@dataclass(frozen=True)
class CineRow:
    """A segmentation of a whole cine.

    Args:
        cine: Its name in the file of segmentations.
        study: Name of the study.
        verdict: ``good`` or ``erroneous``.
        source: What made it.
        subject: Of whom the study is.
        group: Of the study.
    """

    cine: str
    study: str
    verdict: str
    source: str
    subject: str
    group: str


@dataclass(frozen=True)
class CineLadder(CnnLadder):
    """The networks of ``CnnLadder``, fewer by default, that segment whole cines."""

    rungs: Count = 6


class CineWriter(PredictionWriter):
    """Writes segmentations of a store's cines, of which a study may have several.

    Args:
        path: File to write, whole or not at all; a context manager.
        store: Of the studies.

    Attributes:
        rows: Of what was written, without verdicts.
    """

    def __init__(self, path: Path, store: Store) -> None:
        super().__init__(path)
        self.store = store
        self.rows: list[CineRow] = []

    def __enter__(self) -> Self:
        super().__enter__()
        self._file.attrs["store"] = np.bytes_(str(self.store.path.resolve()).encode())
        self._file.attrs["fingerprint"] = np.bytes_(self.store.fingerprint().encode())
        return self

    def add_cine(self, study: Study, source: str, frames: Iterable[PredictedFrame]) -> None:
        """Append a segmentation of all frames of a study."""
        name = f"{len(self.rows):05d}"
        self.add(replace(study, name=name), frames)
        self.rows.append(CineRow(name, study.name, "", source, study.subject, study.group))


def grade_cines(
    store: Store,
    table: Path,
    ladder: CnnLadder,
    splits: Sequence[Split],
    reader: SimulatedReader,
    *,
    observe: ProgressCallback = unobserved,
) -> SimulatedReader:
    """Segment whole cines, and let a reader judge them.

    Args:
        store: Of the studies.
        table: CSV to write; the segmentations go beside it, with the ending ``.h5``.
        ladder: Its networks learn from the first studies of a split and segment the others.
        splits: No subject is on both sides of one.
        reader: His bounds are moved as in ``balanced``.
        observe: Told how many splits are done, and of how many.

    Returns:
        The reader with the bounds that were used.

    Raises:
        ValueError: If no study has more than one frame.
    """
    with CineWriter(_voxels(table), store) as writer:
        for number, (train, judged) in enumerate(splits, start=1):
            _segment(writer, ladder, train, judged)
            observe(number, len(splits))
        if not writer.rows:
            raise ValueError(f"{store.path}: no study with labels has more than one frame")
    graded = [_graded(row, table, store) for row in writer.rows]
    strict = balanced(reader, graded, MIN_SHARE)
    words = {is_good: word for word, is_good in VERDICTS.items()}
    verdicts = [words[strict(one).is_good] for one in graded]
    rows = [replace(row, verdict=said) for row, said in zip(writer.rows, verdicts, strict=True)]
    write_rows(table, CineRow, rows)
    return strict


def _segment(
    writer: CineWriter, ladder: CnnLadder, train: Sequence[Study], judged: Sequence[Study]
) -> None:
    """Segment the cines among ``judged`` by each network that learned from ``train``."""
    cines = [study for study in judged if study.frames > 1 and study.labelled_frames]
    for name, segmenter, _ in ladder.fitted(train) if cines else ():
        for study in cines:
            writer.add_cine(study, name, segment(segmenter, study.without_labels()))


def read_cines(table: Path, store: Store) -> list[Graded]:
    """What ``grade_cines`` wrote; voxels are read when they are looked at.

    Verdicts may have been changed in the table since, by a reader who knows better.

    Raises:
        UnusableError: If there is no such table, or it is of another store.
    """
    if _attribute(table, "fingerprint") != store.fingerprint():
        raise UnusableError(
            f"{table}: was made for the store {store_of_cines(table)} as it then was, which"
            f" {store.path} is not"
        )
    graded = []
    for row in read_rows(table, CineRow):
        if row.verdict not in VERDICTS:
            raise UnusableError(
                f"{table}: verdict on {row.study} must be good or erroneous, got '{row.verdict}'"
            )
        graded.append(replace(_graded(row, table, store), is_good=VERDICTS[row.verdict]))
    return graded


def store_of_cines(table: Path) -> Path:
    """Where the store was when the table was made.

    Raises:
        UnusableError: If there are no segmentations beside it.
    """
    return Path(_attribute(table, "store"))


def _attribute(table: Path, name: str) -> str:
    value: Any = Attributes(open_h5(_voxels(table))).get(name, b"")
    return value.decode() if isinstance(value, bytes) else str(value)


def _voxels(table: Path) -> Path:
    return table.with_suffix(".h5")


def _graded(row: CineRow, table: Path, store: Store) -> Graded:
    study = store.study(row.study)
    labels = predicted_labels(_voxels(table), row.cine)
    prediction = Prediction(study.name, study.image, labels, study.spacing)
    return Graded(prediction, study.labels, None, row.source, study.group, subject=study.subject)
