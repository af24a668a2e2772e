"""Workers side by side, and how one of them begins."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from semiqc.doors.regular import UnusableError
from semiqc.files.interrupts import INTERRUPTED, heard
from semiqc.work.engines.base import Begun, Engine, Program

POLL = 0.1
"""Seconds between two looks at the workers."""


Heard = Callable[[int, str], None]
"""Told the number of a worker, from 1, and a line that it wrote."""


def work_side_by_side(
    engine: Engine, programs: Sequence[Program], note: Callable[[str], None], heard: Heard
) -> None:
    """Begin programs, and wait until all have ended.

    Args:
        engine: Where they run.
        programs: Of the workers.
        note: Told of workers that ended early.
        heard: Told what they write.
    """
    workers: list[Begun] = []
    try:
        workers.extend(engine.begin(program) for program in programs)
        _wait_for(workers, [Tail(program.said) for program in programs], note, heard)
    finally:
        for worker in workers:
            worker.end()


def _wait_for(
    workers: Sequence[Begun],
    tails: Sequence["Tail"],
    note: Callable[[str], None],
    heard: Heard,
) -> None:
    running = dict(enumerate(workers, 1))
    while running:
        codes = {number: worker.code() for number, worker in running.items()}
        # What a worker wrote before its end is there by now.
        for number, tail in enumerate(tails, 1):
            for line in tail.lines():
                heard(number, line)
        for number, code in codes.items():
            if code is None:
                continue
            del running[number]
            if code:
                note(f"worker {number} ended early ({code}); the others go on")
        time.sleep(POLL)


class Tail:
    """What is added to a file.

    Args:
        path: Of the file, which may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = 0

    def lines(self) -> list[str]:
        """Whole lines that came since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._place)
                found = file.read()
        except OSError:
            return []
        whole = found[: found.rfind(b"\n") + 1]
        self._place += len(whole)
        return whole.decode("utf-8", "replace").splitlines(keepends=True)


def as_worker(work: Callable[[str, int], None]) -> None:
    """Work as ``python -m MODULE NUMBER THREADS``, on what stands in the line that is given.

    Args:
        work: Called with the line and the number of the worker, from 0.
    """
    import torch

    number, threads = (int(one) for one in sys.argv[1:])
    given = given_line()
    torch.set_num_threads(threads)
    try:
        with heard():
            work(given, number)
    except UnusableError as error:
        sys.exit(f"worker {number + 1}: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def given_line() -> str:
    """The line that a worker is given; from now on it ends with who began it."""
    line = sys.stdin.readline().rstrip("\n")

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    return line
