"""Images a second of a training: the bare network, semiqc's loop, and one of MONAI's tutorials.

    PYTHONPATH=. python benchmarks/gpu/training.py             # one minute on a GPU
    PYTHONPATH=. python benchmarks/gpu/training.py --steps 3   # on a processor

The same plain U-Net, batch and precision for all; seconds are those of the clock, and rounds take
turns. MONAI's loop is that of its spleen tutorial: ``CacheDataset``, random transforms, a
``DataLoader`` with workers, ``DiceCELoss``, autocast. It turns and zooms slices one at a time on
processor cores; semiqc does it for a batch at once where the network is.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader
from monai.losses import DiceCELoss
from monai.transforms import (
    Compose,
    EnsureTyped,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
)
from torch import Tensor, nn

from segmenters import Augmentation, PlainUNet, TrainingSettings
from segmenters.device import make_fabric
from segmenters.method import Setup
from segmenters.sampler import SliceSampler
from segmenters.step import Supervised
from semiqc.files.store.reader import Store
from semiqc.optimise import optimise
from semiqc.phantom import write_phantoms
from semiqc.schemes import SHORT_AXIS

PATCH, STUDIES, SLICES, FRAMES, ROUNDS = 128, 40, 10, 2, 3
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WORKERS = min(8, (os.cpu_count() or 1) - 1) if DEVICE == "cuda" else 0

Loop = Callable[[int], None]
"""Trains for a number of steps."""


class Trained:
    """A network with its optimizer, as all loops have it."""

    def __init__(self, batch_size: int) -> None:
        self.settings = TrainingSettings(
            batch_size=batch_size, patch=(PATCH, PATCH), start="scratch",
            precision="bf16-mixed", memory_format="channels_last",
            augmentation=Augmentation(), device=DEVICE,
        )  # fmt: skip
        self.fabric = make_fabric(self.settings.device, self.settings.precision)
        torch.manual_seed(0)
        network = PlainUNet(SHORT_AXIS, training=self.settings).build().train()
        network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        self.network, self.optimizer = self.fabric.setup(network, optimizer)

    def step(self, loss: Callable[[Tensor], Tensor], images: Tensor) -> None:
        """Of a plain loop."""
        self.optimizer.zero_grad()
        self.fabric.backward(loss(self.network(images)))
        nn.utils.clip_grad_norm_(self.network.parameters(), 12.0)
        self.optimizer.step()


def bare(store: Store, batch_size: int) -> Loop:
    """One batch over and over, which is on the device already."""
    trained = Trained(batch_size)
    images = torch.rand(batch_size, 1, PATCH, PATCH, device=DEVICE)
    labels = torch.randint(0, len(store.scheme.classes), images.shape, device=DEVICE)
    loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)

    def loop(steps: int) -> None:
        for _ in range(steps):
            trained.step(lambda logits: loss(logits, labels), images)

    return loop


def ours(store: Store, batch_size: int) -> Loop:
    """The loop that ``semiqc run`` trains with, all augmentation included."""
    one = Trained(batch_size)
    setup = Setup([one.network], one.settings, SHORT_AXIS.mirror_axes, one.fabric, (PATCH, PATCH))
    method = Supervised(setup)
    sampler = SliceSampler(list(store), batch_size=batch_size, patch=(PATCH, PATCH))

    def loop(steps: int) -> None:
        optimise(
            method, sampler.batches(1, steps), one.optimizer,
            clip=one.settings.clip, fabric=one.fabric,
        )  # fmt: skip

    return loop


def monai(store: Store, batch_size: int) -> Loop:
    """MONAI's way, with the transforms that have a counterpart in semiqc's."""
    trained = Trained(batch_size)
    both = ("image", "label")
    transforms = Compose([
        EnsureTyped(both),
        RandAffined(
            both, prob=0.8, rotate_range=np.pi, scale_range=(0.3, 0.3), padding_mode="zeros",
            mode=("bilinear", "nearest"),
        ),
        RandFlipd(both, prob=0.5, spatial_axis=0),
        RandFlipd(both, prob=0.5, spatial_axis=1),
        RandScaleIntensityd("image", factors=0.25, prob=0.5),
        RandGaussianNoised("image", prob=0.5, std=0.05),
    ])  # fmt: skip
    data = CacheDataset(slices_of(store), transforms, num_workers=0, progress=False)
    loader = DataLoader(
        data, batch_size=batch_size, shuffle=True, drop_last=True, num_workers=WORKERS,
        pin_memory=DEVICE == "cuda", persistent_workers=WORKERS > 0,
    )  # fmt: skip
    loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)
    batches = endless(loader)

    def loop(steps: int) -> None:
        for _ in range(steps):
            batch = next(batches)
            images = batch["image"].as_tensor().to(DEVICE, non_blocking=True)
            labels = batch["label"].as_tensor().to(DEVICE, non_blocking=True)
            images = images.contiguous(memory_format=torch.channels_last)
            trained.step(lambda logits, given=labels: loss(logits, given), images)

    return loop


def slices_of(store: Store) -> list[dict[str, Any]]:
    """Every labelled slice as MONAI takes it, ``[1, Y, X]``."""
    found = []
    for study in store:
        whole = study.load()
        image, labels = np.asarray(whole.image)[0], np.asarray(whole.labels)
        for frame, place in np.argwhere((labels >= 0).any(axis=(2, 3))):
            known = np.maximum(labels[frame, place], 0)[None]
            found.append({"image": image[frame, place][None], "label": known.astype(np.float32)})
    return found


def endless(loader: DataLoader) -> Iterator[dict[str, Any]]:
    """Its batches, epoch after epoch."""
    while True:
        yield from loader


LOOPS = {"bare network, one batch over and over": bare, "semiqc": ours, "MONAI": monai}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100, help="Of a round.")
    parser.add_argument("--batch-size", type=int, default=96 if DEVICE == "cuda" else 12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantom.h5"
        write_phantoms(path, studies=STUDIES, size=PATCH, slices=SLICES, frames=FRAMES)
        loops = {name: make(Store(path), options.batch_size) for name, make in LOOPS.items()}
        taken: dict[str, list[float]] = {name: [] for name in loops}
        for number in range(ROUNDS + 1):
            for name, loop in loops.items():
                begun = time.perf_counter()
                loop(options.steps)
                if DEVICE == "cuda":
                    torch.cuda.synchronize()
                if number:  # The first round warms up.
                    taken[name].append((time.perf_counter() - begun) / options.steps)
    print(f"{DEVICE}, batch {options.batch_size}, {WORKERS} workers of MONAI's loader\n")
    print("| training, U-Net 16..256, bfloat16 | ms a step | images a second | ratio |")
    print("|---|---|---|---|")
    first = statistics.median(next(iter(taken.values())))
    for name, values in taken.items():
        step = statistics.median(values)
        speed = options.batch_size / step
        print(f"| {name} | {1000 * step:.1f} | {speed:,.0f} | {step / first:.2f} |")


if __name__ == "__main__":
    main()
