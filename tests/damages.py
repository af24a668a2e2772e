"""Damages files of stages, states, runs, suites and stores, and looks what becomes of each.

    python tests/damages.py FOLDER [stages | states | runs | suites | stores ...]

A program of its own, like ``killing.py``. A file is damaged, and the command is called that would
use it. That must refuse and name the file, or make anew what was damaged, say so, and end with
the bytes of an undamaged one. It prints a table, and what was used nevertheless.
"""

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from killing import FIT, RUN, alone, begun, content, load

from semiqc.loop_state import STATE
from semiqc.phantom import write_phantoms
from semiqc.work.stages import DAMAGED


def _flipped(path: Path, _: Path) -> None:
    found = bytearray(path.read_bytes())
    if found:
        found[len(found) // 2] ^= 8
    path.write_bytes(found)


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "removed": lambda path, _: path.unlink(),
    "emptied": lambda path, _: path.write_bytes(b""),
    "truncated": lambda path, _: os.truncate(path, path.stat().st_size * 2 // 3),
    "flipped": _flipped,
    "swapped": lambda path, other: shutil.copyfile(other, path),
}
"""By name, what is done to a file; the other is the same file of another run, suite or data."""


@dataclass(frozen=True)
class Use:
    """Files, and the command that would use them.

    Args:
        of: What the files are of.
        files: Patterns below the folder, of which the first match is damaged.
        command: Its words; ``AT`` is the folder.
        anew: Whether the command makes anew what was damaged, instead of refusing.
    """

    of: str
    files: tuple[str, ...]
    command: str
    anew: bool = False


RERUN, GO_ON = "AT/run", "AT/killed"
PREDICT = "predict AT/run AT/data/store.h5 --scenario few -o AT/out/predicted"
EXPORT = "export AT/run AT/out/Dataset501_A"
USES = (
    Use("stages", (
        "run/stages/train-few-*/weights.safetensors", "run/stages/train-few-*/training.csv",
        "run/stages/train-few-*/manifest.json", "run/stages/predict-few-c*/predictions.h5",
        "run/stages/judge-*/qualities.json", "run/stages/qc-*/estimator.safetensors",
    ), RERUN, anew=True),
    Use("stages", ("run/stages/predict-few-c*/predictions.h5",), EXPORT),
    Use("states", (
        "killed/stages/.train-*.part/state.safetensors",
        "killed/stages/.train-*.part/training.csv",
    ), GO_ON, anew=True),
    Use("runs", ("run/models/few-seed0.safetensors", "run/qc/curve-seed0.safetensors"), PREDICT),
    Use("runs", ("run/results/overlap.csv", "run/results/data.json", "run/settings.yaml"),
        "report AT/run"),
    Use("runs", ("run/results/pseudo.csv", "run/manifest.json"), EXPORT),
    Use("suites", ("suite/suite.json", "suite/cnn.safetensors", "suite/manifest.json"),
        "qc evaluate AT/suite AT/other-suite/test.h5 -o AT/out/evaluated"),
    Use("suites", ("suite/test.h5",),
        "qc evaluate AT/other-suite AT/suite/test.h5 -o AT/out/evaluated"),
    Use("stores", ("data/store.h5",), EXPORT),
    Use("stores", ("data/store.h5",), RERUN),
    Use("stores", ("fresh/store.h5",), "qc fit AT/fresh/store.h5 -o AT/out/suite"),
)  # fmt: skip
"""All that is damaged."""
MOVED = (USES[-1], USES[-2], USES[-4])
"""To which another file is no damaged one: nothing tells which it should be."""
FOLDERS = ("data", "run", "killed", "suite", "fresh")


def run_into(folder: Path, data: Path, *more: str) -> list[str]:
    """The words of a run on a store."""
    settings = (*RUN, "split.validation=0", f"data={data}", *more)
    return ["run", *(word for one in settings for word in ("--set", one)), "-o", str(folder)]


def prepare(folder: Path) -> None:
    """Make what is damaged, each with another one to swap files with."""
    for number, name in enumerate(FOLDERS):
        for seed, of in ((number, name), (number + 10, f"other-{name}")):
            if name in ("data", "fresh"):
                store = folder / of / "store.h5"
                store.parent.mkdir()
                write_phantoms(store, studies=9, size=32, slices=3, frames=4, seed=seed)
    store = folder / "data" / "store.h5"
    for of, steps in (("", 4), ("other-", 5)):
        words = run_into(folder / f"{of}run", store, f"training.steps={steps}")
        loaded = folder / "loaded.txt"
        assert alone(words, loaded) is not None
        load(loaded.read_text().splitlines())
        _kill_in_training(run_into(folder / f"{of}killed", store, f"training.steps={steps}"))
        fit = ["qc", "fit", str(store), "-o", str(folder / f"{of}suite"), *FIT]
        assert alone([*fit, "--set", f"cnn.steps={steps - 2}"], loaded) is not None
        load(loaded.read_text().splitlines())
    for name in FOLDERS:
        shutil.copytree(folder / name, folder / "sound" / name)


def _kill_in_training(words: list[str]) -> None:
    """Kill a run once a training has kept its state."""
    process, stages = begun(words), Path(words[-1]) / "stages"
    while not all(list(stages.glob(f".train-*.part/{name}")) for name in (STATE, "training.csv")):
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def cases(kinds: Sequence[str]) -> Iterator[tuple[Use, str, str]]:
    """Every use of these kinds, with each of its files and each damage."""
    for use in USES:
        for file in use.files if use.of in kinds else ():
            yield from ((use, file, kind) for kind in DAMAGES)


class Bench:
    """Damages one file after the other in a prepared folder.

    Args:
        folder: As ``prepare`` leaves it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected = content(folder / "run")

    def becomes(self, use: Use, file: str, kind: str) -> str:
        """What becomes of a damage: refused, made anew, no damage; else what is wrong."""
        for name in FOLDERS:
            shutil.rmtree(self.folder / name)
            shutil.copytree(self.folder / "sound" / name, self.folder / name)
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        path = sorted(self.folder.glob(file))[0]
        other = next(self.folder.glob(f"other-{file}"))
        before = path.read_bytes()
        DAMAGES[kind](path, other)
        if (path.exists() and path.read_bytes() == before) or (kind == "swapped" and use in MOVED):
            return "no damage"
        log = self.folder / "log.txt"
        log.unlink(missing_ok=True)
        os.environ["KILLING_LOG"] = str(log)
        done = alone(self._words(use)) is not None
        said = "".join(log.read_text().split())
        if "Traceback" in said:
            return "traceback"
        is_told = path.name in said or path.parent.name in said
        if not is_told and (use.of, kind) != ("states", "removed"):
            return "not told"
        return self._of_anew(use, done) if use.anew else self._of_refused(done)

    def _words(self, use: Use) -> list[str]:
        if use.command in (RERUN, GO_ON):
            output = use.command.replace("AT", str(self.folder))
            return run_into(Path(output), self.folder / "data" / "store.h5", "training.steps=4")
        return use.command.replace("AT", str(self.folder)).split()

    def _of_anew(self, use: Use, done: bool) -> str:
        output = self.folder / Path(use.command).name
        if not done:
            return "not made anew"
        found = {n: c for n, c in content(output).items() if not n.startswith(f"{DAMAGED}/")}
        names = found.keys() | self.expected.keys()
        differ = sorted(n for n in names if found.get(n) != self.expected.get(n))
        return f"{differ[0]} differs" if differ else "made anew"

    def _of_refused(self, done: bool) -> str:
        left = [path for path in (self.folder / "out").rglob("*") if path.is_file()]
        return "used" if done else f"left {left[0].name}" if left else "refused"


FINE = ("refused", "made anew", "no damage")


def main(folder: Path, kinds: Sequence[str]) -> int:
    """Print what became of every damage of these kinds; 1 where one was answered wrongly."""
    folder.mkdir(parents=True)
    os.environ["KILLING_LOG"] = str(folder / "preparing.txt")
    prepare(folder)
    bench, counts, wrong = Bench(folder), Counter[tuple[str, str]](), []
    for use, file, kind in cases(kinds):
        found = bench.becomes(use, file, kind)
        counts[use.of, found if found in FINE else "wrong"] += 1
        if found not in FINE:
            wrong.append(f"{file} {kind}, {use.command}: {found}")
            print(wrong[-1], file=sys.stderr, flush=True)
    print(f"{'':10}" + "".join(f"{name:>12}" for name in (*FINE, "wrong")))
    for of in kinds:
        print(f"{of:10}" + "".join(f"{counts[of, name]:12}" for name in (*FINE, "wrong")))
    print(f"{counts.total() - sum(counts[use, 'no damage'] for use in kinds)} damages")
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    every = list(dict.fromkeys(use.of for use in USES))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:] or every))
