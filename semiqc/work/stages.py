"""A run folder whose stages are found again by what they depend on."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semiqc import __version__
from semiqc.files.atomic import whole_folder


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
    only when everything in it is on disk. So what stands there is complete and up to date: a
    killed run goes on behind the last finished stage, and a changed setting redoes only the
    stages it touches.

    Args:
        path: Created with its first stage.
        announce: Told the name of each stage, and whether it was found or has to be made.
    """

    def __init__(
        self, path: Path, announce: Callable[[str, bool], None] = lambda name, found: None
    ) -> None:
        self.path = path
        self.announce = announce
        self.used: list[Path] = []

    def stage(self, name: str, depends: Mapping[str, Any], make: Callable[[Path], None]) -> Stage:
        """The result of ``make``, which is called only if it is not there yet.

        Args:
            name: Of the stage and, with the hash, of its folder.
            depends: All that the result depends on, as JSON can write it.
            make: Fills the folder it is given. The folder of an attempt that was killed is
                given to the next one as it was left.
        """
        described = json.dumps([name, __version__, depends], sort_keys=True)
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        folder = self.path / "stages" / f"{name}-{key}"
        self.used.append(folder)
        found = folder.exists()
        self.announce(name, found)
        if not found:
            with whole_folder(folder) as unfinished:
                make(unfinished)
        return Stage(folder, key)
