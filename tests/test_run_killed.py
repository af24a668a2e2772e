"""A run that is killed in every stage ends with the tables of one that was left alone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_settings import ONLINE, TINY

pytestmark = pytest.mark.slow

TABLES = ("split", "overlap", "clinical", "curves", "judgements")


ONLINE_ALONE = (
    *ONLINE,
    "scenarios=[few, bcp]",
    "gates=[{loop: fixmatch, rule: all, rounds: 2, candidates: [before, views]}]",
)
"""Stretches of online trainings, and a bank that keeps the best of several segmentations."""

OF_ONLINE = "stretch|repair|views"
"""In the names of the stages that no other run has."""


def command(output, settings):
    changes = [part for change in settings for part in ("--set", change)]
    return [sys.executable, "-m", "semiqc", "run", *changes, "--output", str(output)]


def start(output, settings):
    # A process group of its own: its children die with it.
    return subprocess.Popen(
        command(output, settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def unfinished(output):
    return {path.name for path in Path(output).glob("stages/.*.part")}


def run_until_new_stage(output, settings, seen, names):
    """Start the run and kill it as soon as a stage of these names begins that was not seen."""
    process = start(output, settings)
    while process.poll() is None:
        new = {stage for stage in unfinished(output) - seen if re.search(names, stage)}
        if new:
            time.sleep(0.05)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return seen | new
        time.sleep(0.002)
    assert process.returncode == 0
    return None


@pytest.mark.parametrize(("settings", "names"), [(TINY, ""), (ONLINE_ALONE, OF_ONLINE)])
def test_a_run_killed_in_every_stage_ends_with_the_same_tables(settings, names, tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command(undisturbed, settings), check=True, env=environment)
    stages = {path.name for path in (undisturbed / "stages").iterdir()}

    seen, kills = set(), -1
    while seen is not None:
        before = seen
        seen = run_until_new_stage(killed, settings, before, names)
        kills += 1

    # Short stages can end between two looks; most must have been hit.
    assert kills >= 0.7 * len([stage for stage in stages if re.search(names, stage)])
    assert {path.name for path in (killed / "stages").iterdir()} == stages
    for table in TABLES:
        name = f"results/{table}.csv"
        assert (killed / name).read_text() == (undisturbed / name).read_text(), table
