"""A run folder in which the processes of ``torchrun`` go through the same run together.

The first process makes what is no training, and writes everything. A training is made by all, each
taking its share of every batch; see ``semiqc.together``. All must see the same folder.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from semiqc import together
from semiqc.doors.regular import UnusableError
from semiqc.files.atomic import unfinished_folder
from semiqc.work.stages import RunFolder

DONE, JOINTLY = 0, 1
"""What the first process tells of a stage."""

PATIENCE = 60.0
"""Seconds until a finished stage must be seen by all machines; NFS takes up to 30."""


class LeadingFolder(RunFolder):
    """That of the first process; see ``RunFolder``."""

    def _find_or_make(
        self, name: str, folder: Path, make: Callable[[Path], None], *, joint: bool
    ) -> None:
        def told_and_made(unfinished: Path) -> None:
            if not joint:
                make(unfinished)
                return
            together.told(JOINTLY)
            # The others take over what an attempt that was killed left.
            together.told(DONE)
            with together.jointly():
                make(unfinished)

        super()._find_or_make(name, folder, told_and_made, joint=joint)
        together.told(DONE)


class FollowingFolder(RunFolder):
    """That of the other processes, which leave nothing in it.

    Raises:
        UnusableError: By its stages, if this process does not see what the first one made.
    """

    def _find_or_make(
        self, name: str, folder: Path, make: Callable[[Path], None], *, joint: bool
    ) -> None:
        if together.told(DONE) == JOINTLY:
            with TemporaryDirectory() as scratch:
                # Its name tells whose state is in it.
                own = Path(scratch) / unfinished_folder(folder).name
                shutil.copytree(unfinished_folder(folder), own)
                together.told(DONE)
                with together.jointly():
                    make(own)
            together.told(DONE)
        deadline = time.monotonic() + PATIENCE
        while not folder.exists():
            if time.monotonic() > deadline:
                raise UnusableError(f"{folder}: expected a folder that all processes share")
            time.sleep(0.05)
