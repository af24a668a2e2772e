"""Segmentations of the studies of a layout, such as ``semiqc predict`` makes of them.

Each file is named after its study, which may be of many files itself: frames of ACDC, slices of
DICOM. See ``pairs`` for files that are called alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from semiqc.exchange.readers.matching import segmentations_by_name
from semiqc.exchange.readers.nifti import LabelValues
from semiqc.exchange.readers.registry import find_images
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError
from semiqc.nifti.forms import views
from semiqc.nifti.headers import Header


def find_laid_out(
    images: Path,
    segmentations: Path,
    values: LabelValues,
    modalities: int,
    without: Path | None = None,
) -> Listing | None:
    """The studies of a layout with a segmentation each; None if there are none.

    Args:
        images: File or folder in any layout that ``semiqc predict`` takes.
        segmentations: A file, or a folder of them.
        values: How the label values in the files are to be understood.
        modalities: Of an image.
        without: Folder that is not searched for segmentations.
    """
    try:
        listing = find_images(images, "auto", values.scheme, modalities)
        known = {entry.name: entry for entry in listing.entries}
        files = segmentations_by_name(segmentations, known, without)
    except ValueError:
        return None
    if not known.keys() & files.keys():
        return None
    entries = [
        _entry(known[name], of_name[0], values, modalities)
        for name, of_name in files.items()
        if name in known and len(of_name) == 1
    ]
    left_out = [*listing.refusals, *_left_out(known, files)]
    return replace(listing, entries=tuple(entries), refusals=tuple(left_out))


def _left_out(known: Mapping[str, Entry], files: Mapping[str, Sequence[Path]]) -> list[Refusal]:
    """Studies without a segmentation and those of several, and segmentations of none."""
    told = {name: "an image without a segmentation" for name in known if name not in files}
    for name, of_name in files.items():
        listed = ", ".join(file.name for file in of_name)
        if name not in known:
            told[name] = f"{listed}: a segmentation without an image"
        elif len(of_name) > 1:
            told[name] = f"{listed}: several segmentations of one image"
    return [Refusal(name, reason) for name, reason in told.items()]


def _entry(entry: Entry, path: Path, values: LabelValues, modalities: int) -> Entry:
    reading = _Reading(entry, path, values, modalities)
    return replace(entry, read=reading.read, segmentation=path)


@dataclass(frozen=True)
class _Reading:
    """A study that is read with a segmentation in place of its own labels.

    Args:
        entry: The study.
        path: Of the segmentation.
        values: How it is to be understood.
        modalities: That the image must have.
    """

    entry: Entry
    path: Path
    values: LabelValues
    modalities: int

    def read(self, _with_labels: bool) -> RawStudy:
        """The image and the segmentation, which must lie on one grid and have as many frames."""
        raw = self.entry.read(False)
        count, frames = raw.image.shape[:2]
        if count != self.modalities:
            raise UnusableError(f"{raw.name}: {count} modalities, expected {self.modalities}")
        notes: list[str] = []
        try:
            labels = self.values.read(self.path, _grid(raw), notes)
            if len(labels) != frames:
                raise UnusableError(f"{self.path.name}: {len(labels)} frames, expected {frames}")
        except UnusableError as error:
            raise UnusableError(f"segmentation {error}") from error
        return replace(raw, labels=labels, warnings=(*raw.warnings, *notes))


def _grid(raw: RawStudy) -> Header:
    """The grid that a study lies on, as the header of a file that lies there, too."""
    return Header(
        path=Path(raw.name),
        shape=raw.image.shape[:1:-1],
        affine=raw.affine,
        spacing=raw.spacing,
        time_step=None,
        time_unit="",
        offset=0,
        dtype=np.dtype(np.int8),
        scaling=None,
        warnings=(),
        form={},
        views=(raw.affine, *(views(raw.form) if raw.form else ())),
    )
