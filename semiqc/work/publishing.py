"""A run's result, which takes the place of the one before as a whole.

Settings, environment, tables, models, estimators and the report of a run are written beside the
result that stands there, and then renamed into its place one by one. From the first of these
renames on the new result is the run's: a process that was killed between two of them has left
``.next``, and whoever reads the run next carries the renaming to its end.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from semiqc.files.atomic import make_folder, move, sync_folder
from semiqc.files.checksums import MANIFEST, entries_of, write_manifest
from semiqc.files.staying import LOCK as LOCK

SETTINGS = "settings.yaml"
ENVIRONMENT = "environment.json"
REPORT = "report.html"
CARD = "CARD.md"
PARTS = (SETTINGS, ENVIRONMENT, "results", "models", "qc", REPORT, CARD)
"""Of a result."""
NEXT, UNFINISHED, BEFORE = ".next", ".next.part", ".before"
PATIENCE_S = 10.0
"""How long a reader waits for a process that is renaming."""


def publish(run: Path, make: Callable[[Path], None]) -> None:
    """Replace the result of a run; its lock must be held.

    Args:
        run: Its folder.
        make: Fills the folder it is given with the parts of the new result.
    """
    carry_on(run)
    unfinished = run / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    make_folder(unfinished)
    make(unfinished)
    write_manifest(unfinished)
    sync_folder(unfinished)
    move(unfinished, run / NEXT)
    carry_on(run)


def settle(run: Path) -> None:
    """Carry on what a killed process left between two results, before a run is read.

    Raises:
        BlockingIOError: If another process is at it and does not come to an end.
    """
    if not (run / NEXT).exists():
        return
    try:
        with FileLock(run / LOCK, timeout=PATIENCE_S):
            carry_on(run)
    except Timeout:
        raise BlockingIOError(f"{run}: another process works in this run folder") from None


def carry_on(run: Path) -> None:
    """Rename what ``.next`` holds into its place; its lock must be held."""
    new, before = run / NEXT, run / BEFORE
    if not new.exists():
        return
    # The manifest goes last: with it in its place nothing is left to rename.
    if (new / MANIFEST).exists():
        make_folder(before)
        parts = {name.partition("/")[0] for name in entries_of(new)}
        for part in PARTS:
            if (new / part).exists() or part not in parts:
                _take_away(run / part, before / part)
            if (new / part).exists():
                move(new / part, run / part)
        move(new / MANIFEST, run / MANIFEST)
    shutil.rmtree(new)
    shutil.rmtree(before, ignore_errors=True)


def _take_away(path: Path, target: Path) -> None:
    """Move a part of the result before out of the way; nothing where there is none."""
    if target.is_dir():
        shutil.rmtree(target)
    if path.exists():
        move(path, target)
