r"""How much faster are two workers than one, and how much memory do they take?

    python benchmarks/workers.py                     # seeds and ladder, one worker and two
    python benchmarks/workers.py --jobs 1 2 4 --steps 600

A run of phantoms with two seeds and a ladder of three rungs, by so many workers, in a folder of
its own. After the stages one process evaluates and writes the report, some seconds however long
the trainings. The tables are compared to the byte. The last line is what the machine's cores give
at all: that many runs by one worker each, which share nothing, side by side. Needs Linux, which
tells of processes in ``/proc``, and idle cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = (
    "name=workers", "seeds=[0, 1]", "scenarios=[few, semiqc]", "gates=[]", "dirty.share=0",
    "phantom.studies=24", "phantom.size=64", "phantom.slices=6", "phantom.frames=6",
    "split.labelled=4", "split.qc=4", "split.validation=0", "split.test=4",
    "online={}", "segmenter.members=1", "training.batch_size=8",
    "training.patch=[64, 64]", "qc.estimators=[svr, physiology]", "gate.k=4",
)  # fmt: skip
COMPARED = ("overlap", "clinical", "judgements", "pseudo")
EVERY = 0.1


def begin(output: Path, jobs: int, steps: int) -> subprocess.Popen[bytes]:
    """A run by so many workers, one thread each."""
    changes = [word for one in (*RUN, f"training.steps={steps}") for word in ("--set", one)]
    command = [sys.executable, "-m", "semiqc", "run", *changes, "--output", str(output)]
    return subprocess.Popen(
        [*command, "--jobs", str(jobs)], env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def run(output: Path, jobs: int, steps: int) -> tuple[float, float, float]:
    """Seconds until the last stage was done, seconds in all, and most MiB of all workers."""
    start, most = time.time(), 0.0
    with begin(output, jobs, steps) as process:
        while process.poll() is None:
            most = max(most, sum(_mib(one) for one in _family(process.pid)))
            time.sleep(EVERY)
    if process.returncode:
        raise RuntimeError(f"the run in {output} failed")
    seconds = time.time() - start
    last = max(one.stat().st_mtime for one in (output / "stages").rglob("*") if one.is_file())
    return last - start, seconds, most


def _family(process: int) -> list[int]:
    try:
        with open(f"/proc/{process}/task/{process}/children") as file:
            return [process, *map(int, file.read().split())]
    except OSError:
        return []


def _mib(process: int) -> float:
    """Resident memory of a process; 0 once it has ended."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def side_by_side(folder: Path, count: int, steps: int) -> float:
    """Seconds of so many runs by one worker each, all at once."""
    start = time.perf_counter()
    for process in [begin(folder / f"alone-{n}", 1, steps) for n in range(count)]:
        if process.wait():
            raise RuntimeError(f"a run in {folder} failed")
    return time.perf_counter() - start


def _main() -> None:
    parser = argparse.ArgumentParser(description="One worker against several.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=150, help="Of each training.")
    options = parser.parse_args()
    print("| workers | stages (s) | times | in all (s) | times | memory of all (MiB) | the same |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        alone, first, known = 0.0, 0.0, b""
        for count in options.jobs:
            output = Path(folder) / str(count)
            shared, seconds, most = run(output, count, options.steps)
            found = b"".join((output / f"results/{one}.csv").read_bytes() for one in COMPARED)
            alone, first, known = alone or shared, first or seconds, known or found
            print(
                f"| {count} | {shared:.0f} | {alone / shared:.2f} | {seconds:.0f} |"
                f" {first / seconds:.2f} | {most:.0f} | {'yes' if found == known else 'NO'} |",
                flush=True,
            )
        if options.jobs[0] == 1:
            count = max(options.jobs)
            seconds = side_by_side(Path(folder), count, options.steps)
            print(f"| {count} runs of 1 | | | {seconds:.0f} | {count * first / seconds:.2f} | | |")


if __name__ == "__main__":
    _main()
