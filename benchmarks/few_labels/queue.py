"""Arms in processes of their own, several side by side."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.few_labels.arms import Arm

PAUSE = 0.5
"""Seconds between two looks at the processes."""


@dataclass(frozen=True)
class How:
    """How arms are run.

    Args:
        store: The data.
        output: Folder of runs, figures and tables.
        jobs: Processes side by side.
        ends: When what runs is ended, by ``time.monotonic``.
        is_apart: Whether every arm has a run folder of its own. Otherwise loops that can use one
            supervised segmenter share theirs, and wait for each other.
        is_probe: Whether arms only train, and tell how fast they are.
    """

    store: Path
    output: Path
    jobs: int
    ends: float
    is_apart: bool = False
    is_probe: bool = False


class Queue:
    """Runs arms, of each run folder one at a time.

    Args:
        how: They are run.
        arms: In order.
        changes: Of settings, for each arm.
        on_end: Called after an arm has ended.

    Attributes:
        failed: Arms whose process failed.
    """

    def __init__(
        self,
        how: How,
        arms: Sequence[Arm],
        changes: Callable[[Arm], list[str]],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.how = how
        self.changes = changes
        self.on_end = on_end
        self.waiting = list(arms)
        self.running: dict[Arm, subprocess.Popen[bytes]] = {}
        self.failed: list[Arm] = []

    def work(self) -> None:
        """Run all arms, until the time is up."""
        try:
            while self.waiting or self.running:
                self._start()
                time.sleep(PAUSE)
                self._finish()
                if time.monotonic() > self.how.ends and (self.running or self.waiting):
                    cut, left = len(self.running), len(self.waiting)
                    print(f"time is up: {cut} arms cut off, {left} not begun", flush=True)
                    return
        finally:
            self._stop()

    def _start(self) -> None:
        """Begin what there is room for."""
        while len(self.running) < self.how.jobs:
            busy = set() if self.how.is_apart else {arm.cell for arm in self.running}
            arm = next((one for one in self.waiting if one.cell not in busy), None)
            if arm is None:
                return
            self.waiting.remove(arm)
            if not self.how.is_probe and is_done(self.how.output, arm, self.changes(arm)):
                print(f"found {arm}", flush=True)
                continue
            print(f"begin {arm}", flush=True)
            self.running[arm] = self._process(arm)

    def _process(self, arm: Arm) -> "subprocess.Popen[bytes]":
        how, log = self.how, log_file(self.how.output, arm)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.few_labels.work"]
        command += [str(how.store), str(how.output), str(arm)]
        command += [part for change in self.changes(arm) for part in ("--set", change)]
        command += ["--apart"] * how.is_apart + ["--probe"] * how.is_probe
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        with log.open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)

    def _finish(self) -> None:
        """Note what has ended."""
        ended = [arm for arm, process in self.running.items() if process.poll() is not None]
        for arm in ended:
            if self.running.pop(arm).returncode:
                self.failed.append(arm)
                log = log_file(self.how.output, arm)
                print(f"failed {arm}: {_last_line(log)} ({log})", flush=True)
            else:
                print(f"done {arm}", flush=True)
        if ended:
            self.on_end()

    def _stop(self) -> None:
        """End the processes that still run; a later call goes on where they stood."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait()


def log_file(output: Path, arm: Arm) -> Path:
    """What the process of an arm says."""
    return output / "logs" / f"{arm.name}.txt"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"


def is_done(output: Path, arm: Arm, changes: Sequence[str]) -> bool:
    """Whether an arm was run with these changes of settings."""
    file = output / "arms" / arm.name / "arm.json"
    if not file.exists():
        return False
    described = json.loads(file.read_text(encoding="utf-8"))
    return bool(described["arm"] == str(arm) and described["changes"] == list(changes))
