"""Whether a place does for what is to be written, asked before long work."""

import errno
import shutil
import tempfile
from pathlib import Path

from semiqc.files.staying import is_empty, is_mount

SPARE = 2**22
"""Bytes of an HDF5 file besides the voxels at hand: what it keeps back, and its tables."""


def refuse_mount(path: Path) -> None:
    """Make sure that another file can take the place of one that stands there.

    Raises:
        OSError: If it is a mount point.
    """
    if path.exists() and is_mount(path):
        raise OSError(f"{path}: is a mount point, which cannot be replaced; name another file")


def require_folder(path: Path) -> None:
    """Make sure, before long work, that files can be written into a folder; it is not made.

    Raises:
        OSError: If it is a file, or nothing can be written there.
    """
    standing = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not standing.is_dir():
        raise NotADirectoryError(f"{standing}: is no folder; name one to write into")
    try:
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{path}: nothing can be written there ({reason})") from error


def require_empty(folder: Path) -> None:
    """Make sure, before long work, that a folder can be written and holds nothing.

    Raises:
        FileExistsError: If it holds something.
        OSError: If nothing can be written there.
    """
    require_folder(folder)
    if folder.exists() and not is_empty(folder):
        raise FileExistsError(f"{folder}: not empty; name another folder")


def require_apart(output: Path, *read: Path) -> None:
    """Make sure that no result is written over what it is made of.

    Args:
        output: Folder or file that is to be written.
        read: Files and folders that are read; what is not there does not count.

    Raises:
        FileExistsError: If the output is one of them, or the folder of one of the files.
    """
    place = output.resolve()
    for one in (path for path in read if path.exists()):
        there = one.resolve()
        if place == there or (there.is_file() and place == there.parent):
            raise FileExistsError(f"{output}: {one} is read from there; name another place")


def require_space(path: Path, needed: int) -> None:
    """Make sure that a file can grow, before HDF5 runs out of space: it cannot recover from that.

    Args:
        path: Of the file.
        needed: Bytes, at most, that are about to be written.

    Raises:
        OSError: If fewer are free.
    """
    free = shutil.disk_usage(path.parent).free
    if free < needed + SPARE:
        raise OSError(
            errno.ENOSPC,
            f"no space left on device: {free >> 20} MiB free, up to {(needed + SPARE) >> 20} MiB"
            " needed",
            str(path),
        )
