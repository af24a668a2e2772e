"""Whether this machine can do what the program does: ``semiqc doctor``."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import torch

from qc.suites.suite import Suite
from segmenters.pretrained import card_of, shipped_cards, shipped_file
from semiqc import __version__
from semiqc.files.checksums import sha256_of
from semiqc.work.folder import PACKAGES
from semiqc.work.machine import cores, memory

GIGABYTE = 1e9
LITTLE_DISK, LITTLE_MEMORY = 10, 4
"""GB below which a usual run may not fit."""

EXTRAS = {
    "review": ("starlette", "uvicorn", "PIL", "contourpy"),
    "tune": ("optuna",),
    "dicom-seg": ("highdicom",),
    "crf": ("pydensecrf",),
    "pairwise": ("SimpleITK",),
}
"""Modules of each extra."""

Grade = Literal["ok", "note", "fails"]


@dataclass(frozen=True)
class Finding:
    """What was looked at.

    Args:
        what: In a word or two.
        said: What was found, and what to do.
        grade: ``fails`` where the program cannot work so.
    """

    what: str
    said: str
    grade: Grade = "ok"

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do."""
        return self.grade == "ok"


def examine(folder: Path) -> list[Finding]:
    """Look at everything.

    Args:
        folder: Where runs will be written.
    """
    return [
        Finding("semiqc", f"{__version__}, {Path(__file__).resolve().parents[1]}"),
        Finding("Python", f"{platform.python_version()}, {sys.executable}"),
        *map(_package, PACKAGES),
        *_compute(),
        _memory(),
        _disk(folder),
        _writing(folder),
        *_weights(),
        _suite(),
        *_extras(),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed; `pip install semiqc` brings it", "fails")


def _compute() -> Iterator[Finding]:
    yield Finding(
        "processor", f"{platform.machine()}, {cores()} cores, {torch.get_num_threads()} threads"
    )
    if not torch.cuda.is_available():
        yield Finding("GPU", "none; networks are trained on the processor")
        return
    name, (free, total) = torch.cuda.get_device_name(), torch.cuda.mem_get_info()
    held = f"{free / GIGABYTE:.0f} of {total / GIGABYTE:.0f} GB free"
    try:
        float((torch.ones(8, device="cuda") * 2).sum())
    except RuntimeError as error:
        yield Finding("GPU", f"{name} does not compute: {str(error).splitlines()[0]}", "fails")
        return
    yield Finding("GPU", f"{name}, {held}")


def _memory() -> Finding:
    size = memory()
    if size is None:
        return Finding("memory", "not known here")
    said = f"{size / GIGABYTE:.0f} GB"
    if size / GIGABYTE < LITTLE_MEMORY:
        return Finding("memory", f"{said}; large studies may not fit", "note")
    return Finding("memory", said)


def _disk(folder: Path) -> Finding:
    there = next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    said = f"{free:.0f} GB free in {there}"
    if free < LITTLE_DISK:
        return Finding("disk", f"{said}; --dry-run says what a run needs", "note")
    return Finding("disk", said)


def _writing(folder: Path) -> Finding:
    """An HDF5 file is written and read, which some network drives refuse."""
    try:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            path = Path(temporary) / "try.h5"
            with h5py.File(path, "w") as file:
                file["x"] = np.arange(3)
            with h5py.File(path, "r") as file:
                is_same = file["x"][:].tolist() == [0, 1, 2]
            os.replace(path, path.with_name("moved.h5"))
    except OSError as error:
        return Finding("writing", f"{folder}: {error}", "fails")
    if not is_same:
        return Finding("writing", f"{folder}: another file was read than written", "fails")
    return Finding("writing", "HDF5 files are written, read and renamed")


def _weights() -> Iterator[Finding]:
    for scheme in shipped_cards():
        said = f"of {scheme}, taught by phantoms"
        if sha256_of(shipped_file(scheme)) == card_of(scheme).sha256:
            yield Finding("weights", said)
        else:
            yield Finding("weights", f"{said}: damaged; install semiqc anew", "fails")


def _suite() -> Finding:
    try:
        names = Suite.load("phantom").names
    except (ValueError, OSError) as error:
        return Finding("suite", f"phantom: {error}", "fails")
    return Finding("suite", f"phantom: {', '.join(names)}")


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        lacking = [module for module in modules if find_spec(module) is None]
        said = f"without {', '.join(lacking)}; `pip install 'semiqc[{extra}]'` brings it"
        yield Finding(f"extra {extra}", said if lacking else "installed")
