"""A run by several processes gives, byte for byte, what one process gives."""

import os
import signal
import subprocess
import sys
import time

import pytest
from run_settings import KEPT, TINY

SMALL = (
    *TINY,
    KEPT,
    "scenarios=[few, semiqc]",
    "qc.estimators=[svr, physiology]",
    "gate.by=consensus",
)
RESULTS = ("split", "overlap", "clinical", "curves", "judgements", "pseudo")


def command(output, jobs):
    changes = [part for change in SMALL for part in ("--set", change)]
    run = [sys.executable, "-m", "semiqc", "run", *changes]
    return [*run, "--jobs", str(jobs), "--output", str(output)]


def start(output, jobs):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command(output, jobs), stdout=subprocess.PIPE, env=environment)


def workers_of(process):
    """Processes that a run has begun."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(children) as file:
        return [int(number) for number in file.read().split()]


def tables(output):
    return {name: (output / f"results/{name}.csv").read_bytes() for name in RESULTS}


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs /proc")
def test_a_killed_worker_loses_nothing_and_the_results_are_those_of_one_process(tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    with start(alone, 1) as process:
        process.communicate()
    with start(shared, 2) as process:
        while process.poll() is None and not list(shared.glob("stages/train-few-*")):
            time.sleep(0.02)
        os.kill(workers_of(process)[0], signal.SIGKILL)
        said = process.communicate()[0].decode()

    assert process.returncode == 0
    assert "(worker 2)" in said
    assert tables(shared) == tables(alone)
    stages = [{path.name for path in (one / "stages").iterdir()} for one in (alone, shared)]
    assert stages[0] == stages[1]
    assert not (shared / "locks").exists()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs /proc")
def test_workers_end_with_the_run_that_began_them(tmp_path):
    with start(tmp_path / "run", 2) as process:
        while not list((tmp_path / "run").glob("stages/.train-*")):
            time.sleep(0.02)
        workers = workers_of(process)
        process.kill()
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{one}") for one in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
