r"""Grades what the networks of runs made of patients that none of them learned labels of.

    python benchmarks/graded_runs.py acdc_full.h5 graded.h5 scratch=runs/cells/scratch/stages \
        phantom=runs/zero_labels/run/stages --of test --scenarios few,bcp,fixmatch

A run keeps what each scenario's segmenter made of its test studies, and what the first one made of
the unlabelled ones (``--of candidates``). The graded set is read by `semiqc qc evaluate` and
`semiqc qc calibrate`. Sources are called NAME_SCENARIO.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from qc.graded import GradedWriter, Made
from semiqc.files.predictions import predicted_labels
from semiqc.files.store.reader import Store

FILE = "predictions.h5"


def made(store: Store, name: str, stages: Path, scenario: str, of: str) -> Iterator[Made]:
    """Every labelled frame that a scenario of a run segmented."""
    found = sorted(stages.glob(f"predict-{scenario}-{of}-seed*/{FILE}"))
    for path in found[:1]:
        with h5py.File(path) as file:
            studies = sorted(set(file) & {study.name for study in store})
        for study in map(store.study, studies):
            labels = predicted_labels(path, study.name)
            for frame in study.labelled_frames:
                segmented = np.asarray(labels[frame]).astype(np.int8)
                yield Made(study, frame, segmented, f"{name}_{scenario}")


def main() -> None:
    """Write the graded set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("runs", nargs="+", help="NAME=folder of stages")
    parser.add_argument("--of", choices=("test", "candidates"), default="test")
    parser.add_argument("--scenarios", default="few")
    parser.add_argument("--patients", type=int, help="Only so many, by name.")
    given = parser.parse_args()
    store = Store(given.store)
    names: set[str] = set()
    with GradedWriter(given.output, store, overwrite=True) as writer:
        for run in given.runs:
            name, _, stages = run.partition("=")
            for scenario in given.scenarios.split(","):
                for one in made(store, name, Path(stages), scenario, given.of):
                    if given.patients and one.study.name not in names:
                        if len(names) == given.patients:
                            continue
                        names.add(one.study.name)
                    writer.add(one)
    print(f"{given.output}: segmentations of {len(names) or 'all'} patients")


if __name__ == "__main__":
    main()
