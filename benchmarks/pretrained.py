r"""What weights that phantoms taught segment of patients, with no label at all.

    semiqc import PATH/TO/acdc/training acdc_full.h5 --spacing 1.5
    python benchmarks/pretrained.py acdc_full.h5 --split examples/acdc_few_labels/3.csv
    python benchmarks/pretrained.py acdc_full.h5 --weights short-axis.safetensors --enter

The table has a line for each structure: mean over studies and labelled frames, in the geometry of
the source. Without --weights they are the weights that are shipped. With --enter the figures are
written into the card beside the weights, in place of those of the same store and role.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from segmenters import predict
from segmenters.pretrained.card import Card, card_file
from segmenters.pretrained.shipped import FOLDER
from semiqc.experiment.evaluation import overlap_rows
from semiqc.experiment.learned import Learned, of_card
from semiqc.files.store.reader import Store
from semiqc.files.tables import OverlapRow
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.study import Study

SHIPPED = FOLDER / "short-axis.safetensors"
FIGURES = {"dice": "Dice", "hd95_mm": "HD95 (mm)"}


def measured_on(learned: Learned, studies: Iterable[Study]) -> list[OverlapRow]:
    """A row for each labelled frame and structure of the studies."""
    rows: list[OverlapRow] = []
    for study in studies:
        prediction = predict(learned.segmenter, study, clean=learned.clean)
        found = overlap_rows(
            prediction, study, learned.scheme, tolerance_mm=NSD_TOLERANCE_MM, grid="source"
        )
        dice = np.mean([row.figures["dice"] for row in found])
        print(f"{study.name}: mean Dice {dice:.3f}", flush=True)
        rows += found
    return rows


def figures_of(rows: Sequence[OverlapRow]) -> dict[str, dict[str, float]]:
    """Mean of each figure for each structure, and for all of them together."""
    structures = sorted({row.structure for row in rows})
    found = {
        name: {
            figure: float(np.nanmean([r.figures[figure] for r in rows if r.structure == name]))
            for figure in FIGURES
        }
        for name in structures
    }
    mean = {figure: float(np.mean([of[figure] for of in found.values()])) for figure in FIGURES}
    return {**found, "mean": mean}


def print_figures(figures: dict[str, dict[str, float]]) -> None:
    """The table in Markdown."""
    print("\n| structure | " + " | ".join(FIGURES.values()) + " |")
    print("|---|" + "---|" * len(FIGURES))
    for name, of in figures.items():
        print(f"| {name} | {of['dice']:.3f} | {of['hd95_mm']:.1f} |")


def enter(card: Card, path: Path, entry: dict[str, Any]) -> None:
    """Write figures into a card, in place of those of the same data."""
    kept = [old for old in card.measured if old["data"] != entry["data"]]
    replace(card, measured=(*kept, entry)).write(path)


def main() -> None:
    """Measure, print and, where asked, write into the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path, help="Labelled studies, from `semiqc import`.")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="With a card beside them.")
    parser.add_argument("--split", type=Path, help="CSV of study and role; all studies if not.")
    parser.add_argument("--role", default="test", help="Of the studies to measure on.")
    parser.add_argument("--enter", action="store_true", help="Write figures into the card.")
    options = parser.parse_args()
    card = Card.read(card_file(options.weights))
    store = Store(options.store)
    names = list(store.names)
    if options.split:
        from benchmarks.few_labels.split import read

        names = [name for name, role in read(options.split).items() if role == options.role]
    rows = measured_on(of_card(card, options.weights), [store.study(name) for name in names])
    figures = figures_of(rows)
    print_figures(figures)
    of_role = f", {options.role} of {options.split.name}" if options.split else ""
    entry = {
        "data": f"{options.store.name}{of_role}",
        "studies": len(names),
        "labels learned from": 0,
        "figures": {k: {f: round(v, 4) for f, v in of.items()} for k, of in figures.items()},
    }
    if options.enter:
        enter(card, card_file(options.weights), entry)


if __name__ == "__main__":
    main()
