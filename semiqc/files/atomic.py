"""Files that are written whole or not at all."""

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPARE = 2**22
"""Bytes of an HDF5 file besides the voxels at hand: what it keeps back, and its tables."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block ends well.

    Whoever reads ``path`` sees what stood there before or all of what was written, also after a
    crash. A block that fails leaves nothing behind; what a killed process left is removed by the
    next that writes ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        # Some libraries write files that nobody else may read.
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of ``path`` whose process runs no more."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = leftover.name.removesuffix(".tmp").rpartition(".")[2]
        if process.isdecimal() and not _is_running(int(process)):
            leftover.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether there is a process of that number, whoever owns it."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` once the block ends well.

    What an earlier attempt left in the temporary folder is still there, so that work which can
    go on does; a block that fails leaves it for the next attempt.
    """
    temporary = path.with_name(f".{path.name}.part")
    temporary.mkdir(parents=True, exist_ok=True)
    yield temporary
    for file in sorted(temporary.rglob("*")):
        _sync(file)
    _sync(temporary)
    if path.exists():
        shutil.rmtree(path)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
