r"""How fast is semiqc beside what one would write, or take, instead?

    python benchmarks/peers.py                # all tables
    python benchmarks/peers.py step           # training step against a plain PyTorch script
    python benchmarks/peers.py cine           # a cine study against MONAI and plain PyTorch
    python benchmarks/peers.py read           # import against reading the files
    python benchmarks/peers.py start          # start-up of commands and imports

Each table's ratios are of one run: rounds of all rows alternate, so that a machine that grows
slower does so for all, and time is that of the processor, children's included. Set
OMP_NUM_THREADS=1, so that threads that wait for each other do not count.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import scipy.ndimage
import torch
from many_studies import write_nifti
from monai.inferers import SlidingWindowInferer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from segmenters import Augmentation, PlainUNet, TrainingSettings, predict
from segmenters.device import make_fabric
from segmenters.losses import cross_entropy, dice_loss
from segmenters.method import Setup
from segmenters.sampler import SliceSampler
from segmenters.step import Supervised
from semiqc.exchange.importing import import_data
from semiqc.files.store.reader import Store
from semiqc.optimise import optimise
from semiqc.phantom import write_phantoms
from semiqc.phantom.dataset import PhantomRecipe
from semiqc.phantom.scanner import PROFILES
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Study

PATCH, BATCH, STEPS, ROUNDS = (128, 128), 12, 4, 5
CINE = (10, 6, 256)
"""Frames, slices, rows and columns of the cine that is segmented."""
STUDIES = 20
MAIN = {"start": "scratch", "device": "cpu", "precision": "32-true"}

Work = Callable[[], None]


def table(title: str, unit: str, rows: Mapping[str, Work], each: float, rounds: int) -> None:
    """Print the median cost of each row, and how often it is that of the first.

    Args:
        title: Of the rows.
        unit: Of the cost.
        rows: What is timed, by name.
        each: Cost in units of one second, such as 1000 for ms.
        rounds: In which all rows take turns; one more warms up.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds + 1):
        for name, work in rows.items():
            start = sum(os.times()[:4])
            work()
            if number:
                seconds[name].append(sum(os.times()[:4]) - start)
    first = statistics.median(next(iter(seconds.values())))
    print(f"\n| {title} | {unit} | least | most | ratio |\n|---|---|---|---|---|")
    for name, values in seconds.items():
        middle = statistics.median(values)
        figures = " | ".join(f"{each * v:.4g}" for v in (middle, min(values), max(values)))
        print(f"| {name} | {figures} | {middle / first:.2f} |", flush=True)


class Slices(Dataset[tuple[Tensor, Tensor]]):
    """The usual script: slices of an HDF5 file, turned and zoomed by SciPy one at a time."""

    def __init__(self, path: Path) -> None:
        self.file = h5py.File(path)
        self.rng = np.random.default_rng(0)
        images = self.file["images"]
        self.places = [(n, z) for n in range(images.shape[0]) for z in range(images.shape[1])]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        image = self.file["images"][self.places[number]]
        labels = self.file["labels"][self.places[number]]
        rng = self.rng
        if rng.random() > 0.5:
            turns = int(rng.integers(4))
            image, labels = np.rot90(image, turns), np.rot90(labels, turns)
        if rng.random() > 0.5:
            angle = rng.uniform(-30, 30)
            image = scipy.ndimage.rotate(image, angle, order=1, reshape=False)
            labels = scipy.ndimage.rotate(labels, angle, order=0, reshape=False)
        image = image * rng.uniform(0.75, 1.25) + rng.normal(0, 0.05, image.shape)
        return (
            torch.from_numpy(np.ascontiguousarray(image, np.float32))[None],
            torch.from_numpy(np.ascontiguousarray(labels, np.int64)),
        )


def step(folder: Path) -> None:
    """A training step: the bare network, a plain script, and semiqc's with all it does."""
    path = folder / "step.h5"
    write_phantoms(path, studies=STUDIES, size=PATCH[0], slices=8, frames=2)
    store = Store(path)
    plain = folder / "plain.h5"
    with h5py.File(plain, "w") as file:
        frames = [(np.asarray(one.image[0, 0]), np.asarray(one.labels[0])) for one in store]
        file["images"] = np.stack([image for image, _ in frames])
        file["labels"] = np.stack([np.maximum(labels, 0) for _, labels in frames])
    loader = DataLoader(Slices(plain), batch_size=BATCH, shuffle=True, drop_last=True)
    batch = next(iter(loader))
    rows: dict[str, Work] = {
        "bare network, one batch over and over": _plain_loop(lambda: iter([batch] * STEPS)),
        "plain script: Dataset, DataLoader, SciPy": _plain_loop(lambda: _first(loader)),
        "semiqc": _own_loop(store),
    }
    table(f"{STEPS} steps of {BATCH} slices, U-Net 16..256", "ms", rows, 1000, ROUNDS)


def _first(loader: DataLoader[Any]) -> Iterator[Any]:
    for number, batch in enumerate(loader):
        if number == STEPS:
            return
        yield batch


def _network() -> nn.Module:
    return PlainUNet(SHORT_AXIS, training=TrainingSettings(**MAIN)).build().train()


def _plain_loop(batches: Callable[[], Iterator[Any]]) -> Work:
    network = _network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def loop() -> None:
        for images, labels in batches():
            logits = network(images)
            loss = dice_loss(logits, labels) + cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimizer.step()

    return loop


def _own_loop(store: Store) -> Work:
    training = TrainingSettings(
        batch_size=BATCH, patch=PATCH, memory_format="contiguous",
        augmentation=Augmentation(), **MAIN,
    )  # fmt: skip
    fabric = make_fabric(training.device, training.precision)
    network = _network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    wrapped, optimizer = fabric.setup(network, optimizer)
    method = Supervised(Setup([wrapped], training, SHORT_AXIS.mirror_axes, fabric, PATCH))
    sampler = SliceSampler(list(store), batch_size=BATCH, patch=PATCH)
    return lambda: optimise(
        method, sampler.batches(1, STEPS), optimizer, clip=training.clip, fabric=fabric
    )


def cine(_: Path) -> None:
    """Cine studies a minute, by the same network: semiqc, MONAI's inferer and plain PyTorch."""
    frames, slices, size = CINE
    study = PhantomRecipe(
        "short-axis", size, slices, frames, tuple(PROFILES), 0.0, "usual", 1.5, seed=0
    ).study(0)
    image = (study.image - study.image.min()) / np.ptp(study.image)
    study = Study(study.name, image.astype(np.float32), study.labels, study.spacing)
    made = {"mirror": False, "training": TrainingSettings(patch=PATCH, **MAIN)}
    whole, focused = (PlainUNet(SHORT_AXIS, focus=focus, **made) for focus in (False, True))
    whole.network_ = focused.network_ = network = whole.build().eval()
    inferer = SlidingWindowInferer(roi_size=PATCH, sw_batch_size=slices, overlap=0.25)
    rows: dict[str, Work] = {
        "plain PyTorch, whole slices": lambda: _each(study, network),
        "MONAI SlidingWindowInferer, 128 x 128, overlap 1/4": lambda: _each(
            study, lambda given: inferer(given, network)
        ),
        "semiqc, whole slices": lambda: _kept(predict(whole, study).labels),
        "semiqc, two looks (the default)": lambda: _kept(predict(focused, study).labels),
    }
    title = f"cine of {frames} frames x {slices} x {size} x {size}, no mirror images"
    table(title, "s a study", rows, 1, 2)


def _kept(labels: object) -> None:
    """What was asked for is there."""


@torch.no_grad()
def _each(study: Study, network: Callable[[Tensor], Any]) -> None:
    """The labels of each frame, as a plain script finds them."""
    found = [
        network(torch.from_numpy(np.asarray(study.image[0, frame])[:, None])).argmax(dim=1)
        for frame in range(study.frames)
    ]
    _kept(torch.stack(found).to(torch.int8))


def read(folder: Path) -> None:
    """Import of NIfTI files against reading them: intensities, labels and voxel sizes."""
    sources = folder / "nifti"
    sources.mkdir()
    lines = ["study,image,labels"]
    rng = np.random.default_rng(0)
    for number in range(STUDIES):
        image, labels = sources / f"{number}.nii.gz", sources / f"{number}_gt.nii.gz"
        voxels: NDArray[np.int16] = rng.integers(0, 500, (2, 9, 160, 160)).astype(np.int16)
        write_nifti(image, voxels, (1.5, 1.5, 8.0))
        write_nifti(labels, (voxels % 4).astype(np.int16), (1.5, 1.5, 8.0))
        lines.append(f"{number},{image.name},{labels.name}")
    (sources / "manifest.csv").write_text("\n".join(lines) + "\n")
    rows: dict[str, Work] = {
        "nibabel reads every file": lambda: _read(sources),
        "semiqc import": lambda: _imported(sources / "manifest.csv", folder / "store.h5"),
    }
    table(f"{STUDIES} studies of 2 x 9 x 160 x 160", "s", rows, 1, 3)


def _read(sources: Path) -> None:
    for path in sorted(sources.glob("*.nii.gz")):
        np.asarray(nib.load(path).dataobj)


def _imported(manifest: Path, store: Path) -> None:
    store.unlink(missing_ok=True)
    import_data(manifest, store)


def start(_: Path) -> None:
    """Start-up of what is started often."""

    def run(*words: str) -> Work:
        command = [sys.executable, *words]
        return lambda: _kept(subprocess.run(command, capture_output=True, check=True))

    rows = {
        "python": run("-c", "pass"),
        "import torch": run("-c", "import torch"),
        "import qc": run("-c", "import qc"),
        "semiqc --help": run("-m", "semiqc", "--help"),
        "semiqc verify": run("-m", "semiqc", "verify", "--help"),
        "all that a run needs": run("-c", "import semiqc.experiment.staged_run"),
    }
    table("start-up", "s", rows, 1, 3)


TABLES = {one.__name__: one for one in (step, cine, read, start)}


def _main() -> None:
    parser = argparse.ArgumentParser(description="Speed beside plain scripts and MONAI.")
    parser.add_argument("tables", nargs="*", help=f"Out of {', '.join(TABLES)}; default: all.")
    asked = parser.parse_args().tables or list(TABLES)
    if unknown := [name for name in asked if name not in TABLES]:
        parser.error(f"{unknown[0]}: expected {', '.join(TABLES)}")
    for name in asked:
        with tempfile.TemporaryDirectory() as folder:
            TABLES[name](Path(folder))


if __name__ == "__main__":
    _main()
