"""From a folder in any layout to a store, and from new images to studies a segmenter takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from semiqc.doors.regular import one_study
from semiqc.exchange.duplicates import Pixels, without_namesakes
from semiqc.exchange.import_report import (
    Imported,
    ImportReport,
    missing_classes,
    odd_splits,
    row_of,
    split_notes,
    why_nothing,
)
from semiqc.exchange.origin import Origin
from semiqc.exchange.readers import find, find_images
from semiqc.exchange.readers.nifti import Meaning
from semiqc.exchange.subjects import Subjects, find_subjects
from semiqc.files.store.writer import StoreWriter
from semiqc.images.notes import summed_up
from semiqc.images.preparing import prepared
from semiqc.images.raw import Entry, Refusal, UnusableError
from semiqc.schemes import LabelScheme, read_scheme
from semiqc.study import Study
from semiqc.work.progress import Progress, untold

__all__ = [
    "ImportReport",
    "Imported",
    "NewImages",
    "Refusal",
    "import_data",
    "list_images",
    "read_images",
    "read_scheme",
]


def import_data(
    source: Path,
    output: Path,
    *,
    layout: str = "auto",
    scheme: LabelScheme | None = None,
    meaning: Meaning | None = None,
    spacing: float | None = None,
    subjects: Path | None = None,
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> ImportReport:
    """Write a store of all studies in ``source`` that can be used.

    The first, by name, of two studies that share a name or the pixels of a frame is taken.

    Args:
        source: Folder, or a manifest CSV.
        output: Store to write, whole or not at all.
        layout: One of ``semiqc.exchange.readers.READERS``, or ``"auto"``.
        scheme: Of the labels; by default what the layout says.
        meaning: Value of the scheme of each label value, where not as the layout says.
        spacing: In plane, in mm; by default the median of the data. Slices stay as they are.
        subjects: CSV of ``study`` and ``subject``; see ``semiqc.exchange.subjects``.
        overwrite: Replace a store that exists.
        on_progress: Told the number of studies dealt with, and of all, after each.

    Raises:
        FileExistsError: If the store exists and may not be replaced.
        ValueError: If nothing in ``source`` can be used, or it is of no known layout.
    """
    listing = find(Path(source), layout, scheme, meaning)
    writer = StoreWriter(output, listing.scheme, listing.modalities, overwrite=overwrite)
    entries, left_out = without_namesakes(listing)
    assigned = find_subjects([entry.name for entry in entries], subjects)
    readable, spacing = _with_spacing(entries, left_out, spacing)
    with writer as store:
        intake = _Intake(store, spacing, assigned, left_out, Origin.of(source, listing))
        intake.take_all(source, readable, on_progress)
    return intake.report()


class _Intake:
    """Brings studies into a store, and remembers what became of each; of none the voxels.

    Args:
        store: To write to.
        spacing: In plane, in mm.
        subjects: Tells whom each study is of.
        left_out: What was left out already; it is added to.
        origin: Where the studies are found.
    """

    def __init__(
        self,
        store: StoreWriter,
        spacing: float,
        subjects: Subjects,
        left_out: list[Refusal],
        origin: Origin,
    ) -> None:
        self.store = store
        self.origin = origin
        self.spacing = spacing
        self.subjects = subjects
        self.left_out = left_out
        self.imported: list[Imported] = []
        self._noted: list[tuple[str, tuple[str, ...]]] = []
        self._pixels = Pixels()
        self._drawn: set[int] = set()

    def take_all(self, source: Path, entries: Sequence[Entry], on_progress: Progress) -> None:
        """Take one study after the other; those that cannot be used are left out.

        Raises:
            ValueError: If all are, with the first few reasons.
        """
        for number, entry in enumerate(entries, start=1):
            try:
                with one_study(entry.name):
                    self._take(entry)
            except UnusableError as error:
                self.left_out.append(Refusal(entry.name, str(error)))
            on_progress(number, len(entries))
        if not self.imported:
            raise ValueError(why_nothing(source, self.left_out))

    def _take(self, entry: Entry) -> None:
        """Bring one study into the store.

        Raises:
            UnusableError: If it cannot be read or used.
        """
        raw = self.subjects.assigned(entry.read(True))
        remember = self._pixels.check(raw)
        study = self.origin.noted(prepared(raw, self.spacing))
        self.store.add(study)
        remember()
        row = row_of(study)
        self.imported.append(row)
        self._noted.append((study.name, study.notes))
        unseen = set(range(len(self.store.scheme.classes))) - self._drawn
        self._drawn |= {value for value in unseen if (raw.labels == value).any()}

    def report(self) -> ImportReport:
        """All that became of the studies."""
        notes = [
            *self.subjects.notes({row.name: row.subject for row in self.imported}),
            *split_notes(self.imported),
            *odd_splits({row.name: row.split for row in self.imported}),
            *missing_classes(
                self.store.scheme,
                self._drawn,
                sum(bool(row.labelled_frames) for row in self.imported),
            ),
            *summed_up(self._noted),
        ]
        return ImportReport(tuple(self.imported), tuple(self.left_out), tuple(notes))


@dataclass(frozen=True)
class NewImages:
    """Images in files that were listed, and are read one at a time.

    Args:
        entries: The images.
        left_out: What cannot be used, by its name.
        origin: Where they are found.
        subjects: Tells whom each is of.
        spacing: In plane, in mm, that they are brought to.
        modalities: Number that each must have.
    """

    entries: Sequence[Entry]
    left_out: Sequence[Refusal]
    origin: Origin
    subjects: Subjects
    spacing: float
    modalities: int

    @cached_property
    def names(self) -> list[str]:
        """Of the studies, in their order."""
        return [entry.name for entry in self.entries]

    def read(self, number: int) -> Study | Refusal:
        """A study without labels, prepared as ``import_data`` does, or why it cannot be used."""
        entry = self.entries[number]
        try:
            with one_study(entry.name):
                study = _unlabelled(entry, self.subjects, self.modalities, self.spacing)
        except UnusableError as error:
            return Refusal(entry.name, str(error))
        return self.origin.noted(study)


def list_images(
    source: Path,
    *,
    spacing: float,
    modalities: int,
    scheme: LabelScheme,
    layout: str = "auto",
) -> NewImages:
    """New studies, which are not read yet.

    Args:
        source: A NIfTI file, a folder of NIfTI files, or a source in any layout.
        spacing: In plane, in mm, of the studies a segmenter learned from.
        modalities: Number of modalities that the segmenter takes.
        scheme: Of the segmenter's labels.
        layout: One of ``semiqc.exchange.readers.READERS``, or ``"auto"``.

    Raises:
        ValueError: If ``source`` is of no known layout.
    """
    listing = find_images(Path(source), layout, scheme, modalities)
    entries, left_out = without_namesakes(listing)
    subjects = find_subjects([entry.name for entry in entries], None)
    origin = Origin.of(source, listing)
    return NewImages(entries, left_out, origin, subjects, spacing, modalities)


def read_images(source: Path, **how: Any) -> Iterator[Study | Refusal]:  # noqa: ANN401
    """The studies that ``list_images`` finds, one after the other; first what cannot be used.

    Args:
        source: As there.
        how: As there.

    Raises:
        ValueError: As there.
    """
    found = list_images(source, **how)
    yield from found.left_out
    yield from map(found.read, range(len(found.entries)))


def _unlabelled(entry: Entry, subjects: Subjects, modalities: int, spacing: float) -> Study:
    """A study without its labels, prepared.

    Raises:
        UnusableError: If it cannot be read, or has other modalities.
    """
    raw = subjects.assigned(entry.read(False))
    if len(raw.image) != modalities:
        raise UnusableError(
            f"{entry.source.name}: {len(raw.image)} modalities, expected {modalities}"
        )
    return prepared(raw, spacing)


def _with_spacing(
    entries: Sequence[Entry], left_out: list[Refusal], spacing: float | None
) -> tuple[Sequence[Entry], float]:
    """The entries, and the in-plane spacing in mm that all get.

    Where it is not given, it is the median of the entries whose headers can be read; the others
    are left out.

    Raises:
        ValueError: If what is given is no spacing.
    """
    if spacing is not None:
        if not 0 < spacing < float("inf"):
            raise ValueError(f"spacing must be positive mm, got {spacing}")
        return entries, spacing
    readable, spacings = [], []
    for entry in entries:
        try:
            with one_study(entry.name):
                spacings.append(float(np.mean(entry.in_plane_mm())))
            readable.append(entry)
        except UnusableError as error:
            left_out.append(Refusal(entry.name, str(error)))
    return readable, float(np.median(spacings)) if spacings else 1.0
