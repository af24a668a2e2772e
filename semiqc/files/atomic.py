"""Files that are written whole or not at all."""

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"

SPARE = 2**22
"""Bytes of an HDF5 file besides the voxels at hand: what it keeps back, and its tables."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block ends well.

    Whoever reads ``path`` sees what stood there before or all of what was written, also after a
    crash. A block that fails leaves nothing behind; what a killed process left is removed by the
    next that writes ``path``.
    """
    make_folder(path.parent)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _naming(path):
            yield temporary
        # Some libraries write files that nobody else may read.
        temporary.chmod(0o666 & ~_umask())
        sync_file(temporary)
        temporary.replace(path)
        sync_file(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let what the system refuses name a path where it names none, as with a full disk."""
    full = os.strerror(errno.ENOSPC)
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except Exception as error:
        # Safetensors has an error of its own.
        if full not in str(error):
            raise
        raise OSError(errno.ENOSPC, full, str(path)) from error


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


def unfinished_folder(path: Path) -> Path:
    """Where ``whole_folder`` keeps what is to become ``path``."""
    return path.with_name(f".{path.name}{PART}")


def is_unfinished(name: str) -> bool:
    """Whether a name is one that ``unfinished_folder`` gives."""
    return name.startswith(".") and name.endswith(PART)


@contextmanager
def whole_folder(path: Path, *, goes_on: bool = False) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` once the block ends well.

    A block that fails leaves nothing behind, and what a killed process left is removed first. A
    folder that stands at ``path`` is there until the new one is on disk; what a crash between the
    two renames left aside is put back by the next attempt.

    Args:
        path: Of the folder.
        goes_on: Keep what an attempt left that failed or was killed, and give it to the next one,
            so that work which can go on does.
    """
    path = path.resolve()
    temporary, before = unfinished_folder(path), path.with_name(f".{path.name}.old")
    if before.exists() and not path.exists():
        move(before, path)
    if not goes_on and temporary.exists():
        shutil.rmtree(temporary)
    make_folder(temporary)
    try:
        with _naming(path):
            yield temporary
        sync_folder(temporary)
    except BaseException:
        if not goes_on:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(before, ignore_errors=True)
        move(path, before)
    move(temporary, path)
    if before.exists():
        shutil.rmtree(before)


@contextmanager
def filled_folder(path: Path) -> Iterator[Path]:
    """Where to write what shall lie in a folder.

    It is ``whole_folder`` where the folder is empty or is not there, else the folder itself: what
    a user asks to write beside other files must not replace them.
    """
    if path.is_dir() and any(path.iterdir()):
        yield path
        return
    with whole_folder(path) as unfinished:
        yield unfinished


def make_folder(path: Path) -> None:
    """Make a folder and those that it lies in, so that they are there after a power cut."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_file(one.parent)


def sync_folder(path: Path) -> None:
    """Wait until a folder and all that is in it are on disk."""
    for file in sorted(path.rglob("*")):
        sync_file(file)
    sync_file(path)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder on the same disk, so that its name outlives a power cut."""
    source.replace(target)
    sync_file(target.parent)
    if source.parent != target.parent:
        sync_file(source.parent)


def sync_file(path: Path) -> None:
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


def require_empty(folder: Path) -> None:
    """Make sure, before long work, that a folder can be written and holds nothing.

    Raises:
        FileExistsError: If it holds something.
        OSError: If nothing can be written there.
    """
    require_folder(folder)
    if folder.exists() and any(folder.iterdir()):
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
