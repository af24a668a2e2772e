"""Arrays in HDF5 files: those read last stay open in each process, read as they are indexed."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from semiqc.doors.hdf5_bytes import SIGNATURE
from semiqc.doors.hdf5_file import Attributes, bounded, open_hdf5, sound_array
from semiqc.doors.regular import UnusableError, check_regular, in_short, open_regular
from semiqc.files.atomic import whole_file
from semiqc.files.seal import BLOCK, MARK, broken_seal, seal
from semiqc.files.sink import hdf5_written


class StoreError(UnusableError):
    """The file is not a store, or lacks what was asked of it."""


Version = tuple[int, int]
"""Time of change and inode of a file: what tells one that was replaced."""


OWN = "semiqc-"
"""Beginning of the formats that this program writes."""

MOST_OPEN = 128
"""Arrays that are kept open: each takes 25 KiB, and a data set may have ten thousand."""

MOST_FILES = 32
"""Files that are kept open: predictions of many studies lie in a file for each hundred."""

_open_files: OrderedDict[tuple[int, Path], tuple[Version, h5py.File]] = OrderedDict()
_open_arrays: OrderedDict[tuple[int, int, str], tuple[h5py.File, h5py.Dataset]] = OrderedDict()


@contextmanager
def _as_store() -> Iterator[None]:
    """Tell what a door refuses as a mistake of a store."""
    try:
        yield
    except UnusableError as error:
        raise StoreError(str(error)) from error


def file_version(path: Path) -> Version:
    """What tells the file that stands at ``path`` from one that stood there before.

    Raises:
        StoreError: If there is no such file.
    """
    with _as_store():
        state = check_regular(path)
    return state.st_mtime_ns, state.st_ino


def is_hdf5(path: Path) -> bool:
    """Whether a regular file begins as HDF5 does, whatever its name ends with."""
    try:
        with open_regular(path) as file:
            start = file.read(BLOCK + len(SIGNATURE))
    except (UnusableError, OSError):
        return False
    return start.startswith((SIGNATURE, MARK)) or start[BLOCK:] == SIGNATURE


def is_own(path: Path) -> bool:
    """Whether a file is one that this program wrote, sound or damaged, and so may replace.

    What version 0.1 wrote has no seal, but its format.
    """
    try:
        with open_regular(path) as file:
            if file.read(len(MARK)) == MARK:
                return True
        with open_hdf5(path) as found:
            return OWN in str(Attributes(found).get("format", ""))
    except (UnusableError, OSError):
        return False


def open_h5(path: Path, version: Version | None = None) -> h5py.File:
    """The file, opened for reading; those that were read last stay open in each process.

    Raises:
        StoreError: If there is no such file, it is not HDF5 or cut short, or it is not of the
            version that is asked for.
    """
    found = file_version(path)
    if version is not None and version != found:
        raise StoreError(f"{path}: was replaced since it was opened")
    key = (os.getpid(), path.resolve())
    known = _open_files.get(key)
    if known is None or known[0] != found:
        with _as_store():
            _open_files[key] = (found, open_hdf5(path))
        while len(_open_files) > MOST_FILES:
            _let_go(next(iter(_open_files)))
    _open_files.move_to_end(key)
    return _open_files[key][1]


def close_h5(path: Path) -> None:
    """Let go of a file that is to be removed; whoever still reads from it goes on."""
    _let_go((os.getpid(), path.resolve()))


def _let_go(key: tuple[int, Path]) -> None:
    """Forget a file and its arrays; HDF5 closes it with its last reader."""
    _, file = _open_files.pop(key, (None, None))
    for array in [name for name, (owner, _) in _open_arrays.items() if owner is file]:
        del _open_arrays[array]


def _array_of(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    """An array of an open file; those that were read last stay open.

    Raises:
        StoreError: If the file holds no such array of numbers.
    """
    # The file is kept beside its arrays, so that no other can have its number meanwhile.
    key = (os.getpid(), id(file), name)
    if key in _open_arrays:
        _open_arrays.move_to_end(key)
        return _open_arrays[key][1]
    try:
        found = file.get(name)
    except Exception as error:
        raise StoreError(f"{path}: '{name}' is damaged ({in_short(error)})") from error
    if found is None:
        raise StoreError(f"{path}: holds no '{name}'")
    with _as_store():
        array = sound_array(path, name, found)
    _open_arrays[key] = file, array
    if len(_open_arrays) > MOST_OPEN:
        _open_arrays.popitem(last=False)
    return array


class H5Voxels:
    """An array in an HDF5 file, which is opened in each process when it is read.

    Args:
        path: The file.
        dataset: Name of the array in it.
        dtype: Type that indexing gives.
        scale: Multiplied with what is read, where not 1.
        labelled_frames: Frames with a label, where the array holds labels.
        version: Of the file, as ``file_version`` gives it; by default what stands there now.

    Raises:
        StoreError: If the file or the array cannot be read, or, when voxels are read, if the
            file was replaced since.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        dtype: type[np.generic],
        *,
        scale: float = 1.0,
        labelled_frames: tuple[int, ...] | None = None,
        version: Version | None = None,
    ) -> None:
        self.path = path
        self.version = version or file_version(path)
        self.name = dataset
        self.dtype = np.dtype(dtype)
        self.scale = scale
        if labelled_frames is not None:
            self.labelled_frames = labelled_frames
        self.shape: tuple[int, ...] = tuple(self._dataset.shape)
        self.ndim = len(self.shape)

    @property
    def _dataset(self) -> h5py.Dataset:
        """The array, opened in this process.

        Raises:
            StoreError: If the file was replaced, or holds no such array.
        """
        return _array_of(self.path, open_h5(self.path, self.version), self.name)

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401
        try:
            found = np.asarray(self._dataset[key], dtype=self.dtype)
        except (OSError, RuntimeError, MemoryError) as error:
            raise StoreError(
                f"{self.path}: '{self.name}' is damaged ({in_short(error)})"
            ) from error
        return found if self.scale == 1 else found * self.dtype.type(self.scale)


def new_file(stack: ExitStack, path: Path, *, replaces: bool = True) -> h5py.File:
    """A sealed file that takes its place at ``path`` once ``stack`` is left without a failure.

    Args:
        stack: That is left when all is written.
        path: Of the file.
        replaces: Whether it may take the place of one that stands there by then.
    """
    with ExitStack() as entered:
        temporary = entered.enter_context(whole_file(path, replaces=replaces))
        entered.enter_context(_sealed(temporary))
        file = bounded(entered.enter_context(hdf5_written(temporary, userblock_size=BLOCK)))
        stack.push(entered.pop_all())
    return file


@contextmanager
def _sealed(path: Path) -> Iterator[None]:
    """Seal a file once it was written and closed."""
    yield
    seal(path)


def is_sealed(path: Path) -> bool:
    """Whether ``new_file`` wrote a file, however damaged; those of earlier versions have no seal.

    Raises:
        StoreError: If it cannot be read.
    """
    file_version(path)
    with path.open("rb") as file:
        start = file.read(BLOCK + len(SIGNATURE))
    return start.startswith(MARK) or start[BLOCK:] == SIGNATURE


def check_whole(path: Path) -> None:
    """Make sure that a file is as ``new_file`` closed it; one of an earlier version has no seal.

    Raises:
        StoreError: If it is not.
    """
    if is_sealed(path) and (reason := broken_seal(path)):
        raise StoreError(f"{path}: not a readable HDF5 file: damaged, {reason}")
