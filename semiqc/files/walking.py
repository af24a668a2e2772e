"""What lies in a folder that people hand over, without what computers leave there.

Left out are names that begin with a dot, such as the ``._NAME`` that macOS writes beside each file
on foreign disks, and the names in ``LITTER``. Links to folders are followed, each folder once.
"""

import logging
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from semiqc.doors.regular import UnusableError

LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"})
"""Files and folders that operating systems and storage devices make, in lower case."""

MANY = 50_000
"""Files and folders from which on it takes a while to look through them."""

MOST = 5_000_000
"""Files and folders; more are those of a computer, not of a study."""


def is_litter(name: str) -> bool:
    """Whether a file or folder of that name is no user's."""
    return name.startswith(".") or name.lower() in LITTER


def children(folder: Path) -> list[Path]:
    """What lies right in a folder, sorted; nothing where it cannot be read."""
    try:
        return sorted(child for child in folder.iterdir() if not is_litter(child.name))
    except OSError:
        return []


def files_within(folder: Path) -> list[Path]:
    """The regular files at any depth of a folder, sorted; folders that are links are followed."""
    return sorted(path for path in _walk(folder) if path.is_file())


def folders_within(folder: Path) -> list[Path]:
    """The folder and all folders within it at any depth, sorted."""
    return sorted({folder, *(path for path in _walk(folder) if path.is_dir())})


def say_if_large(folder: Path) -> None:
    """Tell the user of a folder that it takes a while to look through."""
    if next(islice(_walk(folder), MANY, None), None) is not None:
        logging.getLogger("semiqc").warning(
            f"{folder}: more than {MANY:,} files and folders, to look through them takes a while"
        )


def _walk(folder: Path) -> Iterator[Path]:
    """All that lies in a folder at any depth.

    Raises:
        UnusableError: If it is far more than what people hand over.
    """
    for number, path in enumerate(_walk_all(folder)):
        if number == MOST:
            raise UnusableError(
                f"{folder}: more than {MOST:,} files and folders; name the folder of the studies"
            )
        yield path


def _walk_all(folder: Path) -> Iterator[Path]:
    """All that lies in a folder at any depth; no folder is entered twice, so that loops end."""
    entered = {_identity(folder)}
    for place, folders, files in os.walk(folder, followlinks=True):
        new = []
        for name in sorted(folders):
            path = Path(place, name)
            identity = _identity(path)
            if not is_litter(name) and identity not in entered:
                entered.add(identity)
                new.append(name)
                yield path
        folders[:] = new
        yield from (Path(place, name) for name in files if not is_litter(name))


def _identity(folder: Path) -> tuple[int, int]:
    """What tells a folder apart, by whatever path it is reached."""
    try:
        found = folder.stat()
    except OSError:
        return (-1, hash(folder))
    return (found.st_dev, found.st_ino)
