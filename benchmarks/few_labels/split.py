"""Who is labelled in the few-label table, as splits for `semiqc run`.

    python benchmarks/few_labels_split.py examples/acdc_few_labels/3.csv --labelled 7
    python benchmarks/few_labels_split.py examples/acdc_few_labels/3.csv --draw 1

The split of the literature on ACDC (SSL4MIS, https://github.com/HiLab-git/SSL4MIS, and all who
compare with it): 70 patients to train on, of whom the first 1, 3, 7 or 14 of a list are labelled
and the others are unlabelled, 10 to validate on, 20 to test on. ``3.csv`` has them in the list's
order. Patient 076 is left out, as `semiqc import` leaves it out: its images are those of patient
074. Those to validate on are unused, for nothing is chosen by them.

Without a draw the first of the list are labelled. Draws 1, 2, ... are of other patients: the list
without those of the standard draw, shuffled with seed 0, is dealt out in parts of that size.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

STANDARD = 3
"""Labelled patients of the split that is read."""


def chosen(patients: Sequence[str], labelled: int, draw: int) -> list[str]:
    """The labelled patients of a draw.

    Args:
        patients: To train on, in the list's order.
        labelled: How many.
        draw: From 0, the literature's.

    Raises:
        ValueError: If there are too few patients for that draw.
    """
    if draw == 0:
        found = list(patients[:labelled])
    else:
        others = np.random.default_rng(0).permutation(sorted(patients[labelled:])).tolist()
        found = others[(draw - 1) * labelled : draw * labelled]
    if len(found) < labelled:
        raise ValueError(f"draw {draw} of {labelled}: only {len(patients)} patients to train on")
    return found


def roles(given: Mapping[str, str], labelled: int, draw: int) -> dict[str, str]:
    """Role of every patient, the labelled first.

    Args:
        given: Role of every patient in the standard split, in the list's order.
        labelled: How many of those to train on are labelled.
        draw: See ``chosen``.
    """
    patients = [name for name, role in given.items() if role in ("labelled", "unlabelled")]
    first = chosen(patients, labelled, draw)
    rest = {name: "unlabelled" for name in patients if name not in first}
    others = {name: role for name, role in given.items() if name not in patients}
    return dict.fromkeys(first, "labelled") | rest | others


def read(path: Path) -> dict[str, str]:
    """Role of every study of a split, in the file's order."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["study"]: row["role"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", type=Path, help="Standard split to start from.")
    parser.add_argument("--labelled", type=int, default=STANDARD, help="Labelled patients.")
    parser.add_argument("--draw", type=int, default=0, help="Of the labelled patients.")
    options = parser.parse_args()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("study", "role"))
    writer.writerows(roles(read(options.split), options.labelled, options.draw).items())
