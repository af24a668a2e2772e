"""Folders that cannot give way to another of their name, such as the volumes of a container.

A mount point cannot be renamed, and what lies beside it is on another disk. Neither can a folder
that lies in one which is not the user's to write. Such a folder is filled instead: what belongs
into it is made whole within it, and then its files and folders are renamed one by one.
"""

import os
from pathlib import Path

PART, BEFORE = ".part", ".old"
"""Folders within one that stays: what is to fill it, and what was in it before."""

LOCK = ".lock"
"""File that keeps other processes out of a folder; it stays where a command was refused."""

OWN = frozenset({PART, BEFORE, LOCK, "lost+found"})
"""Names that are no result: what a killed process left, and what a file system itself has."""

MOUNTS = Path("/proc/self/mountinfo")
"""On Linux also tells of folders that are mounted elsewhere on the same disk."""


def stays(folder: Path) -> bool:
    """Whether there is a folder that no other can take the place of."""
    if not folder.is_dir():
        return False
    place = folder.resolve()
    return is_mount(place) or not os.access(place.parent, os.W_OK | os.X_OK)


def is_mount(path: Path) -> bool:
    """Whether a file or folder is a mount point."""
    if os.path.ismount(path):
        return True
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    name = str(path.parent.resolve() / path.name)
    for sign in "\\ \t\n":
        name = name.replace(sign, f"\\{ord(sign):03o}")
    return any(line.split(" ")[4:5] == [name] for line in mounts)


def is_empty(folder: Path) -> bool:
    """Whether a folder holds no result and nothing of anybody else's."""
    return all(path.name in OWN for path in folder.iterdir())
