"""Where a suite keeps its files, and whether a folder holds one."""

from contextlib import suppress
from pathlib import Path

from qc.suites.shipped import SUITE
from semiqc.files.checksums import MANIFEST, DamagedError, entries_of


def suite_file(folder: Path, name: str) -> Path:
    """Where a suite keeps an estimator, or the blend under the name of the consensus."""
    return folder / f"{name}.safetensors"


def refuse_suite(folder: Path) -> None:
    """Make sure that nothing is overwritten.

    Raises:
        FileExistsError: If the folder holds a suite.
    """
    if (folder / SUITE).exists():
        raise FileExistsError(f"{folder}: holds a suite already; name another folder")


def is_half_saved(folder: Path) -> bool:
    """Whether a process was killed while it saved a suite, before its description."""
    if (folder / SUITE).exists() or not (folder / MANIFEST).exists():
        return False
    with suppress(DamagedError):
        return SUITE in entries_of(folder)
    return False
