"""One arm: `semiqc run` with its settings, timed, and what it leaves for the table.

A process of its own does it: ``python -m benchmarks.few_labels.work STORE OUTPUT ARM``.
"""

import argparse
import csv
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.few_labels.arms import LOOPS, Arm
from benchmarks.few_labels.split import read, roles
from semiqc.experiment import read_settings, run
from semiqc.experiment.settings import Settings
from semiqc.files.atomic import whole_file, write_text
from semiqc.files.tables import OverlapRow, read_rows, write_rows
from semiqc.work.folder import read_environment
from semiqc.work.monitor import Silent, Tick
from semiqc.work.split import SPARE

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "examples" / "acdc_few_labels.yaml"
STANDARD = ROOT / "examples" / "acdc_few_labels" / "3.csv"

OF_QUALITY_CONTROL = ("train-ladder", "train-fold")
"""Trainings that no segmenter of the table comes from."""


class EnoughError(Exception):
    """All trainings are done, and no more is asked for."""


class Stopwatch(Silent):
    """Tells of a run in lines, and keeps how long each training took; see ``Monitor``.

    A training that was killed goes on, and its time is added up: it is written every few seconds.

    Args:
        file: Keeps the seconds by the name of the stage.
        report_every: Steps between two reports of a training.
        last: Stage before which the run is left; empty for none.

    Attributes:
        seconds: By stage, of what was made in this run or before.
        rates: Seconds a step, likewise, after the first report; of this run alone.
        steps: Of what was made in this run.
    """

    def __init__(self, file: Path, report_every: int, last: str = "") -> None:
        self.file = file
        self.report_every = report_every
        self.last = last
        self.rates: dict[str, float] = {}
        self.steps: dict[str, int] = {}
        self.seconds: dict[str, float] = (
            json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        )
        self.stages: list[str] = []

    def stage(self, name: str, found: bool) -> None:
        if name == self.last:
            raise EnoughError
        self.stages.append(name)
        self.note(f"{'found' if found else 'stage'} {name}")

    def note(self, message: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {message}", flush=True)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        name, begun = self.stages[-1], time.monotonic()
        self.steps[name] = total
        before, written = 0.0, begun
        first: tuple[int, float] | None = None

        def tick(done: int, figures: Mapping[str, float]) -> None:
            nonlocal before, written, first
            now = time.monotonic()
            if first is None:
                before = self.seconds.get(name, 0.0) if done > self.report_every else 0.0
                first = done, now
            elif done > first[0]:
                self.rates[name] = (now - first[1]) / (done - first[0])
            if now - written > 10:
                written = now
                shown = "  ".join(f"{term} {value:.3f}" for term, value in figures.items())
                self.note(f"{title}: {done} of {total}  {shown}")
                self._keep(name, before + now - begun)

        yield tick
        self._keep(name, before + time.monotonic() - begun)

    def _keep(self, name: str, seconds: float) -> None:
        self.seconds[name] = seconds
        write_text(self.file, json.dumps(self.seconds, indent=1) + "\n")


def trainings(stages: Iterable[str]) -> list[str]:
    """The stages in which segmenters of the table were trained."""
    return [
        name
        for name in dict.fromkeys(stages)
        if name.startswith("train-") and not name.startswith(OF_QUALITY_CONTROL)
    ]


def steps_of(settings: Settings, arm: Arm) -> str:
    """Steps of the first training and of its own that a loop has, such as ``1500+1200``."""
    first = settings.training.steps
    own = {"supervised": [], "offline": [first]}.get(arm.loop, [settings.online.steps])
    return "+".join(map(str, [first, *own]))


def settings_of(
    store: Path, output: Path, arm: Arm, changes: Sequence[str], *, is_apart: bool = False
) -> Settings:
    """Settings of an arm; ``changes`` come last. Its split is written below ``output``.

    Args:
        store: The data.
        output: Folder of all arms.
        arm: To run.
        changes: Of settings.
        is_apart: Whether it shares no run folder with other loops.
    """
    split = output / "splits" / f"{arm.labelled}-draw{arm.draw}.csv"
    with whole_file(split) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("study", "role"))
        # A store that was packed holds none of the unused.
        dealt = roles(read(STANDARD), arm.labelled, arm.draw).items()
        writer.writerows((name, role) for name, role in dealt if role != SPARE)
    cell = output / "cells" / (arm.name if is_apart else arm.cell)
    given = [f"data={store}", f"split.file={split}", f"output={cell}"]
    return read_settings(SETTINGS, [*given, *arm.changes(), *changes])


def processor() -> str:
    """Name of the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def work(
    store: Path, output: Path, arm: Arm, changes: Sequence[str], *, is_apart: bool = False
) -> None:
    """Run an arm, and leave its figures in ``output/arms``; arguments as of ``settings_of``."""
    begun = time.monotonic()
    settings = settings_of(store, output, arm, changes, is_apart=is_apart)
    watch = _watched(settings, output)
    run(settings, watch)
    cell, folder = settings.output, output / "arms" / arm.name
    scenario = LOOPS[arm.loop].scenario
    rows = read_rows(cell / "results" / "overlap.csv", OverlapRow)
    write_rows(folder / "overlap.csv", OverlapRow, [r for r in rows if r.scenario == scenario])
    environment = read_environment(cell)
    device = environment["device"]
    described: dict[str, Any] = {
        "arm": str(arm),
        "changes": list(changes),
        "steps": steps_of(settings, arm),
        "batch_size": settings.training.batch_size,
        "training_seconds": sum(watch.seconds.get(n, 0.0) for n in trainings(watch.stages)),
        "all_seconds": time.monotonic() - begun,
        "device": processor() if device == "cpu" else device,
        "environment": environment,
    }
    write_text(folder / "arm.json", json.dumps(described, indent=1) + "\n")


def probe(
    store: Path, output: Path, arm: Arm, changes: Sequence[str], *, is_apart: bool = False
) -> None:
    """Only train, for a few steps, and leave how long a step and all else took.

    ``output/rates/NAME.json`` has the seconds of a step, all trainings of the run together.
    """
    begun = time.monotonic()
    settings = settings_of(store, output, arm, changes, is_apart=is_apart)
    last = f"predict-{LOOPS[arm.loop].scenario}-test-seed{arm.seed}"
    watch = _watched(settings, output, last)
    with suppress(EnoughError):
        run(settings, watch)
    names = trainings(watch.stages)
    if not all(name in watch.rates for name in names):
        return  # Too few steps to tell, or done before.
    spent = sum(watch.rates[name] * watch.steps[name] for name in names)
    other = time.monotonic() - begun - spent
    found = {"step": spent / sum(watch.steps[n] for n in names), "other": max(0.0, other)}
    write_text(output / "rates" / f"{arm.name}.json", json.dumps(found) + "\n")


def _watched(settings: Settings, output: Path, last: str = "") -> Stopwatch:
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    file = output / "seconds" / f"{settings.output.name}.json"
    return Stopwatch(file, settings.training.report_every, last)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("arm", type=Arm.of)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--apart", action="store_true", help="Share no run folder.")
    parser.add_argument("--probe", action="store_true", help="Only train, and tell how fast.")
    given = parser.parse_args()
    do = probe if given.probe else work
    do(given.store, given.output, given.arm, given.set, is_apart=given.apart)
