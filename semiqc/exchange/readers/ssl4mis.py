"""The layout of SSL4MIS: HDF5 files of a slice or a volume, each with ``image`` and ``label``.

Reference:
    Luo et al., "SSL4MIS", https://github.com/HiLab-git/SSL4MIS

::

    ACDC/
        train.list  val.list  test.list              names of studies; may be missing
        data/slices/patient001_frame01_slice_1.h5    image and label [Y, X]
        data/patient001_frame01.h5                   image and label [Z, Y, X]
    LA/
        0RZDK210BSMWAA6467LU/mri_norm2.h5            image and label [X, Y, Z]

Slices are stacked into the volume that they are of, unless that is there itself. The files tell no
voxel size: 1 mm is taken, which is said.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from semiqc.doors.hdf5_file import reading_hdf5, sound_array
from semiqc.doors.text import read_text
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import LabelValues, Meaning
from semiqc.files.walking import children, files_within
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.headers import MOST_DEFLATED, MOST_VOXELS
from semiqc.schemes import SHORT_AXIS, UNLABELLED, LabelScheme

ENDINGS = (".h5", ".hdf5")
IMAGE, LABEL = "image", "label"
NORMALISED = "mri_norm2"
"""Name of a file of the left atrium's data set, of which only the folder tells the study."""

SPLITS = {"train": "train", "train_slices": "train", "val": "validation", "test": "test"}
LONGEST_LIST = 2**20
NOTE = "the file tells no voxel size: 1 mm is taken, so volumes and masses are in voxels"

_SLICE = re.compile(r"^(?P<volume>.+)_slice_?(?P<number>\d{1,5})$", re.IGNORECASE)


def recognises(source: Path) -> bool:
    """Whether a folder holds, at any depth, an HDF5 file with an image, which no store has."""
    return source.is_dir() and any(_has_image(path) for path in _files(source)[:3])


def _files(source: Path) -> list[Path]:
    return [path for path in files_within(source) if path.name.lower().endswith(ENDINGS)]


def _has_image(path: Path) -> bool:
    try:
        with reading_hdf5(path) as file:
            return isinstance(file.get(IMAGE), h5py.Dataset)
    except UnusableError:
        return False


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Volumes at any depth of a folder, with the split of lists beside them.

    Args:
        source: The folder.
        scheme: Of the labels; by default ``SHORT_AXIS``, whose values are those of ACDC.
        meaning: Value of the scheme of each value in the files, where they are not the same.
    """
    values = LabelValues(scheme or SHORT_AXIS, meaning)
    volumes, lists = _volumes(source), _lists(source)
    missing = [
        Refusal(name, f"{listed}.list names it, and there is no such file")
        for name, listed in lists.items()
        if name not in volumes
    ]
    entry = partial(_entry, values, {name: SPLITS[listed] for name, listed in lists.items()})
    return listing_of(volumes.items(), entry, values.scheme, modalities=("MR",), refusals=missing)


def _volumes(source: Path) -> dict[str, list[Path]]:
    """Files of each study, sorted by the number of the slice."""
    volumes: dict[str, list[Path]] = {}
    slices: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in _files(source):
        name = path.parent.name if path.stem == NORMALISED else path.stem
        if found := _SLICE.match(name):
            slices[found["volume"]].append((int(found["number"]), path))
        else:
            volumes.setdefault(name, [path])
    stacks = {name: [path for _, path in sorted(of)] for name, of in slices.items()}
    return stacks | volumes


def _lists(source: Path) -> dict[str, str]:
    """Name of the list, without its ending, of each study that one beside the files names."""
    lists = {}
    for path in children(source):
        if path.suffix == ".list" and path.stem in SPLITS and path.is_file():
            for line in read_text(path, most=LONGEST_LIST).split():
                name = line.removesuffix(".h5")
                found = _SLICE.match(name)
                lists[found["volume"] if found else name] = path.stem
    return lists


def _entry(
    values: LabelValues, splits: Mapping[str, str], text: str, paths: Sequence[Path]
) -> Entry:
    """A volume to be read.

    Raises:
        UnusableError: If a slice between others is missing.
    """
    name = safe_name(text)
    found = [_SLICE.match(path.stem) for path in paths]
    numbers = [int(one["number"]) for one in found if one]
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise UnusableError(f"{text}: slices are missing or doubled, got {numbers}")
    read = partial(_read, name, tuple(paths), values, splits.get(text, ""))
    return Entry(name, paths[0], lambda: (1.0, 1.0), read)


def _read(
    name: str, paths: Sequence[Path], values: LabelValues, split: str, with_labels: bool
) -> RawStudy:
    """A volume of one frame."""
    most = MOST_VOXELS // len(paths)
    parts = [_arrays(path, with_labels, most) for path in paths]
    if len({image.shape for image, _ in parts}) > 1:
        raise UnusableError(f"{name}: its slices are of different size")
    image = _stacked([image for image, _ in parts])
    drawn = [labels for _, labels in parts if labels is not None]
    if drawn and len(drawn) < len(parts):
        raise UnusableError(f"{name}: some of its slices have no {LABEL}")
    notes = [NOTE]
    labels = np.full(image.shape, UNLABELLED, np.int8)
    if drawn:
        labels = values.understood(_stacked(drawn), paths[0].name, notes)
    return RawStudy(
        name=name,
        image=image[None, None],
        labels=labels[None],
        spacing=(1.0, 1.0, 1.0),
        affine=np.eye(4),
        split=split,
        source=str(paths[0]),
        warnings=tuple(notes),
    )


def _stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Slices as a volume; a volume is not copied, which may take a gibibyte."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _arrays(path: Path, with_labels: bool, most: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Image and labels of a file, ``[Z, Y, X]``, of ``most`` voxels at most.

    Raises:
        UnusableError: If it cannot be read, or they are no slice or volume of numbers.
    """
    with reading_hdf5(path, path.name) as file:
        image = _array(path, file, IMAGE, most)
        labels = _array(path, file, LABEL, most) if with_labels and LABEL in file else None
    if labels is not None and labels.shape != image.shape:
        raise UnusableError(f"{path.name}: {LABEL} {labels.shape}, {IMAGE} {image.shape}")
    return image, labels


def _array(path: Path, file: h5py.File, key: str, most: int) -> NDArray[Any]:
    """One data set, ``[Z, Y, X]``; bounded before it is read."""
    found = sound_array(path.name, key, file.get(key))
    if found.ndim not in (2, 3) or not prod(found.shape):
        raise UnusableError(f"{path.name}: {key} of shape {found.shape}, expected 2-D or 3-D")
    held = path.stat().st_size
    if prod(found.shape) > min(most, held * MOST_DEFLATED // found.dtype.itemsize):
        raise UnusableError(
            f"{path.name}: {key} claims shape {found.shape}, more than {most} voxels or than a"
            f" file of {held} bytes can hold"
        )
    array: NDArray[np.float32] = found.astype(np.float32)[()]
    if not np.isfinite(array).all():
        raise UnusableError(f"{path.name}: {key} holds values that are NaN or infinite")
    if array.ndim == 2:
        return array[None]
    return array.transpose(2, 1, 0) if path.stem == NORMALISED else array
