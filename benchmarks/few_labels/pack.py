"""Make the store of the few-label table small, to take it to another machine.

    python -m benchmarks.few_labels.pack acdc_full.h5 few_labels.h5

Intensities are rounded to 32nds of the range that becomes 0 to 1, which makes the file a quarter
as large. Patients to train on are cut to the middle 288 mm, in which every structure
of every patient lies; those to test on stay whole, with the labels as they were drawn. Patients of
no use are left out.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.few_labels.split import read
from benchmarks.few_labels.work import STANDARD
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.study import Study

STEPS = 32
"""Between the intensities 0 and 1."""

KEPT_MM = 288.0
"""Rows and columns of the patients to train on."""


def packed(study: Study, *, is_whole: bool) -> Study:
    """A study with rounded intensities; its middle alone, unless it is to stay whole."""
    image = np.round(np.asarray(study.image[:]) * STEPS) / STEPS
    if is_whole:
        return replace(study, image=image)
    box = middle(study)
    return replace(
        study, image=image[..., *box], labels=study.labels[:][..., *box], source_labels=None
    )


def middle(study: Study) -> tuple[slice, slice]:
    """Rows and columns of the middle of a study's slices."""
    found = []
    for length, mm in zip(study.image.shape[-2:], study.spacing[1:], strict=True):
        kept = min(length, round(KEPT_MM / mm))
        found.append(slice((length - kept) // 2, (length - kept) // 2 + kept))
    return found[0], found[1]


def pack(source: Path, target: Path) -> int:
    """Write the small store; the number of its studies."""
    store = Store(source)
    used = {n: role for n, role in read(STANDARD).items() if role != "unused"}
    with StoreWriter(target, store.scheme, store.modalities, overwrite=True) as writer:
        for name, role in used.items():
            writer.add(packed(store.study(name), is_whole=role == "test"))
    return len(used)


if __name__ == "__main__":
    path = Path(sys.argv[2])
    count = pack(Path(sys.argv[1]), path)
    print(f"wrote {count} studies to {path}, {path.stat().st_size / 2**20:.0f} MiB")
