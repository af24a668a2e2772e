"""Checksums: what a folder held when it was written, and whether it still does.

``manifest.json`` lists every file of a folder with its size and its SHA-256. It is written last,
within the same publishing of the folder, so that whatever was changed since is noticed when the
folder is read: sizes at once, contents by hashing each file once in a process.
"""

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError, in_short
from semiqc.files.atomic import is_temporary, write_text

MANIFEST = "manifest.json"
VERSION = 2
"""Of manifests; since 2 they carry a checksum of their own."""
KEYS = {1: {"version", "files"}, VERSION: {"version", "files", "sha256"}}
AIDS = ("tensorboard",)
"""Folders that no command reads; they are listed, and what reads a folder lets them pass."""
SETTLED_S = 2.0
"""Age from which the time of change tells a file from what was written over it since."""

Identity = tuple[int, int, int, int, int]

_known: dict[Identity, str] = {}


@dataclass(frozen=True)
class Damage:
    """A file that is not what was written.

    Args:
        path: Of the file.
        reason: In words.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: damaged, {self.reason}"


class DamagedError(ValueError):
    """A file is not what was written."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; worked out once in a process while the file stays."""
    identity = identity_of(path)
    if identity not in _known:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not is_settled(identity):
            return found
        _known[identity] = found
    return _known[identity]


def identity_of(path: Path) -> Identity:
    """What tells a file from what was written over it since, once it is settled."""
    state = path.stat()
    # Programs can set the time of a file's content, but not that of its last change.
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def is_settled(identity: Identity) -> bool:
    """Whether a file was changed so long ago that another change would show."""
    return time.time() - max(identity[3:]) / 1e9 >= SETTLED_S


def write_manifest(folder: Path, files: Iterable[str] | None = None) -> None:
    """List files of a folder with their sizes and checksums.

    Args:
        folder: The manifest is written into it.
        files: Relative to the folder, parted by slashes; by default all that stand in it.
    """
    names = _files_in(folder) if files is None else sorted(files)
    entries = {name: entry_of(folder / name) for name in names}
    write_entries(folder, entries)


def write_entries(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a manifest of entries as ``entry_of`` makes them."""
    listed = {"version": VERSION, "sha256": _sha256_of_entries(entries), "files": dict(entries)}
    write_text(folder / MANIFEST, json.dumps(listed, indent=1) + "\n")


def _sha256_of_entries(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Of what a manifest says, which may be damaged itself."""
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def entry_of(content: Path | bytes) -> dict[str, Any]:
    """What a manifest says of a file, or of one with this content."""
    if isinstance(content, bytes):
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {"size": content.stat().st_size, "sha256": sha256_of(content)}


def _files_in(folder: Path) -> list[str]:
    """All files of a folder but its manifest and half-written ones, as a manifest names them."""
    whole = (path for path in folder.rglob("*") if path.is_file() and not is_temporary(path))
    found = (path.relative_to(folder).as_posix() for path in whole)
    return sorted(name for name in found if name != MANIFEST)


def refuse_sealed(output: Path) -> None:
    """Make sure that nothing is written over a file that stands with its checksum elsewhere.

    Args:
        output: File or folder that is to be written.

    Raises:
        FileExistsError: If it is, or holds, a file of a finished run, a suite or a stage.
    """
    place = output.resolve()
    for folder in (place, *place.parents):
        names = _listed(folder) if (folder / MANIFEST).is_file() else ()
        taken = next((n for n in names if (folder / n).resolve().is_relative_to(place)), None)
        if taken is not None:
            raise FileExistsError(
                f"{output}: holds {taken} of what is finished in {folder}; name another place"
                if place != folder / taken
                else f"{output}: is part of what is finished in {folder}; name another place"
            )


def _listed(folder: Path) -> tuple[str, ...]:
    """Files that a folder's manifest lists; none where it is another program's."""
    try:
        return tuple(entries_of(folder))
    except DamagedError:
        return ()


def entries_of(folder: Path) -> dict[str, dict[str, Any]]:
    """What a folder's manifest says, by the names of files.

    Raises:
        DamagedError: If there is no manifest, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        stored = read_object(path)
        files: dict[str, dict[str, Any]] = stored["files"]
        is_sound = KEYS.get(stored["version"]) == set(stored) and all(
            isinstance(one["sha256"], str) and type(one["size"]) is int for one in files.values()
        )
    except (UnusableError, KeyError, TypeError, AttributeError) as error:
        missing = not path.exists()
        reason = "it is missing" if missing else f"cannot be read ({in_short(error)})"
        raise DamagedError(str(Damage(path, reason))) from error
    if is_sound and "sha256" in stored and stored["sha256"] != _sha256_of_entries(files):
        raise DamagedError(str(Damage(path, "its SHA-256 is not that of what it lists")))
    if not is_sound:
        raise DamagedError(str(Damage(path, f"expected version {VERSION} with sizes and SHA-256")))
    return files


def damages(
    folder: Path, *, without: Collection[str] = (), only: Collection[str] | None = None
) -> list[Damage]:
    """Files of a folder that are not what its manifest says; a sound folder has none.

    Args:
        folder: With a manifest; that there is none is a damage.
        without: Folders and files that are passed over.
        only: Names of the files that are looked at; by default all.
    """
    try:
        entries = entries_of(folder)
    except DamagedError as error:
        return [Damage(folder / MANIFEST, str(error).partition(": damaged, ")[2])]
    found = []
    for name, entry in sorted(entries.items()):
        passed = any(PurePosixPath(name).is_relative_to(one) for one in without)
        if not passed and (only is None or name in only):
            reason = damage_of(folder / name, entry)
            found += [Damage(folder / name, reason)] if reason else []
    return found


def damage_of(path: Path, entry: Mapping[str, Any]) -> str:
    """How a file differs from what a manifest says of it, in words; empty where it does not."""
    try:
        if not path.is_file():
            return "it is missing"
        size = path.stat().st_size
        if size != entry["size"]:
            return f"expected {entry['size']} bytes, got {size}"
        return (
            "" if sha256_of(path) == entry["sha256"] else "its SHA-256 is not that of its manifest"
        )
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def refuse_damaged(path: Path) -> None:
    """Make sure that a file is what the manifest of its folder says.

    Raises:
        DamagedError: Naming the file, or the manifest where that is the damaged one.
    """
    found = damages(path.parent, only=[path.name])
    if not found and path.name not in entries_of(path.parent):
        found = [Damage(path, "its manifest does not list it")]
    if found:
        raise DamagedError(str(found[0]))
