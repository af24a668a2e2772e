"""The stages of a run made by several processes side by side."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue

import torch

from semiqc.experiment.settings import Settings
from semiqc.work.events import tell
from semiqc.work.monitor import Monitor
from semiqc.work.sharing import LOCKS

POLL = 0.1
"""Seconds between two looks at the workers."""


def usual_jobs(settings: Settings) -> int:
    """As many processes as there are cores and independent scenarios; one with a GPU."""
    if torch.cuda.is_available():
        return 1
    return max(1, min(cores(), len(settings.seeds) * len(settings.compared())))


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fan_out(settings: Settings, monitor: Monitor, jobs: int) -> None:
    """Make the stages of a run in several processes; those that are there are left.

    What a worker leaves undone, because it failed or was killed, is left to the others and to who
    called this.

    Args:
        settings: Of the run, with whole paths.
        monitor: Told of workers that ended early.
        jobs: Processes, one thread each where there are as many as cores.
    """
    threads = max(1, cores() // jobs)
    workers = [_begin(settings, number, threads) for number in range(jobs)]
    lines = Lines(workers)
    try:
        _wait_for(workers, lines, monitor)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        lines.close()
        shutil.rmtree(settings.output / LOCKS, ignore_errors=True)


def _begin(settings: Settings, number: int, threads: int) -> subprocess.Popen[str]:
    """Start a worker; it ends with this process."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "semiqc.experiment.worker", str(number), str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the process that began it, which then ends it.
        start_new_session=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )
    assert worker.stdin
    worker.stdin.write(settings.model_dump_json() + "\n")
    worker.stdin.flush()
    return worker


def _wait_for(workers: Sequence[subprocess.Popen[str]], lines: "Lines", monitor: Monitor) -> None:
    """Tell what the workers tell, until the last of them has ended."""
    running = dict(enumerate(workers, 1))
    while running:
        for number, worker in list(running.items()):
            code = worker.poll()
            if code is None:
                continue
            del running[number]
            if code:
                monitor.note(f"worker {number} ended early ({code}); the others go on")
        time.sleep(POLL)
        lines.tell(monitor)


class Lines:
    """What workers write, read as they write it so that none has to wait.

    Args:
        workers: Their processes.
    """

    def __init__(self, workers: Sequence[subprocess.Popen[str]]) -> None:
        self.workers = workers
        self._read: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._follow, args=(number, worker), daemon=True)
            for number, worker in enumerate(workers, 1)
        ]
        for thread in self._threads:
            thread.start()

    def _follow(self, number: int, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout
        for line in worker.stdout:
            self._read.put((number, line))

    def tell(self, monitor: Monitor) -> None:
        """Tell all that was read since the last call."""
        while not self._read.empty():
            number, line = self._read.get()
            tell(line, monitor, f"worker {number}")

    def close(self) -> None:
        """Close what connects this process with workers that have ended."""
        for thread in self._threads:
            thread.join()
        for worker in self.workers:
            for pipe in (worker.stdin, worker.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
