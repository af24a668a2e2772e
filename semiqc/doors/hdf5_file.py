"""The door of HDF5 files: regular ones only, and arrays of numbers that lie in the file itself."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import h5py
from h5py import h5d, h5g, h5l, h5o, h5t

from semiqc.doors.hdf5_bytes import EXPECTED, refuse_damaged_texts
from semiqc.doors.regular import UnusableError, check_regular, printable, refusing

LARGEST_PART = 2**30
"""Bytes of one frame or modality of an array, and of a chunk."""

MOST_CHUNKS = 2**17
"""Of an array: HDF5 takes 7 KiB and 10 µs for each of those that are read at once."""

MOST_CACHED = 2**20
"""Bytes of headers and indices that HDF5 keeps of a file; by itself it keeps 32 MiB of each file,
in five times as much memory, where a file has thousands of arrays."""

SAFE = (h5t.TypeStringID, h5t.TypeIntegerID, h5t.TypeFloatID)
"""Types of attributes that are read."""


def open_hdf5(path: Path, called: str = "") -> h5py.File:
    """A new handle for reading.

    Args:
        path: The file.
        called: How messages name it; by default its path.

    Raises:
        UnusableError: If it is no regular file, not HDF5, or cut short, or a part of it lies in
            another file.
    """
    called = called or str(path)
    state = check_regular(path, called=called)
    with refusing(called, EXPECTED):
        if state.st_size:
            refuse_damaged_texts(path, called)
        file = bounded(_opened(path))
        try:
            _refuse_others(file, called, (state.st_dev, state.st_ino, state.st_ctime_ns))
        except BaseException:
            file.close()
            raise
        return file


_own: set[tuple[int, int, int]] = set()
"""Files of which this process knows that all their parts lie in them."""


def _refuse_others(file: h5py.File, called: str, identity: tuple[int, int, int]) -> None:
    """Refuse a file of which a part lies in another one: HDF5 would open any, or wait for a pipe.

    Raises:
        UnusableError: Naming the part.
    """
    if identity in _own:
        return
    groups, entered = [h5g.open(file.id, b"/")], set[int]()
    while groups:
        group = groups.pop()
        for name, kind in _links(group):
            part = _part(group, name) if kind == h5l.TYPE_HARD else None
            if kind == h5l.TYPE_EXTERNAL or (isinstance(part, h5d.DatasetID) and _is_far(part)):
                shown = printable(name.decode("utf-8", "replace"))
                raise UnusableError(f"{called}: '{shown}' lies in another file")
            if isinstance(part, h5g.GroupID) and (at := h5o.get_info(part).addr) not in entered:
                entered.add(at)
                groups.append(part)
    _own.add(identity)


def _links(group: h5g.GroupID) -> list[tuple[bytes, int]]:
    """Names in a group and kinds of their links; none of a damaged one, which nobody can read."""
    found: list[tuple[bytes, int]] = []
    try:
        group.links.iterate(lambda name, info: found.append((name, info.type)), info=True)
    except (OSError, RuntimeError, ValueError):
        return []
    return found


def _part(group: h5g.GroupID, name: bytes) -> Any:  # noqa: ANN401
    """What stands in a group; None of what is damaged."""
    try:
        return h5o.open(group, name)
    except (OSError, RuntimeError, ValueError, KeyError):
        return None


def _is_far(array: h5d.DatasetID) -> bool:
    """Whether the numbers of an array lie elsewhere."""
    plan = array.get_create_plist()
    return plan.get_layout() == h5d.VIRTUAL or bool(plan.get_external_count())


def _opened(path: Path, locks: Sequence[bool | None] = (None, False, True)) -> h5py.File:
    """The file, locked as this process has it open already, or else can open it.

    Reading needs no lock, which some file systems refuse and other programs may hold.
    """
    locking, *others = locks
    try:
        # Chunks are slices drawn at random: a cache would keep 1 MiB of each array in vain.
        return h5py.File(path, "r", rdcc_nbytes=0, locking=locking)
    except OSError as error:
        if not others or " lock" not in str(error):
            raise
        return _opened(path, others)


def bounded(file: h5py.File) -> h5py.File:
    """The same file, of whose headers and indices no more than ``MOST_CACHED`` bytes are kept."""
    config = file.id.get_mdc_config()
    config.set_initial_size = True
    config.initial_size = config.min_size = MOST_CACHED // 2
    config.max_size = MOST_CACHED
    file.id.set_mdc_config(config)
    return file


class Attributes(Mapping[str, Any]):
    """Texts and numbers beside a group or array; those of any other type are not there.

    HDF5 ends the process where a damaged attribute claims to hold values of any length.

    Args:
        owner: A file, group or array.
    """

    def __init__(self, owner: h5py.HLObject) -> None:
        self._stored: Any = owner.attrs

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        if not isinstance(self._stored.get_id(name).get_type(), SAFE):
            raise KeyError(name)
        return self._stored[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


@contextmanager
def reading_hdf5(path: Path, called: str = "") -> Iterator[h5py.File]:
    """A file for as long as it is read from; what HDF5 says of its parts is refused alike.

    Raises:
        UnusableError: As ``open_hdf5``, and where a part that is read is damaged.
    """
    called = called or str(path)
    with open_hdf5(path, called) as file, refusing(called, EXPECTED):
        yield file


def sound_array(called: object, name: str, found: Any) -> h5py.Dataset:  # noqa: ANN401
    """An array of numbers whose parts fit in memory and lie in the file itself.

    Args:
        called: How messages name the file.
        name: Of what was found in it.
        found: What stands there.

    Raises:
        UnusableError: If it is something else.
    """
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        raise UnusableError(f"{called}: '{name}' lies in another file")
    if (
        not isinstance(found, h5py.Dataset)
        or found.dtype.kind not in "biuf"
        or found.shape is None  # HDF5 may give a type and no room for numbers.
    ):
        raise UnusableError(f"{called}: '{name}' is no array of numbers")
    _check_claim(called, name, found)
    return found


def _check_claim(called: object, name: str, found: h5py.Dataset) -> None:
    """Refuse an array of which a part, or what HDF5 needs to find its parts, is too large.

    Raises:
        UnusableError: With what it claims, and the limit.
    """
    claims = f"{called}: '{name}' claims shape {found.shape} in chunks of {found.chunks}"
    frame = prod(found.shape[1:]) * found.dtype.itemsize
    chunk = prod(found.chunks or (1,)) * found.dtype.itemsize
    if max(frame, chunk) > LARGEST_PART:
        raise UnusableError(
            f"{claims}, expected {LARGEST_PART >> 20} MiB at most for each of the first axis"
        )
    if found.chunks and chunks_of(found.shape, found.chunks) > MOST_CHUNKS:
        raise UnusableError(f"{claims}, expected {MOST_CHUNKS} chunks at most")


def chunks_of(shape: Sequence[int], chunk: Sequence[int]) -> int:
    """How many chunks an array is kept in.

    Args:
        shape: Of the array.
        chunk: Of each.
    """
    return prod(-(-length // step) for length, step in zip(shape, chunk, strict=True))
