"""Whether what stands on disk is what was written: ``semiqc verify``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qc.graded.writer import FORMAT as GRADED
from qc.suites.shipped import SUITE
from semiqc.doors.hdf5_file import Attributes, reading_hdf5
from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError
from semiqc.files.checksums import MANIFEST, Damage, DamagedError, damages, entries_of
from semiqc.files.hdf5 import StoreError, check_whole, is_hdf5, is_sealed
from semiqc.files.store.reader import Store
from semiqc.loop_state import damage_of_state, has_state
from semiqc.work.publishing import LOCK, SETTINGS, settle

STAGES = "stages"

ENDINGS = (".h5", ".hdf5")
"""Of files that are damaged where they are no HDF5."""


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is not as it was written.

    Args:
        kind: Store, suite, run or folder.
        files: Number of files with a checksum.
        damaged: Those that are not what was written.
    """

    kind: str
    files: int
    damaged: tuple[Damage, ...]


def verify(path: Path) -> Verified:
    """Check every file of a store, a suite or a run against its checksum.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is none of these. What version 0.1 wrote has no checksums.
    """
    if path.is_file():
        return _verify_file(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if any((path / name).exists() for name in (STAGES, LOCK, SETTINGS)) and not _is_suite(path):
        return _verify_run(path)
    if not (path / MANIFEST).exists() and not _is_suite(path):
        raise ValueError(f"{path}: expected a store, a suite or a run, found no {MANIFEST}")
    found = damages(path) if _has_checksums(path, SUITE) else []
    return Verified("suite" if _is_suite(path) else "folder", _count(path), tuple(found))


def _is_suite(folder: Path) -> bool:
    return (folder / SUITE).exists() or SUITE in _listed(folder)


def _verify_file(path: Path) -> Verified:
    """A store, or another HDF5 file of ours: its seal, and the voxels of each study.

    Raises:
        ValueError: If it is a file of another program, which has no checksum.
    """
    if path.suffix.lower() not in ENDINGS and not is_hdf5(path):
        raise ValueError(f"{path}: expected a store, a suite or a run, found another file")
    try:
        check_whole(path)
        kind = "store" if _is_store(path) else "graded segmentations" if _is_ours(path) else ""
    except (StoreError, OSError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        return Verified("store", 1, (Damage(path, reason),))
    if not kind and not is_sealed(path):
        raise ValueError(f"{path}: expected a store, a suite or a run, found another HDF5 file")
    return Verified(kind or "file", int(is_sealed(path)), ())


def _is_ours(path: Path) -> bool:
    with reading_hdf5(path) as file:
        return Attributes(file).get("format") in (GRADED, GRADED.encode())


def _is_store(path: Path) -> bool:
    """Whether a file is a store; its voxels are read where it has no checksum of its own.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        store = Store(path)
    except StoreError as error:
        if "but not one that" in str(error):
            return False
        raise
    for name in store.names if not is_sealed(path) else ():
        if not store.has_digest(name):
            raise StoreError(f"{path}: voxels of {name} are not those that were written")
    return True


def _verify_run(run: Path) -> Verified:
    """The result of a run, its finished stages and the states of unfinished trainings."""
    settle(run)
    found = damages(run) if _has_checksums(run, "results/data.json") else []
    files = _count(run)
    for stage in sorted((run / STAGES).glob("*")):
        if stage.name.startswith("."):
            reason = damage_of_state(stage)
            found += [Damage(stage, reason)] if reason else []
            files += has_state(stage)
        else:
            found += damages(stage)
            files += _count(stage)
    return Verified("run", files, tuple(found))


def _has_checksums(folder: Path, described: str) -> bool:
    """Whether a folder has a manifest, or should have one by what its description says."""
    if (folder / MANIFEST).exists():
        return True
    try:
        stored = read_object(folder / described)
    except UnusableError:
        return False
    return bool(stored.get("format", 1) != 1 or "has_manifest" in stored)


def _listed(folder: Path) -> Iterator[str]:
    """Names of the files with a checksum."""
    try:
        yield from entries_of(folder)
    except DamagedError:
        return


def _count(folder: Path) -> int:
    return sum(1 for _ in _listed(folder))
