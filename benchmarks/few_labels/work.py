"""One arm: `semiqc run` with its settings, timed, and what it leaves for the table.

A process of its own does it: ``python -m benchmarks.few_labels.work STORE OUTPUT ARM [CHANGE]``.
"""

import csv
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.few_labels.arms import LOOPS, Arm
from benchmarks.few_labels.split import read, roles
from semiqc.experiment import read_settings, run
from semiqc.experiment.settings import Settings
from semiqc.files.atomic import whole_file, write_text
from semiqc.files.tables import OverlapRow, read_rows, write_rows
from semiqc.work.folder import read_environment
from semiqc.work.monitor import Tick

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "examples" / "acdc_few_labels.yaml"
STANDARD = ROOT / "examples" / "acdc_few_labels" / "3.csv"

OF_QUALITY_CONTROL = ("train-ladder", "train-fold")
"""Trainings that no segmenter of the table comes from."""


class Stopwatch:
    """Tells of a run in lines, and keeps how long each training took; see ``Monitor``.

    A training that was killed goes on, and its time is added up: it is written every few seconds.

    Args:
        file: Keeps the seconds by the name of the stage.
        report_every: Steps between two reports of a training.
    """

    def __init__(self, file: Path, report_every: int) -> None:
        self.file = file
        self.report_every = report_every
        self.seconds: dict[str, float] = (
            json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        )
        self.stages: list[str] = []

    def stage(self, name: str, found: bool) -> None:
        self.stages.append(name)
        self.note(f"{'found' if found else 'stage'} {name}")

    def note(self, message: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {message}", flush=True)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Tick]:
        name, begun = self.stages[-1], time.monotonic()
        before, written = 0.0, begun
        is_first = True

        def tick(done: int, figures: Mapping[str, float]) -> None:
            nonlocal before, written, is_first
            if is_first and done > self.report_every:
                before = self.seconds.get(name, 0.0)
            is_first = False
            now = time.monotonic()
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


def training_seconds(watch: Stopwatch, arm: Arm) -> float:
    """How long the trainings took that an arm's segmenter comes from."""
    first = f"train-few-seed{arm.seed}"
    return sum(
        watch.seconds.get(name, 0.0)
        for name in dict.fromkeys(watch.stages)
        if name.startswith("train-")
        and not name.startswith(OF_QUALITY_CONTROL)
        and (name != first or LOOPS[arm.loop].builds_on_first)
    )


def settings_of(store: Path, output: Path, arm: Arm, changes: Sequence[str]) -> Settings:
    """Settings of an arm; ``changes`` come last. Its split is written below ``output``."""
    split = output / "splits" / f"{arm.labelled}-draw{arm.draw}.csv"
    with whole_file(split) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("study", "role"))
        writer.writerows(roles(read(STANDARD), arm.labelled, arm.draw).items())
    given = [f"data={store}", f"split.file={split}", f"output={output / 'cells' / arm.cell}"]
    return read_settings(SETTINGS, [*given, *arm.changes(), *changes])


def processor() -> str:
    """Name of the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def work(store: Path, output: Path, arm: Arm, changes: Sequence[str]) -> None:
    """Run an arm, and leave its figures in ``output/arms``."""
    begun = time.monotonic()
    settings = settings_of(store, output, arm, changes)
    cell = settings.output
    cell.parent.mkdir(parents=True, exist_ok=True)
    seconds = output / "seconds" / f"{arm.cell}.json"
    watch = Stopwatch(seconds, settings.training.report_every)
    run(settings, watch)
    folder = output / "arms" / arm.name
    scenario = LOOPS[arm.loop].scenario
    rows = read_rows(cell / "results" / "overlap.csv", OverlapRow)
    write_rows(folder / "overlap.csv", OverlapRow, [r for r in rows if r.scenario == scenario])
    environment = read_environment(cell)
    device = environment["device"]
    described: dict[str, Any] = {
        "arm": str(arm),
        "changes": list(changes),
        "steps": settings.training.steps,
        "batch_size": settings.training.batch_size,
        "training_seconds": training_seconds(watch, arm),
        "all_seconds": time.monotonic() - begun,
        "device": processor() if device == "cpu" else device,
        "environment": environment,
    }
    write_text(folder / "arm.json", json.dumps(described, indent=1) + "\n")


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]), Arm.of(sys.argv[3]), sys.argv[4:])
