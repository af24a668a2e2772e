r"""Does a data set of thousands of studies take more memory than one of fifty?

    python benchmarks/many_studies.py 50 500 5000
    python benchmarks/many_studies.py 5000 --folder many    # phantoms and results stay there

For each number, as many tiny phantoms are written as NIfTI files with a manifest, then imported,
used in a run (eight steps, the cheapest estimator, a tenth of the studies to test on, all others
unlabelled) and predicted, each command in a process of its own. Printed of each command: the most
memory that its process held, the most files that it had open, and processor seconds, of which also
those for each study. Needs Linux, which tells of a process in ``/proc``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from semiqc.files.atomic import write_text
from semiqc.phantom.dataset import PhantomRecipe
from semiqc.phantom.scanner import PROFILES

SIZE, SLICES, FRAMES = 32, 3, 2
"""Of a phantom: rows and columns, slices, frames."""

HEARTS, NOISE = 100, 10
"""Hearts that differ; more studies are of these, with noise of their own of that deviation."""

LABELLED, FITTED, SHARE_OF_TEST = 4, 4, 10
"""Studies to train on, to fit the estimator to, and of how many one is for the test."""

RUN = (
    "scenarios=[few, random, semiqc]",
    "segmenter.kind=unet",
    "segmenter.channels=[4, 8]",
    "segmenter.members=2",
    "segmenter.mirror=false",
    "training.start=scratch",
    "training.steps=8",
    "training.batch_size=4",
    "training.patch=[32, 32]",
    "qc.estimators=[physiology]",
    "gate.by=physiology",
)
"""Settings of the run beside its split."""

EVERY = 0.02
"""Seconds between two looks at a process."""


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Args:
        mib: Largest resident memory.
        files: Most open files.
        seconds: Of the processor.
    """

    mib: float
    files: int
    seconds: float


def cost_of(arguments: Sequence[str], log: Path) -> Cost:
    """Run ``semiqc`` in a process of its own.

    Args:
        arguments: Of the command.
        log: What it says is added to this file.

    Raises:
        RuntimeError: If it fails.
    """
    files = 0
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "semiqc", *arguments], stdout=said, stderr=said
        )
        while True:
            found, status, used = os.wait4(process.pid, os.WNOHANG)
            if found:
                break
            files = max(files, _open_files(process.pid))
            time.sleep(EVERY)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"semiqc {arguments[0]} failed; see {log}")
    return Cost(used.ru_maxrss / 1024, files, used.ru_utime + used.ru_stime)


def _open_files(process: int) -> int:
    """Number of files that a process has open; 0 once it has ended."""
    try:
        return len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return 0


def write_sources(folder: Path, count: int) -> None:
    """Write phantoms as NIfTI files, and a manifest; those that are there stay."""
    recipe = PhantomRecipe(
        "short-axis", SIZE, SLICES, FRAMES, tuple(PROFILES), 0.25, "usual", None, seed=0
    )
    hearts = [recipe.study(number) for number in range(min(count, HEARTS))]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    rows = ["study,image,labels"]
    for number in range(count):
        name = f"phantom-{number + 1:04d}.nii.gz"
        if not (folder / "labels" / name).exists():
            study = hearts[number % HEARTS]
            mm = study.spacing[::-1]
            noise = np.random.default_rng(number).normal(0, NOISE, study.image[0].shape)
            write_nifti(
                folder / "images" / name, np.rint(study.image[0] + noise).astype(np.int16), mm
            )
            write_nifti(folder / "labels" / name, np.asarray(study.labels), mm)
        rows.append(f"{name.split('.')[0]},images/{name},labels/{name}")
    write_text(folder / "manifest.csv", "\n".join(rows) + "\n")


def write_nifti(path: Path, voxels: NDArray[np.integer], mm: Sequence[float]) -> None:
    """Write ``[T, Z, Y, X]`` with voxels of these lengths along ``x``, ``y`` and ``z``."""
    image = nib.Nifti1Image(voxels.T, np.diag((-mm[0], -mm[1], mm[2], 1.0)))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def costs(folder: Path, count: int) -> Iterator[tuple[str, Cost]]:
    """Each command with its cost, in a folder that has the sources of ``count`` studies."""
    manifest, store, run = folder / "manifest.csv", folder / "store.h5", folder / "run"
    log = folder / "log.txt"
    yield "import", cost_of(("import", str(manifest), str(store), "--overwrite"), log)
    split = f"split={{labelled: {LABELLED}, qc: {FITTED}, test: {count // SHARE_OF_TEST}}}"
    settings = [f"--set={one}" for one in (f"data={store}", f"output={run}", split, *RUN)]
    yield "run", cost_of(("run", *settings), log)
    arguments = ("predict", str(run), str(folder / "images"), "-o", str(folder / "predicted"))
    yield "predict", cost_of((*arguments, "--overwrite"), log)


def _measure(folder: Path, count: int) -> None:
    """Print the rows of one number of studies."""
    write_sources(folder, count)
    for command, cost in costs(folder, count):
        print(
            f"| {count} | `{command}` | {cost.mib:.0f} | {cost.files} | {cost.seconds:.0f}"
            f" | {cost.seconds / count:.3f} |",
            flush=True,
        )


def _main() -> None:
    parser = argparse.ArgumentParser(description="Memory and files by number of studies.")
    parser.add_argument("counts", type=int, nargs="+", help="Numbers of studies.")
    parser.add_argument("--folder", type=Path, help="Where files stay; else they are removed.")
    given = parser.parse_args()
    print("| studies | command | peak memory (MiB) | open files | processor seconds | a study |")
    print("|---|---|---|---|---|---|", flush=True)
    for count in given.counts:
        if given.folder:
            _measure(given.folder / str(count), count)
            continue
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), count)


if __name__ == "__main__":
    _main()
