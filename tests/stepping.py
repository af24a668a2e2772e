"""Ends a command before each change it makes to its output, and compares as ``killing.py`` does.

    python tests/stepping.py FOLDER COMMAND kill            as a power cut or ``kill -9``
    python tests/stepping.py FOLDER COMMAND interrupt       as Ctrl-C
    python tests/stepping.py FOLDER COMMAND kill 7          before every seventh change

What changes a folder is known from Python's audit events: files opened to be written, renamed or
removed, folders made or removed. The same command is given again after each end; its result must
be that of one which was left alone.
"""

import json
import mmap
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from killing import FIT, OWN, alone, begun, load
from run_settings import TINY
from source_builders import pixels, save

from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.nifti.writing import write_labels
from semiqc.phantom import write_phantoms
from semiqc.schemes import SHORT_AXIS

CHANGES = {"os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.truncate": 1}
"""Events, and how many of their arguments are paths."""
WRITTEN = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
ENDS = {"kill": -signal.SIGKILL, "interrupt": 130}
"""Exit codes."""
DRAWING = ("--phantoms", "3", "--set", "training.steps=2", "--set", "segmenter.channels=[4, 8]")
JUDGING = (
    "--phantoms", "4", "--slices", "2", "--size", "32", "--spacing", "6", "--calibrate", "1",
    "--estimators", "physiology", "--sources", "seggen", "--set", "seggen.times=1",
)  # fmt: skip
FITTING = ("qc", "fit", "{here}/store.h5", "-o")
RUN = (
    *TINY, "scenarios=[few, semiqc]", "training.steps=4", "training.checkpoint_every=2",
    "training.validate_every=2", "phantom.studies=9", "split.labelled=2", "split.qc=2",
    "split.test=1", "qc.estimators=[agreement]", "gate.by=agreement", "gate.k=1",
    "segmenter.members=2", "split.validation=0",
)  # fmt: skip
WORDS = {
    "score": "phantom {here}/in {here}/seg -o {out}/a",
    "review": "{here}/store.h5 --verdicts {here}/said --export {out}/a",
    "check": "{here}/in -o {out}/a --no-time",
    "import": "{here}/m.csv {out}/a.h5",
    "phantom": "{out}/a.h5 --studies 2 --size 32 --slices 1 --frames 1",
    "spoil": "{here}/store.h5 -o {out}/a.h5",
    "report": "{out}/a",
    "predict": "{here}/run {here}/in -o {out}/a",
    "evaluate": "{here}/run {here}/others.h5 -o {out}/a",
    "tune": "{here}/run/settings.yaml --over training.clip=[1,2] -o {out}/a"
    " --set split.validation=1",
    "suggest": "{here}/run -o {out}/a",
    "export": "{here}/run {out}/Dataset501_A",
    "qc grade": "{here}/store.h5 {here}/graded -o {out}/a.h5",
    "qc evaluate": "{here}/suite {here}/suite/test.h5 -o {out}/a",
    "qc calibrate": "{here}/suite {here}/suite/test.h5 -o {out}/a",
    "qc finetune": "phantom {here}/fine.h5 -o {out}/a --steps 1",
}


STANDING = {"report": "run", "rerun": "run"}
"""What stands in the place of the output before, which is a sound run at every moment."""
NUMBERED = "trials.csv"
"""Trials that were cut short keep their numbers, which those done again don't have."""
REPLACING = ("check", "spoil")
"""What writes two files, of which one that stands alone must not be replaced unasked."""
EACH = {
    **dict.fromkeys(WORDS, 1), "qc fit": 5, "run": 20, "pretrain": 3, "tune": 20, "predict": 5,
    "score": 10, "evaluate": 3, "qc evaluate": 10, "qc calibrate": 3,
    "qc pretrain": 5, "rerun": 20, "report": 3,
}  # fmt: skip
"""Changes from one end to the next, in the slow tests."""


def run_into(folder):
    """Words of a run that admits pseudo-labels."""
    return ["run", *(word for one in RUN for word in ("--set", one)), "-o", folder]


def content(place):
    """Bytes of what a command wrote by name, and the names of stages."""
    found = {path.relative_to(place): path for path in place.rglob("*") if path.is_file()}
    paths = [str(name).partition("stages/")[2] for name in found if "stages" in name.parts]
    kept = {
        str(name): path.read_bytes() for name, path in found.items()
        if name.name not in {*OWN, NUMBERED} and "stages" not in name.parts
    }  # fmt: skip
    return kept | dict.fromkeys({path.partition("/")[0] for path in paths}, b"")


def words_of(command):
    """The words of a command; ``{here}`` is where its input lies, ``{out}`` where it may write."""
    if command == "run":
        return run_into("{out}/a")
    if command == "rerun":
        return [*run_into("{out}/a"), "--set", "seeds=[2]"]
    if command == "pretrain":
        return ["pretrain", "-o", "{out}/a.safetensors", *DRAWING]
    if command == "qc pretrain":
        return ["qc", "pretrain", "-o", "{out}/a", *JUDGING]
    if command == "qc fit":
        return [*FITTING, "{out}/a", *FIT]
    return [*command.split(), *WORDS[command].split()]


def told(words, here, out=""):
    """The words, with where the input lies and the output may lie."""
    return [word.replace("{here}", str(here)).replace("{out}", str(out)) for word in words]


def write_input(here):
    """Images, segmentations, stores, verdicts, a run and a suite."""
    affine, image = np.diag([1.5, 1.5, 8, 1]), pixels(shape=(40, 40, 3))
    for name in "ab":
        save(here / "in" / f"{name}.nii.gz", image, affine)
        save(here / "seg" / f"{name}.nii.gz", (image > np.median(image)).astype(np.uint8), affine)
    (here / "m.csv").write_text("study,image\na,in/a.nii.gz\nb,in/b.nii.gz\n")
    write_phantoms(here / "store.h5", studies=6, size=32, slices=3, frames=3)
    study = Store(here / "store.h5").study("phantom-0001")
    (here / "graded").mkdir()
    write_labels(here / "graded" / "phantom-0001.nii.gz", study, np.maximum(study.labels[:], 0))
    with StoreWriter(here / "others.h5", SHORT_AXIS) as writer:
        writer.add(replace(study, name="other", subject="other"))
    with StoreWriter(here / "fine.h5", SHORT_AXIS) as writer:
        writer.add(replace(study, spacing=(8.0, 1.5, 1.5)))
    (here / "said.csv").write_text("study,verdict\nphantom-0001,good\n")
    said = ["--verdicts", f"{here}/said", "--import", f"{here}/said.csv"]
    for words in (
        ["review", f"{here}/store.h5", *said],
        run_into(f"{here}/run"),
        [*run_into(f"{here}/other"), "--set", "seeds=[1]"],
        told((*FITTING, "{here}/suite", *FIT), here),
    ):
        if alone(words) is None:
            raise RuntimeError(f"{' '.join(words)}: see {os.environ['KILLING_LOG']}")


class Steps:
    """Counts the changes of a process to a folder, and ends it before one of them."""

    def __init__(self):
        self.folder, self.last, self.how = "", -1, ""
        self.done = mmap.mmap(-1, 8)
        sys.addaudithook(self.heard)

    def count(self):
        """Changes of the last process."""
        return int.from_bytes(self.done[:], "little")

    def heard(self, event, given):
        """Count what is heard of, if it is a change."""
        if not self.folder or not any(self.in_folder(one) for one in changed(event, given)):
            return
        count = self.count()
        if count == self.last:
            self.folder = ""
            signal.raise_signal(signal.SIGINT if self.how == "interrupt" else signal.SIGKILL)
        self.done[:] = (count + 1).to_bytes(8, "little")

    def in_folder(self, path):
        """Whether a path is below the folder."""
        return str(path).startswith(self.folder)

    def ended(self, words, folder, last=-1, how=""):
        """Exit code of a command that ends before a change of a folder, or is let alone."""
        self.folder, self.last, self.how = str(folder), last, how
        self.done[:] = bytes(8)
        process = begun(words)
        self.folder = ""
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def changed(event, given):
    """The paths that an audit event changes."""
    if event == "open":
        return given[:1] if given[2] & WRITTEN else ()
    paths, folder = given[: CHANGES.get(event, 0)], given[-1] if given else -1
    if event in {"os.remove", "os.rmdir"} and folder >= 0:
        return [Path(f"/proc/self/fd/{folder}").resolve() / os.fspath(paths[0])]
    return paths


def work(command, folder, how, each=1):
    """End a command before each of its changes, and let it go on to its end."""
    folder.mkdir(parents=True)
    os.environ["KILLING_LOG"] = str(folder / "log.txt")
    write_input(folder)
    steps = Steps()

    def words(name):
        (folder / name).mkdir()
        if command in STANDING:
            shutil.copytree(folder / STANDING[command], folder / name / "a")
        return told(words_of(command), folder, folder / name)

    loaded = folder / "loaded.txt"
    alone(words("first"), loaded)
    load(loaded.read_text().splitlines())
    code = steps.ended(words("unbroken"), folder / "unbroken")
    count, expected = steps.count(), content(folder / "unbroken")
    own = {name for name, one in content(folder / "first").items() if expected.get(name) != one}
    wrong = [] if code == 0 else [f"unbroken: ended with {code}"]
    for last in range(0, count, each):
        place = folder / f"cut{last}"
        again = words(place.name)
        code = steps.ended(again, place, last, how)
        if code != ENDS[how]:
            wrong.append(f"{last}: ended with {code}")
        if command in STANDING and alone(["verify", f"{place}/a"]) is None:
            wrong.append(f"{last}: is no sound run")
        code = steps.ended(again, place) if content(place) != expected else 0
        if code and command in REPLACING:
            code = steps.ended([*again, "--overwrite"], place)
        wrong += [f"{last}: does not go on: {code}"] if code else []
        found = content(place)
        names = sorted((found.keys() | expected.keys()) - own)
        wrong += [f"{last}: {one} differs" for one in names if found.get(one) != expected.get(one)]
        shutil.rmtree(place)
    return {"command": command, "how": how, "changes": count, "own": sorted(own), "wrong": wrong}


if __name__ == "__main__":
    place, asked, manner, *sparsely = sys.argv[1:]
    print(json.dumps(work(asked, Path(place), manner, *map(int, sparsely))))
