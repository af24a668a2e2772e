"""Segmentations in files, of studies that a store holds.

A file is matched to a study by its name, as ``readers.matching`` does. One of a whole study is
named like the study; one of a single frame is named ``NAME_frameTT``, as ACDC, nnU-Net data sets
and ``semiqc export`` do. Programs count frames from 0 or from 1, and where only ED and ES were
imported, ACDC's numbers are those of a cine that is not there: see ``frame_numbers``. A file lies
on the grid of the study's source or on the study's own.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.readers.matching import segmentations_by_name
from semiqc.exchange.readers.nifti import LabelValues
from semiqc.files.store.reader import Store
from semiqc.images.raw import Refusal, UnusableError, safe_name
from semiqc.images.resampling import resample_image, resample_labels
from semiqc.nifti.files import difference, read_header
from semiqc.nifti.grids import own_grid, source_grid
from semiqc.nifti.headers import Header
from semiqc.study import Study

Number = TypeVar("Number", np.int8, np.float32)

FRAME_NAME = re.compile(r"^(?P<study>.+)_frame(?P<number>\d{1,4})$", re.IGNORECASE)


@dataclass(frozen=True)
class SegmentedFile:
    """A file that segments a study of a store.

    Args:
        path: Of the file.
        study: Name of the study.
        frame: Which of the study's frames, from 0; None of a file that holds all.
        name: What the file is named after: the study, or one of its frames.
    """

    path: Path
    study: str
    frame: int | None
    name: str = ""


def find_segmented(source: Path, store: Store) -> tuple[list[SegmentedFile], list[Refusal]]:
    """Files of studies of a store that have a reference, and what is left out.

    Args:
        source: A file or a folder of files.
        store: Of the studies.

    Raises:
        ValueError: If there is no such file or folder, it holds no image, or nobody can tell
            whether frames are counted from 0 or from 1.
    """
    names = set(store.names)
    whole, single, left_out = [], [], []
    for text, files in segmentations_by_name(source, names).items():
        try:
            name = safe_name(text)
            path = _only(files)
            found = FRAME_NAME.match(name)
            if name in names:
                whole.append(SegmentedFile(path, name, None, name))
            elif found and found["study"] in names:
                single.append(SegmentedFile(path, found["study"], int(found["number"]), name))
            else:
                raise UnusableError(f"{path.name}: {store.path.name} has no study {name}")
        except UnusableError as error:
            left_out.append(Refusal(text, str(error)))
    return [*whole, *_counted_from_0(single, store, source)], left_out


def _only(files: Sequence[Path]) -> Path:
    """The one file of a name.

    Raises:
        UnusableError: If there are several.
    """
    if len(files) > 1:
        listed = ", ".join(file.name for file in files)
        raise UnusableError(f"{listed}: several segmentations of one image")
    return files[0]


def _counted_from_0(
    files: Sequence[SegmentedFile], store: Store, source: Path
) -> list[SegmentedFile]:
    """The same files with frames as the store counts them."""
    numbers: dict[str, list[int]] = {}
    for file in files:
        numbers.setdefault(file.study, []).append(file.frame or 0)
    meaning = {
        (name, number): frame
        for name, of_study in frame_numbers(numbers, store, source).items()
        for number, frame in of_study.items()
    }
    return [replace(file, frame=meaning[file.study, file.frame or 0]) for file in files]


def frame_numbers(
    numbers: Mapping[str, Sequence[int]], store: Store, source: Path
) -> dict[str, dict[int, int]]:
    """Frame of the store for each number that files of its studies bear.

    All files of a folder count alike, from 0 or from 1: so that no number is beyond a study's
    frames, and most labelled frames are met. Where a study holds nothing but labelled frames, as
    many as there are files, and the numbers are beyond them, the files are these in order.

    Raises:
        ValueError: If both counts would do.
    """
    studies = {name: store.study(name) for name in numbers}
    in_order = {
        name: dict(zip(sorted(set(given)), studies[name].labelled_frames, strict=True))
        for name, given in numbers.items()
        if len(set(given)) == studies[name].frames == len(studies[name].labelled_frames)
        and max(given) > studies[name].frames
    }
    counted = {name: given for name, given in numbers.items() if name not in in_order}
    if not counted:
        return in_order
    fits = [_fit(counted, studies, first) for first in (0, 1)]
    if fits[0] == fits[1]:
        raise ValueError(
            f"{source}: frames in its files' names may be counted from 0 or from 1; segment all"
            " labelled frames, or name whole studies"
        )
    first = int(fits[1] > fits[0])
    return in_order | {
        name: {number: number - first for number in given} for name, given in counted.items()
    }


def _fit(
    numbers: Mapping[str, Sequence[int]], studies: Mapping[str, Study], first: int
) -> tuple[int, int]:
    """How well a count from ``first`` fits: fewer numbers beyond, then more labelled frames."""
    beyond, met = 0, 0
    for name, given in numbers.items():
        frames = {number - first for number in given}
        beyond += len(frames - set(range(studies[name].frames)))
        met += len(frames & set(studies[name].labelled_frames))
    return -beyond, met


def read_frames(
    file: SegmentedFile, study: Study, values: LabelValues, wanted: Collection[int]
) -> dict[int, NDArray[np.int8]]:
    """Labels ``[Z, Y, X]`` of those frames that a file holds, on the study's own grid.

    Those on the grid of the source are resampled as ``semiqc import`` does.

    Args:
        file: Of the study.
        study: Whose labels are not looked at.
        values: How the file's labels are to be understood.
        wanted: Frames.

    Raises:
        UnusableError: If the file is broken, lies on another grid, or has other frames or unknown
            label values.
    """
    grid, is_of_source = grid_of(file.path, study)
    labels = values.read(file.path, grid, [])
    frames = frames_of(file, study, len(labels))
    return {
        frame: _on_own_grid(labels[place], study) if is_of_source else labels[place]
        for frame, place in frames.items()
        if frame in wanted
    }


def grid_of(path: Path, study: Study) -> tuple[Header, bool]:
    """The grid of a study that a file lies on, and whether it is that of the study's source.

    Raises:
        UnusableError: If it lies on neither.
    """
    header, source = read_header(path), source_grid(study)
    if source is not None and not difference(source, header):
        return source, True
    grid = own_grid(study)
    if differs := difference(grid, header):
        # Most programs segment the file that was imported, so that is what is spoken of.
        differs = difference(source, header) if source else differs
        raise UnusableError(f"{path.name}: {differs}")
    return grid, False


def read_segmented(
    file: SegmentedFile, study: Study, values: LabelValues
) -> dict[int, NDArray[np.int8]]:
    """Labels ``[Z, Y, X]`` of the frames that a file holds and that have a reference.

    On the study's own grid; one on the grid of the source is resampled as ``semiqc import`` does.

    Args:
        file: Of the study.
        study: With its reference.
        values: How the file's labels are to be understood.

    Raises:
        UnusableError: If the file is broken, lies on another grid, has other frames or unknown
            label values, or the study has no reference there.
    """
    found = read_frames(file, study, values, study.labelled_frames)
    if not found:
        raise UnusableError(f"{file.path.name}: {study.name} has no reference to grade it by")
    return found


def frames_of(file: SegmentedFile, study: Study, held: int) -> dict[int, int]:
    """Place in the file of each frame of the study that it holds.

    Raises:
        UnusableError: If the file has other frames than its name says.
    """
    wanted = 1 if file.frame is not None else study.frames
    if held != wanted:
        hint = f"; name one of a frame {study.name}_frameTT" if held == 1 else ""
        raise UnusableError(f"{file.path.name}: {held} frames, expected {wanted}{hint}")
    return {file.frame: 0} if file.frame is not None else {t: t for t in range(held)}


def _on_own_grid(labels: NDArray[np.int8], study: Study) -> NDArray[np.int8]:
    """Labels of a frame of the source's file on the grid of the study.

    Raises:
        UnusableError: If they do not come to lie on it.
    """
    return _brought(labels, study, resample_labels)


def probabilities_on_own_grid(
    probabilities: NDArray[np.float32], study: Study
) -> NDArray[np.float32]:
    """Class probabilities ``[C, Z, Y, X]`` on the grid of the source, on that of the study.

    Raises:
        UnusableError: If they do not come to lie on it.
    """
    return _brought(probabilities, study, resample_image)


def _brought(
    found: NDArray[Number], study: Study, resample: Callable[..., NDArray[Number]]
) -> NDArray[Number]:
    recorded = study.geometry.to_source if study.geometry else {}
    if "axes" in recorded:
        before = found.ndim - 3
        found = found.transpose(*range(before), *(before + axis for axis in recorded["axes"]))
    if recorded.get("source_spacing") != recorded.get("study_spacing"):
        (_, *source_mm), (_, *own_mm) = recorded["source_spacing"], recorded["study_spacing"]
        found = resample(found, (source_mm[0], source_mm[1]), (own_mm[0], own_mm[1]))
    if found.shape[-3:] != tuple(study.labels.shape[1:]):
        raise UnusableError(
            f"{study.name}: the segmentation becomes {found.shape[-3:]} voxels, the study has"
            f" {tuple(study.labels.shape[1:])}"
        )
    return found
