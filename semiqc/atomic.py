"""Files that are written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block ends well.

    Whoever reads ``path`` sees what stood there before or all of what was written, also after a
    crash. A block that fails leaves nothing behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name per process, so that what a killed run left is found and overwritten or removed.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
