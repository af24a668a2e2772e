"""Unlabelled studies that an expert has labelled since, in files: the setting ``labels``.

The files are named as ``semiqc suggest`` names them: like the study, or ``STUDY_frameTT`` of one
frame, counted from 0. They lie on the grid of the study's source, or on the study's own.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.readers.nifti import LabelValues
from semiqc.exchange.segmented import FRAME_NAME, SegmentedFile, read_frames
from semiqc.experiment.data import Data, LabelRow
from semiqc.experiment.derived_labels import write_labels, written_labels
from semiqc.experiment.labelled_store import LabelledStore
from semiqc.experiment.trained import PREDICTIONS
from semiqc.files.atomic import write_text
from semiqc.files.checksums import sha256_of
from semiqc.files.store.reader import Store
from semiqc.files.tables import SplitRow
from semiqc.files.walking import files_within
from semiqc.images.raw import safe_name
from semiqc.nifti.files import is_image, stem
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.study import OnlyFrames, Study
from semiqc.work.monitor import Monitor
from semiqc.work.split import SPARE, check_split
from semiqc.work.stages import RunFolder

FRAMES = "frames.json"
SEALED = ("test", "validation", "qc")
"""Roles of studies whose labels are not to be learned from."""


@dataclass(frozen=True)
class ExpertLabels:
    """Segmentations of studies in a folder.

    Args:
        folder: That the files stand in.
        files: By study, its files; at least one each.
    """

    folder: Path
    files: Mapping[str, Sequence[SegmentedFile]]

    @classmethod
    def found(cls, folder: Path, store: Store) -> "ExpertLabels":
        """Those in a folder, at any depth.

        Raises:
            ValueError: If there are none, one is of no study, or two are of the same frame.
        """
        names = {safe_name(name): name for name in store.names}
        files: dict[str, list[SegmentedFile]] = {}
        for path in sorted(file for file in files_within(folder) if is_image(file)):
            one = _of_study(path, names, store)
            for other in files.setdefault(one.study, []):
                if None in (one.frame, other.frame) or one.frame == other.frame:
                    raise ValueError(f"{path}: labels what {other.path} labels, too")
            files[one.study].append(one)
        if not files:
            raise ValueError(f"{folder}: labels: no NIfTI, NRRD or MetaImage file")
        return cls(folder, files)

    def refuse_sealed(self, split: Sequence[SplitRow]) -> None:
        """Make sure that no study is labelled whose labels must not be learned from.

        Raises:
            ValueError: Naming the first that is.
        """
        sealed = [row for row in split if row.study in self.files and row.role in SEALED]
        if sealed:
            row = sealed[0]
            raise ValueError(
                f"{self.files[row.study][0].path}: labels {row.study}, which is in {row.role};"
                " expected an unlabelled study"
            )

    def joined(self, split: Sequence[SplitRow], studies: Iterable[Study]) -> list[SplitRow]:
        """The split with these studies among the labelled ones.

        Other unlabelled studies of their subjects are not used any more: a subject has one role.

        Args:
            split: Without them.
            studies: With their labels.

        Raises:
            ValueError: If the subject of one is used for something else.
        """
        subjects = {row.subject for row in split if row.study in self.files}
        rows = [self._joined(row, subjects) for row in split]
        check_split(rows, list(studies), str(self.folder))
        return rows

    def _joined(self, row: SplitRow, subjects: set[str]) -> SplitRow:
        if row.study in self.files:
            return replace(row, role="labelled")
        is_left_over = row.role == "unlabelled" and row.subject in subjects
        return replace(row, role=SPARE) if is_left_over else row


def with_expert_labels(
    labels: Path, data: Data, split: Sequence[SplitRow], folder: RunFolder, monitor: Monitor
) -> tuple[Data, list[SplitRow]]:
    """The data and the split with the labels that stand in a folder.

    Args:
        labels: The folder.
        data: Of the run.
        split: Who is used for what without them.
        folder: Where they are kept as a stage.
        monitor: Told what joins.

    Raises:
        ValueError: Naming the file that cannot be used, and why.
    """
    given = ExpertLabels.found(labels, data.store)
    all_files = [one for files in given.files.values() for one in files]
    depends = {
        "store": data.store.fingerprint(),
        "files": [[one.study, one.frame, sha256_of(one.path)] for one in all_files],
    }
    # Roles are looked at first: no file of a sealed study is to be read.
    given.refuse_sealed(split)
    stage = folder.stage("labels", depends, partial(_write, given, data.store, monitor))
    frames = json.loads((stage.folder / FRAMES).read_text(encoding="utf-8"))
    known = {
        name: OnlyFrames(written_labels(stage.folder, name), tuple(frames[name]))
        for name in given.files
    }
    rows = tuple(
        LabelRow(name, frame, f"stages/{stage.folder.name}/{PREDICTIONS}")
        for name in known
        for frame in frames[name]
    )
    store = LabelledStore(data.store, known, stage.key)
    monitor.note(f"{len(known)} studies with labels of {labels} join the labelled ones")
    return replace(data, store=store, labels=rows), given.joined(split, store)


def _of_study(path: Path, names: Mapping[str, str], store: Store) -> SegmentedFile:
    """The file as one of a study.

    Raises:
        ValueError: If its name tells no study, or no frame of it.
    """
    name = safe_name(stem(path))
    if name in names:
        return SegmentedFile(path, names[name], None)
    found = FRAME_NAME.match(name)
    if found is None or found["study"] not in names:
        raise ValueError(f"{path}: labels: {store.path.name} has no study {name}")
    study, frame = store.study(names[found["study"]]), int(found["number"])
    if frame >= study.frames:
        raise ValueError(f"{path}: labels: {study.name} has {study.frames} frames, counted from 0")
    return SegmentedFile(path, study.name, frame)


def _write(given: ExpertLabels, store: Store, monitor: Monitor, folder: Path) -> None:
    """Keep the labels on the grid of the store, and which frames have some."""
    frames: dict[str, list[int]] = {}

    def derive(name: str) -> tuple[Study, NDArray[np.int8]]:
        study = store.study(name)
        drawn = _read(given, study, LabelValues(store.scheme))
        labels = np.full(study.labels.shape, UNLABELLED, np.int8)
        for frame, voxels in drawn.items():
            labels[frame] = voxels
        frames[name] = sorted(drawn)
        return study, labels

    write_labels(folder, list(given.files), derive, monitor=monitor, title="labels")
    write_text(folder / FRAMES, json.dumps(frames))


def _read(given: ExpertLabels, study: Study, values: LabelValues) -> dict[int, NDArray[np.int8]]:
    """Labels ``[Z, Y, X]`` of the frames that somebody labelled.

    Of a file of a whole cine these are the frames with a structure: nobody draws all of them, and
    the others are not empty.

    Raises:
        ValueError: If a file cannot be used.
    """
    drawn: dict[int, NDArray[np.int8]] = {}
    for file in given.files[study.name]:
        try:
            found = read_frames(file, study, values, range(study.frames))
        except ValueError as error:
            raise ValueError(f"{file.path.parent}: labels: {error}") from None
        is_cine = file.frame is None and study.frames > 1
        drawn |= {
            t: labels for t, labels in found.items() if not is_cine or (labels != BACKGROUND).any()
        }
    if not drawn:
        raise ValueError(f"{given.files[study.name][0].path}: labels: no frame has a structure")
    return drawn
