"""Folders that one process writes at a time."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has other locks, and none of folders.
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(folder: Path, called: Path) -> Iterator[None]:
    """Keep other processes from a folder for as long as the block lasts; made where there is none.

    The folder itself is locked, so that a killed process leaves no lock. Where folders know no
    locks, as on some shares, nobody is kept from it.

    Args:
        folder: To write in.
        called: How the message names what is written.

    Raises:
        BlockingIOError: If another process writes it.
    """
    if not fcntl:
        yield
        return
    descriptor = _taken(folder, called)
    try:
        yield
    finally:
        os.close(descriptor)


def _taken(folder: Path, called: Path) -> int:
    """A descriptor of a folder that is locked and stands where it stood when it was opened."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            _lock(descriptor, called)
            # Who had it before may have renamed or removed it.
            if _is_at(folder, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, called: Path) -> None:
    """Lock what is open until it is closed.

    Raises:
        BlockingIOError: If another process has locked it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise BlockingIOError(f"{called}: another process writes it") from None


def _is_at(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def empty(folder: Path) -> None:
    """Remove all that is in a folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
