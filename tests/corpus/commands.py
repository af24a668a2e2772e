"""Every command, given in each place of a path what does not belong there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import typer

from semiqc.cli.app import app
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS

from .cases import BEFORE, Case, Read, sound_store

RUN, SUITE, STORE = BEFORE / "run", BEFORE / "suite", BEFORE / "store.h5"

COMMANDS: dict[str, tuple[str, ...]] = {
    "score": ("SUITE {} {} -o OUT", "{} HERE HERE -o OUT", "SUITE HERE HERE -o {}"),
    "review": (
        "{} --export OUT", "STORE --export {} --verdicts OUT.db",
        "STORE --import {} --verdicts OUT.db", "STORE --export OUT --verdicts {}",
        "HERE HERE --scores {}", "HERE HERE --scheme {}",
    ),
    "check": ("{} -o OUT --no-time", "HERE -o {} --no-time", "HERE -o OUT --scheme {}"),
    "import": ("{} OUT.h5", "HERE {}", "HERE OUT.h5 --scheme {}", "HERE OUT.h5 --subjects {}"),
    "phantom": ("{} --studies 1 --size 32 --slices 1 --frames 1",),
    "spoil": ("{} -o OUT.h5", "STORE -o OUT.h5 --split {}"),
    "run": (
        "{} --print-config", "--set data={} -o OUT", "--set split.file={} -o OUT",
        "--set data=STORE --set qc.suite={} -o OUT",
    ),
    "report": ("{}", "{} RUN -o OUT"),
    "predict": ("{} HERE -o OUT", "RUN {} -o OUT", "RUN HERE -o {}"),
    "evaluate": ("{} STORE -o OUT",),
    "pretrain": ("-o {}", "-o OUT.safetensors --set segmenter.kind={}"),
    "tune": ("{} --over training.clip=[1,2] -o OUT",),
    "suggest": ("{} -o OUT",),
    "export": ("{} OUT/Dataset501_A",),
    "info": ("{}",),
    "verify": ("{}",),
    "doctor": ("{}",),
    "qc fit": (
        "{} -o OUT --sources failures --estimators svr",
        "STORE -o OUT --graded {} --estimators svr",
        "STORE -o OUT --estimators curve --verdicts {} --images HERE --segmentations HERE",
    ),
    "qc grade": ("{} HERE -o OUT.h5", "STORE {} -o OUT.h5", "STORE HERE -o {}"),
    "qc evaluate": ("{} SUITE/test.h5", "SUITE {}", "SUITE SUITE/test.h5 --store {}",
                    "SUITE SUITE/test.h5 --grades {}"),
    "qc calibrate": ("{} SUITE/test.h5 -o OUT", "SUITE {} -o OUT",
                     "SUITE SUITE/test.h5 -o OUT --store {}"),
    "qc finetune": ("{} STORE -o OUT --steps 1", "phantom {} -o OUT --steps 1",
                    "phantom STORE -o OUT --split {} --steps 1"),
    "qc pretrain": (),
    "schema": (),
}  # fmt: skip
"""By the words of each command, what follows them; ``{}`` is the bad path, ``OUT`` free. None for
those that read no path and would work long."""


def _empty_folder(path: Path) -> None:
    path.mkdir()


def _folder_of_text(path: Path) -> None:
    path.mkdir()
    (path / "a.txt").write_text("x")


def _other_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = [1]


def _no_study(path: Path) -> None:
    with StoreWriter(path, SHORT_AXIS):
        pass


def _changed(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(change(sound_store(path.parent).read_bytes()))


def _flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


KINDS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty folder": _empty_folder,
    "folder of text": _folder_of_text,
    "empty": Path.touch,
    "text": lambda path: path.write_text("just words\n"),
    "other HDF5": _other_hdf5,
    "cut store": _changed(lambda content: content[: len(content) // 2]),
    "flipped store": _changed(_flipped),
    "no study": _no_study,
    "pipe": os.mkfifo,
    "link": lambda path: path.symlink_to("nowhere"),
}
"""What stands at the bad path; the first is nothing."""


def command_cases() -> Iterator[Case]:
    """Every form of every command, given every kind."""
    for command, forms in COMMANDS.items():
        for number, form in enumerate(forms):
            for kind, make in KINDS.items():
                name = f"{kind}, {number}"
                yield Case(f"semiqc {command}", name, _at(make), _told(command, form))


def all_commands() -> set[str]:
    """The words of each command that there is."""
    found = typer.main.get_command(app)
    words = set()
    for name, one in found.commands.items():  # type: ignore[attr-defined]
        inner = getattr(one, "commands", {})
        words |= {f"{name} {below}" for below in inner} or {name}
    return words


def _at(make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        (folder / "here").mkdir()
        make(folder / "bad-path")
        return folder / "bad-path"

    return made


def _told(command: str, form: str) -> Read:
    def read(path: Path) -> object:
        folder = path.parent
        places = {
            "RUN": RUN, "SUITE": SUITE, "STORE": STORE, "HERE": folder / "here",
            "OUT": folder / "out", "SETTINGS": RUN / "settings.yaml",
        }  # fmt: skip
        words = [*command.split(), *form.split()]
        for name, place in places.items():
            words = [word.replace(name, str(place)) for word in words]
        return app(args=[word.replace("{}", str(path)) for word in words], standalone_mode=False)

    return read
