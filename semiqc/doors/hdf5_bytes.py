"""What of an HDF5 file is looked at before HDF5 reads it: texts of any length, kept in heaps.

An object of a heap may have no size, so that HDF5 would never pass it; and HDF5 makes room for as
many bytes as a damaged reference to a text claims, up to 4 GiB, before it looks whether they are
there.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from semiqc.doors.regular import UnusableError

EXPECTED = "a readable HDF5 file"

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""Begins a superblock."""

HEAP = b"GCOL"
"""Begins a global heap, in which HDF5 keeps texts of any length."""

SMALLEST_HEAP = 4096

TEXT = bytes.fromhex("10000000 10000000 01000000 00000800")
"""Within the datatype of a text of any length: the bytes of a reference, and the type of a letter,
which ends it; format specification, section IV.A.2.d."""

SINGLE = {4: b"\2\0", 8: b"\1\0", 12: b"\0\0\0\0\1\0"}
"""How what follows that type begins where there is one text, by where the reference to it stands:
versions 2 and 1 of the dataspace, and the latter behind a datatype that is filled up to eights."""


def refuse_damaged_texts(path: Path, called: str) -> None:
    """Refuse a file of which HDF5 would never end to read a text, or make room for one in vain.

    Args:
        path: Of a file with content.
        called: How messages name it.

    Raises:
        UnusableError: Naming the place.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        length = _length_size(content)
        wrong = [at for at in _places(content, HEAP) if _is_endless(content, at, length)]
        wrong = wrong or [at for at in _places(content, TEXT) if _is_beyond(content, at)]
    if wrong:
        raise UnusableError(f"{called}: not {EXPECTED} (damaged at byte {wrong[0]})")


def _places(content: mmap.mmap, mark: bytes) -> Iterator[int]:
    """Where bytes stand in a file."""
    at = content.find(mark)
    while at >= 0:
        yield at
        at = content.find(mark, at + len(mark))


def _is_beyond(content: mmap.mmap, start: int) -> bool:
    """Whether a text is told to be longer than the file.

    Args:
        content: Of the file.
        start: Where ``TEXT`` stands in it.
    """
    at = start + len(TEXT)
    return any(
        content[at : at + len(mark)] == mark
        and int.from_bytes(content[at + place : at + place + 4], "little") > len(content)
        for place, mark in SINGLE.items()
    )


def _length_size(content: mmap.mmap) -> int:
    """Bytes that a file takes to write a length, by its superblock; 8 where that says nothing."""
    start = next((at for at in _superblocks(len(content)) if content[at : at + 8] == SIGNATURE), 0)
    found = content[start + 8 : start + 15]
    place = 6 if found[:1] in (b"\0", b"\1") else 2
    return found[place] if len(found) == 7 and found[place] in (2, 4, 8, 16, 32) else 8


def _superblocks(size: int) -> Iterator[int]:
    """Where a superblock may begin."""
    yield 0
    at = 512
    while at < size:
        yield at
        at *= 2


def _is_endless(content: mmap.mmap, start: int, length: int) -> bool:
    """Walk a global heap as HDF5's format specification has it, section III.E.

    Args:
        content: Of the file.
        start: Of the heap.
        length: Bytes of a length.
    """

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], "little")

    head = 8 + (length + 7) // 8 * 8
    size = number(start + 8, length)
    # What HDF5 refuses itself, and what by chance looks like a heap, such as a voxel.
    if content[start + 4] != 1 or not SMALLEST_HEAP <= size <= len(content) - start:
        return False
    at, end = start + head, start + size
    while at + head <= end:
        index, size = number(at, 2), number(at + 8, length)
        # Of free room the size holds its head, of an object that of its content, in eights.
        step = (size if index == 0 else head + (size + 7) // 8 * 8) % 2**64
        if step == 0:
            return True
        at += step
    return False
