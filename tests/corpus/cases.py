"""One bad input each: a file, who reads it, and whether it may also be found sound."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from qc.saving import load_estimator
from qc.suites.suite import Suite
from qc.verdicts import read_verdicts
from segmenters.pretrained.card import Card
from segmenters.weights import read_weights
from semiqc.cli.app import app
from semiqc.exchange.readers import manifest, nnunet, ssl4mis
from semiqc.exchange.readers.dicom.files import read_pixels, read_slices
from semiqc.exchange.subjects import find_subjects
from semiqc.experiment.finished import Finished
from semiqc.experiment.settings_file import read_settings
from semiqc.files.checksums import entries_of
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.files.tables import SplitRow, read_rows
from semiqc.nifti.files import read_header, read_voxels
from semiqc.schemes import SHORT_AXIS, read_scheme
from semiqc.study import Study
from semiqc.work.split import read_split

BEFORE = Path(__file__).parents[1] / "data" / "before"

TEXTS: dict[str, bytes] = {
    "empty": b"",
    "zeros": bytes(64),
    "latin-1": b"study,image\nM\xfcller,a.nii\n",
    "cut utf-16": b"\xff\xfea",
    "deep lists": b"[" * 100_000,
    "deep mappings": b'{"a":' * 100_000,
    "bomb": b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 9)) for n in b"bcdefghi"),
    "within itself": b"a: &a [*a]\n",
    "long number": b"frame: " + b"9" * 6000,
    "long number in json": b'{"version": ' + b"9" * 6000 + b"}",
    "long cell": b"study,image,role,verdict\n" + b"x" * 300_000 + b",a,b,c\n",
    "two columns alike": b"study,study,image,image\na,b,c,d\n",
    "open quote": b'study,image\n"a,b\n',
    "no columns": b"\n\n\n",
    "tag": b"!!python/object/apply:os.system [true]",
    "date": b"output: [2024-13-45]",
    "twice": b"name: a\nname: b\n",
    "number": b"5",
    "null": b"null",
    "text": b"just words",
    "list": b"[1, 2]",
    "nan": b"NaN",
    "object of null": b'{"scheme": null, "version": 1, "training": [], "labels": null}',
    "control": b"\x1b[31mred",
    "unknown keys": b"classes: [a, b]\nnone: 1\n",
    "random": np.random.default_rng(0).bytes(4000),
}
MARK = b"\x89MARK"
SPECIAL = ("missing", "pipe", "socket", "folder", "zero device", "null device", "dangling link")

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A bad input.

    Args:
        door: Whose it is.
        name: What is wrong.
        make: Writes it to a path, and gives what is read.
        read: Reads it.
    """

    door: str
    name: str
    make: Callable[[Path], Path]
    read: Read


def _run_with(name: str) -> Callable[[Path, bytes], Path]:
    """A copy of a sound run's or suite's description with other bytes in one file."""

    def make(folder: Path, content: bytes) -> Path:
        for part in ("settings.yaml", "environment.json", "results/data.json"):
            target = folder / "run" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(BEFORE / "run" / part, target)
        (folder / "run" / name).write_bytes(content)
        return folder / "run"

    return make


def _file(name: str) -> Callable[[Path, bytes], Path]:
    def make(folder: Path, content: bytes) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return make


def _find_nnunet(path: Path) -> object:
    return nnunet.find(path.parent)


def _read_image(path: Path) -> object:
    return read_voxels(read_header(path))


def _read_dicom(path: Path) -> object:
    return read_pixels([piece for _, _, piece in read_slices(path)])


def _read_ssl4mis(path: Path) -> object:
    return [entry.read(True) for entry in ssl4mis.find(path.parent).entries]


def _read_folds(path: Path) -> object:
    image = np.zeros((1, 1, 1, 8, 8), np.float32)
    labels = np.ones((1, 1, 8, 8), np.int8)
    return read_split(path, [Study(name, image, labels, (8.0, 1.5, 1.5)) for name in "abc"])


def _command(*words: str) -> Read:
    """A command on the path, which ``{}`` stands for; ``{out}`` is beside it."""

    def read(path: Path) -> object:
        told = {"": str(path), "out": str(path.parent / "out")}
        arguments = [word.replace("{}", told[""]).replace("{out}", told["out"]) for word in words]
        return app(args=arguments, standalone_mode=False)

    return read


READERS: dict[str, tuple[Callable[[Path, bytes], Path], Read]] = {
    "settings": (_file("s.yaml"), read_settings),
    "scheme": (_file("s.yaml"), lambda path: read_scheme(str(path))),
    "manifest": (_file("t.csv"), manifest.find),
    "split": (_file("t.csv"), lambda path: read_rows(path, SplitRow)),
    "verdicts": (_file("t.csv"), read_verdicts),
    "dataset.json": (_file("Dataset001_A/dataset.json"), _find_nnunet),
    "card": (_file("c.json"), Card.read),
    "suite": (_file("suite/suite.json"), lambda path: Suite.load(path.parent)),
    "run's data": (_run_with("results/data.json"), Finished.read),
    "run's settings": (_run_with("settings.yaml"), Finished.read),
    "store": (_file("s.h5"), Store),
    "estimator": (_file("e.safetensors"), lambda path: load_estimator(path, {})),
    "weights": (_file("w.safetensors"), lambda path: read_weights(path, {})),
    "NIfTI": (_file("a.nii"), _read_image),
    "packed NIfTI": (_file("a.nii.gz"), _read_image),
    "MetaImage": (_file("a.mha"), _read_image),
    "NRRD": (_file("a.nrrd"), _read_image),
    "DICOM": (_file("a.dcm"), _read_dicom),
    "HDF5": (_file("in/a.h5"), _read_ssl4mis),
    "folds": (_file("splits_final.json"), _read_folds),
    "manifest.json": (_file("run/manifest.json"), lambda path: entries_of(path.parent)),
    "subjects": (_file("t.csv"), lambda path: find_subjects(["a", "b"], path)),
    "check": (_file("t.csv"), _command("check", "{}", "-o", "{out}")),
    "import": (_file("t.csv"), _command("import", "{}", "{out}.h5")),
    "spoil": (_file("s.h5"), _command("spoil", "{}", "-o", "{out}.h5")),
    "qc fit": (_file("s.h5"), _command("qc", "fit", "{}", "-o", "{out}")),
    "report": (_run_with("results/data.json"), _command("report", "{}")),
    "export": (_run_with("settings.yaml"), _command("export", "{}", "{out}")),
}


def text_cases() -> Iterator[Case]:
    """Every text to every reader."""
    for door, (make, read) in READERS.items():
        for name, content in TEXTS.items():
            yield Case(door, name, _with(make, content), read)


def special_cases() -> Iterator[Case]:
    """What is no regular file, to every reader of a single file."""
    for door, (make, read) in READERS.items():
        for kind in SPECIAL:
            yield Case(door, kind, _replaced(make, kind), read)


def store_cases() -> Iterator[Case]:
    """Stores that lack something, or hold something else in its place."""
    for key in ("spacing", "group", "subject", "split", "labelled_frames", "sha256", "geometry"):
        for name, value in (("lacks", None), ("number", 7), ("text", "x"), ("lists", [[[]]])):
            change = _changed_header(key, name, value)
            yield Case("store", f"{key}: {name}", change, _read_studies)
    for attribute in ("format", "version", "scheme", "modalities"):
        for name, value in (("lacks", None), ("number", 7), ("text", "x"), ("json", "[[]]")):
            yield Case(
                "store", f"{attribute}: {name}", _changed(attribute, name, value), _read_studies
            )
    for share in np.linspace(0.05, 0.95, 19):
        yield Case("store", f"cut at {share:.2f}", _cut(float(share)), _read_studies)


def _with(make: Callable[[Path, bytes], Path], content: bytes) -> Callable[[Path], Path]:
    return lambda folder: make(folder, content)


def _replaced(make: Callable[[Path, bytes], Path], kind: str) -> Callable[[Path], Path]:
    """A case whose file became something else."""

    def special(folder: Path) -> Path:
        found = make(folder, b"\x89MARK")
        target = next(
            p for p in folder.rglob("*") if p.is_file() and p.read_bytes() == b"\x89MARK"
        )
        target.unlink()
        if kind == "pipe":
            os.mkfifo(target)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as one:
                here = os.open(target.parent, os.O_RDONLY)
                # Names of sockets are short.
                one.bind(f"/proc/self/fd/{here}/{target.name}")
                os.close(here)
        elif kind == "folder":
            target.mkdir()
        elif kind != "missing":
            links = {"zero device": "/dev/zero", "null device": "/dev/null"}
            target.symlink_to(links.get(kind, "nowhere"))
        return found

    return special


def sound_store(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    path = folder / "s.h5"
    with StoreWriter(path, SHORT_AXIS) as store:
        image = rng.random((1, 2, 2, 8, 8), np.float32)
        store.add(Study("a", image, np.ones((2, 2, 8, 8), np.int8), (8.0, 1.4, 1.4)))
    return path


def _changed_header(key: str, name: str, value: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = sound_store(folder)
        with h5py.File(path, "a") as file:
            group = file["studies/a"]
            header = json.loads(group.attrs["header"])
            header[key] = value
            if name == "lacks":
                del header[key]
            group.attrs["header"] = json.dumps(header)
        return path

    return make


def _changed(attribute: str, name: str, value: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = sound_store(folder)
        with h5py.File(path, "a") as file:
            del file.attrs[attribute]
            if name != "lacks":
                file.attrs[attribute] = value
        return path

    return make


def _cut(share: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = sound_store(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        return path

    return make


def _read_studies(path: Path) -> object:
    store = Store(path)
    return [store.study(name).load() for name in store.names]


def all_cases() -> list[Case]:
    """The whole corpus but for images in batches."""
    return [*text_cases(), *special_cases(), *store_cases()]
