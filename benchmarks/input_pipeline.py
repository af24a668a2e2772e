"""Does reading slices slow a training step, and does memory grow with the number of studies?

    python benchmarks/input_pipeline.py            # both tables
    python benchmarks/input_pipeline.py speed
    python benchmarks/input_pipeline.py memory

Speed: batch 16, 128 x 128, U-Net 16..256, on phantoms in a store. The bare step trains on one
batch over and over; the others draw every batch anew. All three train the one network, and their
rounds alternate, so that a machine that grows slower does so for all. Memory: peak resident memory
of fresh processes that write, import, train and predict 20 and 200 studies, where the allocator
gives freed memory back at once: by default it keeps some 100 MiB, full after about 200 studies.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from segmenters import Augmentation, TrainingSettings, UNet, segment
from segmenters.device import make_fabric
from segmenters.method import Setup
from segmenters.sampler import SliceBatch, SliceSampler
from segmenters.step import Supervised
from semiqc.exchange.importing import import_data
from semiqc.files.predictions import PredictionWriter
from semiqc.files.store.reader import Store
from semiqc.nifti.writing import write_labels
from semiqc.optimise import optimise
from semiqc.phantom import write_phantoms

PATCH = (128, 128)
BATCH = 16
STEPS = 6
ROUNDS = 20
COUNTS = (20, 200)
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
STILL = Augmentation(probability=0)


def speed(folder: Path) -> None:
    """Print seconds per step: bare, with the store, with the store and augmentation."""
    path = folder / "speed.h5"
    write_phantoms(path, studies=20, size=128, slices=8, frames=10)
    store = Store(path)
    sampler = SliceSampler(list(store), batch_size=BATCH, patch=PATCH)
    one = sampler.batch(0)
    kinds: dict[str, tuple[Augmentation, Callable[[int], Iterator[SliceBatch]]]] = {
        "bare network": (STILL, lambda first: iter([one] * STEPS)),
        "slices from the store": (STILL, lambda first: sampler.batches(first, first + STEPS - 1)),
        "and augmented": (Augmentation(), lambda first: sampler.batches(first, first + STEPS - 1)),
    }
    loops = _loops(store)
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(ROUNDS + 1):
        for kind, (augmentation, batches) in kinds.items():
            start = time.perf_counter()
            loops[augmentation](batches(number * STEPS + 1))
            if number:  # The first round warms up.
                seconds[kind].append((time.perf_counter() - start) / STEPS)
    bare = statistics.median(seconds["bare network"])
    print(f"{'step':24}{'ms':>8}{'min':>8}{'max':>8}{'share of bare':>16}")
    for kind, values in seconds.items():
        middle = statistics.median(values)
        figures = "".join(f"{1000 * v:8.1f}" for v in (middle, min(values), max(values)))
        print(f"{kind:24}{figures}{middle / bare:16.1%}")


def _loops(store: Store) -> dict[Augmentation, Callable[[Iterator[SliceBatch]], None]]:
    """Loops over the same network, without and with augmentation."""
    training = TrainingSettings(batch_size=BATCH, patch=PATCH)
    fabric = make_fabric(training.device, training.precision)
    network = UNet(store.scheme, training=training).build()
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate)
    wrapped, optimizer = fabric.setup(network, optimizer)

    def loop(augmentation: Augmentation) -> Callable[[Iterator[SliceBatch]], None]:
        augmented = replace(training, augmentation=augmentation)
        step = Supervised(Setup([wrapped], augmented, store.scheme.mirror_axes, fabric, PATCH))
        clip = training.clip
        return lambda batches: optimise(step, batches, optimizer, clip=clip, fabric=fabric)

    return {augmentation: loop(augmentation) for augmentation in (STILL, Augmentation())}


def memory(folder: Path) -> None:
    """Print the peak memory of each job with few and with many studies."""
    jobs = ("write", "import", "train", "predict")
    print(f"{'peak MiB':12}" + "".join(f"{f'{count} studies':>14}" for count in COUNTS))
    peaks: dict[str, list[str]] = {job: [] for job in jobs}
    for count in COUNTS:
        for job in jobs:
            command = [sys.executable, __file__, job, str(folder / str(count)), str(count)]
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=os.environ | GIVE_BACK
            )
            peaks[job].append(done.stdout.strip())
    for job, found in peaks.items():
        print(f"{job:12}" + "".join(f"{peak:>14}" for peak in found))


def work(job: str, folder: Path, count: int) -> None:
    """One job in a process of its own; prints the peak of its resident memory in MiB."""
    path = folder / "phantom.h5"
    if job == "write":
        write_phantoms(path, studies=count, size=96, slices=6, frames=6)
        _as_manifest(Store(path), folder / "nifti")
    elif job == "import":
        import_data(folder / "nifti" / "manifest.csv", folder / "imported.h5")
    elif job == "train":
        training = TrainingSettings(steps=30, batch_size=8)
        UNet(Store(path).scheme, channels=(8, 16), training=training).fit(list(Store(path)))
    else:
        training = TrainingSettings(steps=2, batch_size=2)
        store = Store(path)
        first = store.study(store.names[0])
        segmenter = UNet(store.scheme, channels=(8, 16), training=training).fit([first])
        with PredictionWriter(folder / "predicted.h5") as writer:
            for study in store:
                writer.add(study, segment(segmenter, study))
    print(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _as_manifest(store: Store, folder: Path) -> None:
    """The references as images, which is all that the import needs to be measured."""
    folder.mkdir()
    lines = ["study,image"]
    for number, study in enumerate(store):
        # No two may have the same pixels, or the import leaves one out.
        shifted = replace(study, name=f"study{number}")
        write_labels(folder / f"{shifted.name}.nii.gz", shifted, study.labels)
        lines.append(f"{shifted.name},{shifted.name}.nii.gz")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            for table in (speed, memory):
                if len(sys.argv) == 1 or sys.argv[1] == table.__name__:
                    table(Path(temporary))
