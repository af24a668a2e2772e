"""A run folder whose stages are found again by what they depend on."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from semiqc import __version__
from semiqc.files.atomic import (
    make_folder,
    move,
    remove_leftovers,
    unfinished_folder,
    whole_folder,
)
from semiqc.files.checksums import AIDS, MANIFEST, damages, write_manifest
from semiqc.files.interrupts import stop_if_interrupted
from semiqc.files.names import as_file_name
from semiqc.loop_state import damage_of_state
from semiqc.work.sharing import Alone, Sharing

FORMAT = 2
"""Of stages; since 2 each has a manifest, so that one without is damaged."""
T = TypeVar("T")
DAMAGED = "damaged"
"""Folder of a run for stages that were put aside."""


@dataclass(frozen=True)
class Stage:
    """A finished stage.

    Args:
        folder: What it left.
        key: Hash of everything it depended on; what builds on it depends on this key.
    """

    folder: Path
    key: str


class RunFolder:
    """Runs stages, each at most once.

    A stage's folder carries the hash of its name and of all it depends on, and takes its name
    only when everything in it is on disk, with a manifest of its files. So what stands there is
    complete and up to date: a killed run goes on behind the last finished stage, and a changed
    setting redoes only the stages it touches. A stage that was damaged since is put aside, into
    the folder ``damaged``, and made anew.

    Args:
        path: Created with its first stage.
        announce: Told the name of each stage, and whether it was found or has to be made.
        note: Told of what was damaged.
        sharing: With other processes that work in the folder.
    """

    def __init__(
        self,
        path: Path,
        announce: Callable[[str, bool], None] = lambda name, found: None,
        note: Callable[[str], None] = lambda message: None,
        sharing: Sharing | None = None,
    ) -> None:
        self.path = path
        self.announce = announce
        self.note = note
        self.sharing = sharing or Alone()
        self.used: list[Path] = []
        self._sound: set[Path] = set()

    def stage(
        self,
        name: str,
        depends: Mapping[str, Any],
        make: Callable[[Path], None],
        *,
        joint: bool = False,
    ) -> Stage:
        """The result of ``make``, which is called only if it is not there yet.

        Args:
            name: Of the stage and, with the hash, of its folder.
            depends: All that the result depends on, as JSON can write it.
            make: Fills the folder it is given. The folder of an attempt that was killed is
                given to the next one as it was left, if the state in it is sound.
            joint: Whether processes that go through the run together all make it, as a training
                that they share; see ``semiqc.work.joining``.
        """
        described = json.dumps([FORMAT, name, __version__, depends], sort_keys=True)
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        folder = self.path / "stages" / f"{as_file_name(name)}-{key}"
        self.used.append(folder)
        if folder in self._sound:
            return Stage(folder, key)
        with self.sharing.claim(folder.name):
            self._find_or_make(name, folder, make, joint=joint)
        if self.sharing.repeats:
            self._sound.add(folder)
        return Stage(folder, key)

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """What tasks give whose stages are independent of each other; see ``Sharing``."""
        return self.sharing.each(tasks)

    def _find_or_make(
        self, name: str, folder: Path, make: Callable[[Path], None], *, joint: bool
    ) -> None:
        """A stage that is sound stays; ``joint`` is for folders of several processes."""
        if folder.exists():
            self._keep_sound(folder)
        is_found = folder.exists()
        self.announce(name, is_found)
        if is_found:
            return
        left = unfinished_folder(folder)
        if reason := damage_of_state(left):
            self._put_aside(left, reason)
        with whole_folder(folder, goes_on=True) as unfinished:
            remove_leftovers(unfinished)
            if damages(unfinished):
                # An attempt that was killed between its manifest and its name may be half on disk.
                (unfinished / MANIFEST).unlink(missing_ok=True)
                make(unfinished)
                write_manifest(unfinished)

    def _keep_sound(self, folder: Path) -> None:
        """Put a finished stage aside if any of its files is not what was written."""
        if found := damages(folder, without=AIDS):
            self._put_aside(folder, str(found[0]))

    def _put_aside(self, folder: Path, reason: str) -> None:
        """Move a damaged folder to where no stage is looked for, and say so."""
        # Of an interrupt a library may have made an error that looks like damage.
        stop_if_interrupted()
        aside = self.path / DAMAGED
        make_folder(aside)
        name = folder.name.lstrip(".")
        target = next(
            path
            for number in count(1)
            if not (path := aside / (f"{name}-{number}" if number > 1 else name)).exists()
        )
        move(folder, target)
        self.note(f"{reason}; kept as {target}, made anew")
