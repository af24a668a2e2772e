"""Many studies that several workers deal with, each by itself, outside of a run.

A worker claims a part of them at a time, and notes what became of each beside what it made. Who
began the workers reads the notes, and deals with those studies by itself of which there is none.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise, repeat
from pathlib import Path

from semiqc.doors.json_file import read_json
from semiqc.doors.regular import UnusableError, refusing
from semiqc.files.atomic import make_folder, write_text
from semiqc.work.engines.side import Side, side_by_side
from semiqc.work.monitor import Monitor
from semiqc.work.sharing import Sharing

LARGEST = 100
"""Studies of one part at most."""

PARTS = 256
"""Parts, until they are so large: many more than workers, so that all end at about one time."""

FEW = 4
"""Studies for each of which a further worker is worth the seconds that it takes to begin."""


@dataclass(frozen=True)
class Outcome:
    """What became of a study.

    Args:
        name: Of the study.
        left_out: Why there is nothing of it; empty where there is.
        missed: What could not be made of it beside all else, and why; empty where all could.
    """

    name: str
    left_out: str = ""
    missed: str = ""


class Shares:
    """Parts of the studies, and what became of them.

    Args:
        folder: That the workers share.
        names: Of all studies; those of each worker must be the same.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder / "parts"
        self.names = names
        size = min(LARGEST, max(1, len(names) // PARTS))
        ends = [*range(0, len(names), size), len(names)]
        self._parts = [range(*pair) for pair in pairwise(ends)]

    def __enter__(self) -> "Shares":
        """Begin anew, without what a call that was killed noted."""
        shutil.rmtree(self.folder, ignore_errors=True)
        make_folder(self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def work(self, sharing: Sharing, deal: Callable[[int], Outcome]) -> None:
        """Deal with all studies that nobody else deals with, in a worker.

        Args:
            sharing: With the other workers.
            deal: Called with the number of a study, from 0.
        """
        numbers = range(len(self._parts))
        sharing.each([partial(self._work, sharing, deal, number) for number in numbers])

    def _work(self, sharing: Sharing, deal: Callable[[int], Outcome], part: int) -> None:
        with sharing.claim(f"part-{part}"):
            if not self._notes(part).exists():
                found = [asdict(deal(number)) for number in self._parts[part]]
                write_text(self._notes(part), json.dumps(found))

    def outcomes(self) -> Iterator[Outcome | None]:
        """What became of each study, in their order; None where nobody dealt with it."""
        for part, numbers in enumerate(self._parts):
            try:
                found = self._read(part)
            except (OSError, UnusableError):
                found = []
            # A worker that found other studies in the same place has dealt with others.
            told = [one.name for one in found] == [self.names[number] for number in numbers]
            yield from found if told else [None] * len(numbers)

    def _read(self, part: int) -> list[Outcome]:
        rows = read_json(self._notes(part))
        with refusing(self._notes(part), "what became of studies"):
            return [Outcome(**row) for row in rows]

    def _notes(self, part: int) -> Path:
        return self.folder / f"{part}.json"


@contextmanager
def dealt_with(
    names: Sequence[str],
    folder: Path,
    side: Side | None,
    monitor: Monitor,
    on_done: Callable[[], None],
    *,
    module: str,
    given: str,
) -> Iterator[Iterable[Outcome | None]]:
    """What workers have made of studies, while what they noted is there.

    Args:
        names: Of the studies.
        folder: That the workers share.
        side: How many there are, and where; None for none. By default none for few studies.
        monitor: Told what they tell.
        on_done: Called after each study that they deal with.
        module: What a worker runs; see ``semiqc.work.engines.side``.
        given: Line that it reads.

    Yields:
        What became of each study, in their order; None where nobody dealt with it.
    """
    if side is None:
        yield repeat(None, len(names))
        return
    with Shares(folder, names) as shares:
        most = len(names) // FEW
        side_by_side(module, given, folder, side, most=most, monitor=monitor, on_done=on_done)
        yield shares.outcomes()
