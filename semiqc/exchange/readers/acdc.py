"""The layout of the ACDC challenge: a folder per patient, with or without the whole cycle.

Reference:
    Bernard et al., "Deep Learning Techniques for Automatic MRI Cardiac Multi-structures
    Segmentation and Diagnosis: Is the Problem Solved?", IEEE TMI 2018.
    https://doi.org/10.1109/TMI.2018.2837502

::

    training/                                 or testing/, or the patients alone
        patient001/
            Info.cfg                          lines such as ED: 1, ES: 12, Group: DCM
            patient001_4d.nii.gz              the whole cycle, 4-D; may be missing
            patient001_frame01.nii.gz         the end-diastolic (ED) frame, 3-D
            patient001_frame01_gt.nii.gz      its labels: RV 1, myocardium 2, LV 3
            patient001_frame12.nii.gz         the end-systolic (ES) frame
            patient001_frame12_gt.nii.gz

Frames are counted from 1. Without the cycle the study is of the two frames. With it, ED and ES
must be frames of it, voxel by voxel.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.text import read_text
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    Meaning,
    in_plane_mm,
    placed,
    raw_study,
    read_image,
    stacked,
)
from semiqc.files.walking import children, folders_within
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import ENDINGS, difference, read_voxels
from semiqc.nifti.headers import Header
from semiqc.schemes import SHORT_AXIS, LabelScheme

INFO = "Info.cfg"
SPLITS = {"training": "train", "testing": "test"}
_FRAME = re.compile(r"_frame(\d+)\.(nii(\.gz)?|nrrd|mh[ad])$")


@dataclass(frozen=True)
class Info:
    """What ``Info.cfg`` tells: frames are counted from 1."""

    diastole: int
    systole: int
    group: str

    @property
    def frames(self) -> tuple[int, ...]:
        """The two frames in the order of time."""
        return tuple(sorted({self.diastole, self.systole}))


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Patients of a folder; ``training`` and ``testing`` above them give the split.

    Args:
        source: A patient's folder, or one that holds folders of patients at any depth.
        scheme: Of the labels; by default ``SHORT_AXIS``, whose values are ACDC's.
        meaning: Value of the scheme of each value in the files, where they are not the same.
    """
    values = LabelValues(scheme or SHORT_AXIS, meaning)
    patients = ((folder.name, folder) for folder in _patients(source))
    return listing_of(patients, partial(_entry, values), values.scheme)


def _entry(values: LabelValues, text: str, folder: Path) -> Entry:
    split = SPLITS.get(folder.parent.name.lower(), "")
    read = partial(_read, folder, split, values)
    return Entry(safe_name(text), folder, partial(_in_plane_mm, folder), read)


def recognises(source: Path) -> bool:
    """Whether a folder is or holds folders of patients."""
    return source.is_dir() and bool(_patients(source))


def is_patient(folder: Path) -> bool:
    """Whether a folder looks like that of a patient: its files bear the folder's name."""
    if not folder.is_dir():
        return False
    if (folder / INFO).exists() or _existing(folder, f"{folder.name}_4d") is not None:
        return True
    own = re.compile(re.escape(folder.name) + _FRAME.pattern)
    return any(own.match(file.name) for file in children(folder))


def _patients(source: Path) -> list[Path]:
    """Folders of patients at any depth of a folder, sorted."""
    if is_patient(source):
        return [source]
    return [folder for folder in folders_within(source) if is_patient(folder)]


def _existing(folder: Path, name: str) -> Path | None:
    """The NIfTI file of that stem, compressed or not; None where there is none."""
    return next((p for p in (folder / f"{name}{end}" for end in ENDINGS) if p.exists()), None)


def read_info(path: Path) -> Info:
    """Read ``Info.cfg``.

    Raises:
        UnusableError: If it is missing, or does not give both frames.
    """
    found = _info_lines(path)
    try:
        info = Info(int(found["ED"]), int(found["ES"]), found.get("Group", ""))
    except (KeyError, ValueError):
        raise UnusableError(
            f"{path.name}: expected lines 'ED: number' and 'ES: number',"
            f" got ED {found.get('ED')!r} and ES {found.get('ES')!r}"
        ) from None
    if info.frames[0] < 1:
        raise UnusableError(f"{path.name}: frames are counted from 1, got {info.frames[0]}")
    return info


def _info_lines(path: Path) -> dict[str, str]:
    """What stands behind the colon of each line, by what stands before it."""
    lines = read_text(path, called=path.name).splitlines()
    parts = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in parts if colon}


def _frame_files(folder: Path, info: Info) -> dict[int, Path | None]:
    """The images of the ED and ES frame, by number; None for one that is missing."""
    return {frame: _existing(folder, f"{folder.name}_frame{frame:02d}") for frame in info.frames}


def _label_files(folder: Path, info: Info) -> dict[int, Path]:
    """The labels of the ED and ES frame, by number, as far as there are any."""
    files = {f: _existing(folder, f"{folder.name}_frame{f:02d}_gt") for f in info.frames}
    return {frame: path for frame, path in files.items() if path}


def _in_plane_mm(folder: Path) -> tuple[float, float]:
    """Spacing ``(y, x)`` of the cycle, or of ED where there is none."""
    cine = _existing(folder, f"{folder.name}_4d")
    if cine:
        return in_plane_mm(cine)
    return in_plane_mm(_required_frames(folder, read_info(folder / INFO))[0])


def _required_frames(folder: Path, info: Info) -> list[Path]:
    """The images of ED and ES in the order of time, where there is no cycle.

    Raises:
        UnusableError: If one is missing.
    """
    files = _frame_files(folder, info)
    missing = [
        f"{folder.name}_frame{frame:02d}.nii.gz" for frame, path in files.items() if not path
    ]
    if missing:
        raise UnusableError(f"{' and '.join(missing)}: missing, and there is no 4d file")
    return [path for path in files.values() if path]


def _read(folder: Path, split: str, values: LabelValues, with_labels: bool) -> RawStudy:
    """A patient's study; labels are those of ED and ES."""
    info = read_info(folder / INFO)
    image, voxels, places = _images(folder, info)
    files = _label_files(folder, info) if with_labels else {}
    placed_files = {places[frame]: path for frame, path in files.items()}
    notes: list[str] = []
    labels = placed(placed_files, image, len(voxels), values, notes)
    if with_labels and len(files) == 1 < len(info.frames):
        notes.append("only one of the ED and ES frames has labels")
    return raw_study(
        safe_name(folder.name),
        image,
        [voxels],
        labels,
        warnings=notes,
        group=info.group,
        split=split,
        source=str(folder),
    )


def _images(folder: Path, info: Info) -> tuple[Header, NDArray[Any], dict[int, int]]:
    """The cycle, or ED and ES alone, ``[T, Z, Y, X]``; and which of its frames these two are.

    Returns:
        The header, the voxels, and the place from 0 of each numbered frame.
    """
    cine = _existing(folder, f"{folder.name}_4d")
    if cine is None:
        image, voxels = stacked(_required_frames(folder, info))
        return image, voxels, {frame: place for place, frame in enumerate(info.frames)}
    image = read_image(cine, axes=4)
    voxels = read_voxels(image)
    _check_cine(folder, info, cine, voxels)
    return image, voxels, {frame: frame - 1 for frame in info.frames}


def _check_cine(folder: Path, info: Info, cine: Path, voxels: NDArray[Any]) -> None:
    """Refuse a cycle that is not the one the ED and ES frames were taken from."""
    if info.frames[-1] > len(voxels):
        raise UnusableError(
            f"{INFO}: names frame {info.frames[-1]}, {cine.name} has {len(voxels)}"
        )
    for frame, path in _frame_files(folder, info).items():
        if path is None:
            continue
        single = read_image(path, axes=3)
        differs = difference(read_image(cine), single)
        if differs:
            raise UnusableError(f"{path.name}: {differs}")
        if not np.array_equal(read_voxels(single)[0], voxels[frame - 1]):
            raise UnusableError(f"{path.name}: is not frame {frame} of {cine.name}")
