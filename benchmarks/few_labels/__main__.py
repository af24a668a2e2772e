r"""Few labels on ACDC's standard split: loops, starts, numbers of labels, draws, seeds.

    semiqc import PATH/TO/acdc/training acdc_full.h5 --spacing 1.5
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels --arms table --jobs 2 \
        --markdown docs/results/few_labels.md
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels --arms bcp:phantom:3:1 draws
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels --arms ablation
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels      # only the table anew

An arm is LOOP:START:LABELLED[:DRAW[:SEED[:VARIANT]]], or a group of them: `table` (every loop,
from both starts, with 3 and 7 labels), `supervised`, `draws` (two more draws of three patients),
`ablation` (one change of the supervised recipe at a time; `VARIANTS` in arms.py). Each is a
process of its own with one thread. What is done is not done again; what was killed goes on where
it stood. Settings of `semiqc run` are changed for all arms by --set, such as --set
training.steps=3000. The tables are written after every arm: table.csv, and Markdown where
--markdown names a file.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.few_labels.arms import GROUPS, Arm, arms_of, refuse_unknown
from benchmarks.few_labels.table import write_tables

PAUSE = 0.5
"""Seconds between two looks at the processes."""


class Queue:
    """Runs arms in processes of their own, of each run folder one at a time.

    Args:
        options: Of the command.
        arms: In order.
    """

    def __init__(self, options: argparse.Namespace, arms: Sequence[Arm]) -> None:
        self.options = options
        self.waiting = list(arms)
        self.running: dict[Arm, subprocess.Popen[bytes]] = {}
        self.failed: list[Arm] = []
        self.ends = time.monotonic() + 60 * options.minutes

    def work(self) -> None:
        """Run all arms, until the time is up."""
        try:
            while self.waiting or self.running:
                self._start()
                time.sleep(PAUSE)
                self._finish()
                if time.monotonic() > self.ends:
                    print(f"time is up: {len(self.running)} arms are cut off, "
                          f"{len(self.waiting)} were not begun", flush=True)  # fmt: skip
                    return
        finally:
            self._stop()

    def _start(self) -> None:
        """Begin what there is room for."""
        while len(self.running) < self.options.jobs:
            busy = {arm.cell for arm in self.running}
            arm = next((one for one in self.waiting if one.cell not in busy), None)
            if arm is None:
                return
            self.waiting.remove(arm)
            if is_done(self.options.output, arm, self.options.set):
                print(f"found {arm}", flush=True)
                continue
            print(f"begin {arm}", flush=True)
            self.running[arm] = self._process(arm)

    def _process(self, arm: Arm) -> subprocess.Popen[bytes]:
        options = self.options
        log = log_file(options.output, arm)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.few_labels.work"]
        command += [str(options.store), str(options.output), str(arm), *options.set]
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={"OMP_NUM_THREADS": "1", **os.environ},
            )

    def _finish(self) -> None:
        """Note what has ended, and write the tables anew."""
        ended = [arm for arm, process in self.running.items() if process.poll() is not None]
        for arm in ended:
            code = self.running.pop(arm).returncode
            if code:
                self.failed.append(arm)
                log = log_file(self.options.output, arm)
                print(f"failed {arm}: {_last_line(log)} ({log})", flush=True)
            else:
                print(f"done {arm}", flush=True)
        if ended:
            tables(self.options)

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
    """Whether an arm was run with these settings."""
    file = output / "arms" / arm.name / "arm.json"
    if not file.exists():
        return False
    described = json.loads(file.read_text(encoding="utf-8"))
    return bool(described["arm"] == str(arm) and described["changes"] == list(changes))


def tables(options: argparse.Namespace) -> None:
    """Write the tables of all that is done."""
    command = " ".join(["python -m benchmarks.few_labels", *sys.argv[1:]])
    write_tables(options.output, options.markdown, command)


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.few_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", type=Path, help="Of `semiqc import`.")
    parser.add_argument("output", type=Path, help="Folder of runs, figures and tables.")
    parser.add_argument("--arms", nargs="*", default=[], help=f"Arms; groups: {', '.join(GROUPS)}")
    parser.add_argument("--seeds", nargs="*", type=int, help="In place of the arms' own seed.")
    parser.add_argument("--jobs", type=int, default=1, help="Processes side by side.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="When to stop.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--markdown", type=Path, help="File for the table in Markdown.")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the arms that are asked for, and write the tables."""
    options = parsed()
    try:
        arms = arms_of(options.arms)
        refuse_unknown(arms)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.seeds:
        arms = [replace(arm, seed=seed) for seed in options.seeds for arm in arms]
    queue = Queue(options, arms)
    queue.work()
    tables(options)
    return 1 if queue.failed else 0


if __name__ == "__main__":
    sys.exit(main())
