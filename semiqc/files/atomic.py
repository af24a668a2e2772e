"""Files that are written whole or not at all."""

import errno
import glob
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from semiqc.files.alone import alone, empty
from semiqc.files.interrupts import stop_if_interrupted
from semiqc.files.places import refuse_mount
from semiqc.files.staying import BEFORE, OWN, PART, is_empty, stays

CAME = "another command wrote it meanwhile; name another place"
"""What is said of something that may not be replaced, and was not there before."""


@contextmanager
def whole_file(path: Path, *, replaces: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block ends well.

    Whoever reads ``path`` sees what stood there before or all of what was written, also after a
    crash. A block that fails leaves nothing behind; what a killed process left is removed by the
    next that writes ``path``.

    Args:
        path: Of the file.
        replaces: Whether it may take the place of one that stands there by then.

    Raises:
        FileExistsError: If one came to stand there that it may not replace.
        OSError: If no other file can take its place, since it is a mount point.
    """
    refuse_mount(path)
    make_folder(path.parent)
    _remove_those(path.parent.glob(f".{glob.escape(path.name)}.*.tmp"))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _naming(path):
            yield temporary
        # Some libraries write files that nobody else may read; some disks know no rights.
        with suppress(OSError):
            temporary.chmod(0o666 & ~_umask())
        sync_file(temporary)
        stop_if_interrupted()
        if path.exists() and not replaces:
            raise FileExistsError(f"{path}: {CAME}")
        temporary.replace(path)
        sync_file(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let what the system refuses name a path where it names none, as with a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _umask() -> int:
    """The process's, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def is_temporary(path: Path) -> bool:
    """Whether a path is one that ``whole_file`` gives."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left of files that they wrote by ``whole_file``."""
    _remove_those(folder.rglob(".*.tmp"))


def _remove_those(temporary: Iterable[Path]) -> None:
    """Remove temporary files whose process runs no more, or had the number of this one."""
    for leftover in list(temporary):
        process = leftover.name.removesuffix(".tmp").rpartition(".")[2]
        if process.isdecimal() and not _is_another(int(process)):
            leftover.unlink(missing_ok=True)


def _is_another(process: int) -> bool:
    """Whether another process of that number runs, whoever owns it."""
    if process == os.getpid():
        # In a container each process has the number that the one before it had.
        return False
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


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    What safetensors writes into a file itself it writes into another first, whose name nobody
    knows, so that a killed process would leave it.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def unfinished_folder(path: Path) -> Path:
    """Where ``whole_folder`` keeps what is to become ``path``."""
    if stays(path):
        return path / PART
    return path.with_name(f".{path.name}{PART}")


def is_unfinished(name: str) -> bool:
    """Whether a name is one that ``unfinished_folder`` gives."""
    return name.startswith(".") and name.endswith(PART)


@contextmanager
def whole_folder(path: Path, *, goes_on: bool = False, replaces: bool = True) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` once the block ends well.

    A block that fails leaves nothing behind, and what a killed process left is removed first. A
    folder that stands at ``path`` is there until the new one is on disk; what a crash between the
    two renames left aside is put back by the next attempt. One that cannot be replaced is filled,
    file by file; see ``semiqc.files.staying``.

    Args:
        path: Of the folder.
        goes_on: Keep what an attempt left that failed or was killed, and give it to the next one,
            so that work which can go on does. Who asks for it keeps other processes from it.
        replaces: Whether it may take the place of a folder that is not empty by then.

    Raises:
        BlockingIOError: If another process writes the folder.
        FileExistsError: If one came to stand there that it may not replace.
    """
    path = path.resolve()
    temporary, before = unfinished_folder(path), _before(path)
    make_folder(temporary)
    with nullcontext() if goes_on else alone(temporary, path):
        if before.exists() and not path.exists():
            move(before, path)
        if not goes_on:
            empty(temporary)
        try:
            _require(path, replaces=replaces)
            with _naming(path):
                yield temporary
            sync_folder(temporary)
            stop_if_interrupted()
            _require(path, replaces=replaces)
        except BaseException:
            if not goes_on:
                shutil.rmtree(temporary, ignore_errors=True)
            raise
        take_place(temporary, path)


def _require(path: Path, *, replaces: bool) -> None:
    """Refuse a folder that is full and must not be replaced.

    Raises:
        FileExistsError: If it is.
    """
    if not replaces and path.is_dir() and not is_empty(path):
        raise FileExistsError(f"{path}: {CAME}")


def take_place(new: Path, path: Path) -> None:
    """Let a folder that is on disk become ``path``, in place of one that stands there."""
    before = _before(path)
    if path.exists() and not stays(path):
        shutil.rmtree(before, ignore_errors=True)
        # Layers of containers, and folders of others in a shared one, refuse it.
        with suppress(OSError):
            move(path, before)
    if path.exists():
        _fill(path, new)
    else:
        move(new, path)
    if before.exists():
        shutil.rmtree(before)


def _fill(folder: Path, new: Path) -> None:
    """Let what is in ``new`` be all that is in ``folder``; files come last, for they describe.

    A crash in between leaves what was in the folder in ``.old`` within it.
    """
    before = folder / BEFORE
    shutil.rmtree(before, ignore_errors=True)
    make_folder(before)
    for path in [path for path in folder.iterdir() if path.name not in OWN]:
        move(path, before / path.name)
    for path in sorted(new.iterdir(), key=lambda path: (path.is_file(), path.name)):
        move(path, folder / path.name)
    new.rmdir()
    shutil.rmtree(before)


def _before(path: Path) -> Path:
    """Where a folder is put aside for the one that takes its place."""
    return path.with_name(f".{path.name}{BEFORE}")


@contextmanager
def filled_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Where to write what shall lie in a folder.

    It is ``whole_folder`` where the folder is empty or is not there, else the folder itself: what
    a user asks to write beside other files must not replace them.

    Args:
        path: Of the folder.
        overwrite: Whether to write beside what is there.

    Raises:
        BlockingIOError: If another process writes the folder.
        FileExistsError: If it holds something that must not be written beside, or is empty no
            longer at the end of the block.
    """
    if overwrite and path.is_dir() and not is_empty(path):
        with alone(path, path):
            yield path
        return
    with whole_folder(path, replaces=False) as unfinished:
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
    """Rename a file or folder, so that its name outlives a power cut.

    What cannot be renamed, since it lies on another disk or in a layer of a container, is copied.
    """
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(source, target)
        sync_folder(target)
    sync_file(target.parent)
    if source.parent != target.parent:
        sync_file(source.parent)


def sync_file(path: Path) -> None:
    """Wait until a file is on disk, or a folder, as far as its file system can do that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Shares of Windows refuse it of folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
