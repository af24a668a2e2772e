"""The door of NumPy's archives: named arrays of a known shape, no pickle, bounded in memory."""

import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from semiqc.doors.regular import UnusableError, open_regular, refusing

LARGEST = 2**33
"""Bytes of an archive."""

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""By version of the format."""


def read_npz(path: Path, names: Sequence[str], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The first array of these names in an archive, as float32.

    Args:
        path: Of the archive.
        names: That it may have; others are not looked at.
        shape: That it must have, so that no more is read than fits; 0 along an axis for any
            length up to 256.

    Raises:
        UnusableError: If the file is no such archive, has none of the names, or an array of
            another shape or kind.
    """
    with (
        open_regular(path, most=LARGEST, called=path.name) as file,
        refusing(path.name, "an archive of NumPy arrays"),
        zipfile.ZipFile(file) as archive,
    ):
        held = archive.namelist()
        found = [f"{name}.npy" for name in names if f"{name}.npy" in held]
        if not found:
            known = ", ".join(name.removesuffix(".npy") for name in held[:5]) or "nothing"
            raise UnusableError(f"{path.name}: expected {' or '.join(names)}, it has {known}")
        with archive.open(found[0]) as member:
            return _read(member, path.name, shape)


def _read(member: IO[bytes], called: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array whose header is looked at before memory is taken."""
    version = npy.read_magic(member)
    if version not in HEADERS:
        raise UnusableError(f"{called}: a NumPy array of version {version}, expected 1.0 or 2.0")
    lengths, is_fortran, kind = HEADERS[version](member)
    if not _fits(lengths, shape):
        wanted = ", ".join(str(length) if length else "N" for length in shape)
        raise UnusableError(f"{called}: shape {lengths}, expected ({wanted})")
    if kind.kind not in "fiub" or kind.hasobject:
        raise UnusableError(f"{called}: values of type {kind}, expected numbers")
    count = prod(lengths) * kind.itemsize
    content = member.read(count)
    if len(content) < count:
        raise UnusableError(f"{called}: {len(content)} bytes of an array, expected {count}")
    order: Any = "F" if is_fortran else "C"
    return np.frombuffer(content, kind).reshape(lengths, order=order).astype(np.float32)


def _fits(lengths: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether lengths are those wanted, or where any will do some that a byte can count."""
    pairs = zip(lengths, shape, strict=False)
    return len(lengths) == len(shape) and all(
        length == wanted if wanted else 0 < length <= 256 for length, wanted in pairs
    )
