"""The layout of UK Biobank studies as ``ukbb_cardiac`` writes it: short-axis cine, a folder each.

Reference:
    Bai et al., "Automated cardiovascular magnetic resonance image analysis with fully
    convolutional networks", JCMR 2018. https://doi.org/10.1186/s12968-018-0471-x
    https://github.com/baiwenjia/ukbb_cardiac

::

    1234567/
        sa.nii.gz                    the whole cycle, 4-D; may be missing
        sa_ED.nii.gz  sa_ES.nii.gz   two of its frames, 3-D
        label_sa.nii.gz              labels of the cycle, 4-D, zero where nobody annotated; or
        label_sa_ED.nii.gz  label_sa_ES.nii.gz

Labels are LV 1, myocardium 2, RV 3, and are turned into those of ``SHORT_AXIS``. What programs
segmented, ``seg_sa*.nii.gz``, is no label.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
)
from semiqc.files.walking import folders_within
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import ENDINGS, read_voxels
from semiqc.nifti.headers import Header
from semiqc.schemes import SHORT_AXIS, LabelScheme

MEANING = {0: 0, 1: 3, 2: 2, 3: 1}
"""LV 1, myocardium 2, RV 3 in the values of ``SHORT_AXIS``."""

IMAGES = ("sa", "sa_ED", "sa_ES")
ENDS = ("ED", "ES")


def recognises(source: Path) -> bool:
    """Whether a folder is or holds, at any depth, folders with short-axis files."""
    return source.is_dir() and any(map(_is_study, folders_within(source)))


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Studies at any depth of a folder, called as their folders.

    Args:
        source: The folder.
        scheme: Of the labels as they will be; by default ``SHORT_AXIS``.
        meaning: Value of the scheme of each value in the files, where not ``MEANING``.
    """
    values = LabelValues(scheme or SHORT_AXIS, meaning or MEANING)
    studies = ((folder.name, folder) for folder in folders_within(source) if _is_study(folder))
    return listing_of(studies, partial(_entry, values), values.scheme)


def _is_study(folder: Path) -> bool:
    return any(_file(folder, name) for name in IMAGES)


def _file(folder: Path, name: str) -> Path | None:
    """The image of that name, with whatever ending; None where there is none."""
    return next((p for end in ENDINGS if (p := folder / f"{name}{end}").exists()), None)


def _files(folder: Path, prefix: str) -> dict[str, Path]:
    """The files of ED and ES that there are."""
    found = {end: _file(folder, f"{prefix}_{end}") for end in ENDS}
    return {end: path for end, path in found.items() if path}


def _entry(values: LabelValues, text: str, folder: Path) -> Entry:
    first = _file(folder, "sa") or next(iter(_files(folder, "sa").values()))
    read = partial(_read, safe_name(text), folder, values)
    return Entry(safe_name(text), folder, partial(in_plane_mm, first), read)


def _read(name: str, folder: Path, values: LabelValues, with_labels: bool) -> RawStudy:
    """A study of its cycle, or of ED and ES alone."""
    notes: list[str] = []
    image, voxels, frames = _images(folder, notes)
    files = _files(folder, "label_sa") if with_labels else {}
    if set(files) - set(frames):
        notes.append("labels of a frame without its image are not taken")
    places = {frames[end]: path for end, path in files.items() if end in frames}
    labels = placed(places, image, len(voxels), values, notes)
    whole = _file(folder, "label_sa") if with_labels else None
    if whole and not places:
        labels = values.read(whole, image, notes)
        if len(labels) != len(voxels):
            raise UnusableError(f"{whole.name}: {len(labels)} frames, the image {len(voxels)}")
        hide_blank_frames(labels)
    return raw_study(name, image, [voxels], labels, warnings=notes, source=str(folder))


def _images(folder: Path, notes: list[str]) -> tuple[Header, NDArray[Any], dict[str, int]]:
    """The header, the voxels ``[T, Z, Y, X]``, and which frames ED and ES are."""
    ends, cycle = _files(folder, "sa"), _file(folder, "sa")
    if cycle is None:
        image, voxels = stacked(list(ends.values()))
        return image, voxels, {end: number for number, end in enumerate(ends)}
    image = read_image(cycle)
    voxels = read_voxels(image)
    frames = _within(ends, voxels)
    if set(frames) < set(ends):
        notes.append("the cycle does not hold the ED and ES frames")
    return image, voxels, frames


def _within(ends: Mapping[str, Path], cycle: NDArray[Any]) -> dict[str, int]:
    """Which frames of a cycle equal the volumes of ED and ES."""
    volumes = {end: read_voxels(read_image(path, axes=3))[0] for end, path in ends.items()}
    found = {end: frame_like(np.asarray(volume), cycle) for end, volume in volumes.items()}
    return {end: frame for end, frame in found.items() if frame is not None}
