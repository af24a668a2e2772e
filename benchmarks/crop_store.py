"""Crop the studies of a store around their labels, as the cine studies of the examples are.

    python benchmarks/crop_store.py acdc_all.h5 crops.h5 --unseen examples/acdc_gates_split.csv
    python benchmarks/crop_store.py acdc_all.h5 acdc_hearts.h5 --wider-than 150

The box is that of all labels with a margin of 10 mm in plane; the first and the last slice with a
label are left out, as the crops of the cine studies lack base and apex.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import BACKGROUND
from semiqc.study import Study

MARGIN_MM = 10.0


def cropped(study: Study) -> Study:
    """The study within the box of its labels."""
    labels = np.asarray(study.labels[:])
    found = np.argwhere(labels > BACKGROUND)[:, 1:]
    low, high = found.min(axis=0), found.max(axis=0) + 1
    ends = int(high[0] - low[0] > 4)
    low[0], high[0] = low[0] + ends, high[0] - ends
    for axis in (1, 2):
        margin = round(MARGIN_MM / study.spacing[axis])
        low[axis] = max(0, low[axis] - margin)
        high[axis] = min(labels.shape[axis + 1], high[axis] + margin)
    box = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    image = np.asarray(study.image[:])[(slice(None), slice(None), *box)]
    return replace(study, image=image, labels=labels[(slice(None), *box)], geometry=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--unseen", type=Path, help="Split whose other roles are left out.")
    parser.add_argument(
        "--wider-than", type=int, default=0, help="Rows; what has fewer is left as it is."
    )
    options = parser.parse_args()
    given = Store(options.store)
    names = set(given.names)
    if options.unseen:
        with options.unseen.open(newline="", encoding="utf-8") as file:
            names -= {row["study"] for row in csv.DictReader(file) if row["role"] != "test"}
    with StoreWriter(options.output, given.scheme, given.modalities) as writer:
        for name in given.names:
            if name in names:
                study = given.study(name)
                is_wide = study.image.shape[-2] > options.wider_than
                writer.add(cropped(study) if is_wide else study)
    print(f"wrote {len(names)} studies to {options.output}")
