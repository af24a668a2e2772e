"""The stages of a run made by several processes side by side."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

import torch

from semiqc.experiment.settings import Settings
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
    try:
        _wait_for(workers, monitor)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
        shutil.rmtree(settings.output / LOCKS, ignore_errors=True)


def _begin(settings: Settings, number: int, threads: int) -> subprocess.Popen[str]:
    """Start a worker; it ends with this process."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "semiqc.experiment.worker", str(number), str(threads)],
        stdin=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )
    assert worker.stdin
    worker.stdin.write(settings.model_dump_json() + "\n")
    worker.stdin.flush()
    return worker


def _wait_for(workers: Sequence[subprocess.Popen[str]], monitor: Monitor) -> None:
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
