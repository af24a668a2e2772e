r"""What an online loop gains with no label of a patient: phantoms are the labelled studies.

    semiqc import PATH/TO/acdc/training acdc_full.h5 --spacing 1.5
    python benchmarks/zero_labels.py acdc_full.h5 runs/zero_labels --phantoms 100
    python benchmarks/zero_labels.py acdc_full.h5 runs/zero_validation --tested unused

The patients that the standard split trains on are the unlabelled studies, without their labels.
The loop goes on from the shipped weights, which phantoms taught; the table has them, too (`few`).
Dice of each volume in the geometry of the source.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

from benchmarks.few_labels.split import read
from benchmarks.few_labels.work import STANDARD
from semiqc.experiment import read_settings, run
from semiqc.experiment.pretraining import PretrainingSettings
from semiqc.files.atomic import whole_file
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.files.tables import OverlapRow, read_rows
from semiqc.work.monitor import Silent

FROM_PHANTOMS = (
    "training.start=phantom",
    "training.steps=1",
    "training.learning_rate=1e-9",
    "segmenter.members=1",
    "gates=[]",
)
"""The first training changes nothing: the shipped weights are what the loop goes on from."""


def shares(rows: list[OverlapRow], scenario: str) -> Iterator[tuple[str, float]]:
    """Mean Dice of each structure of a scenario."""
    own = [row for row in rows if row.scenario == scenario]
    for structure in dict.fromkeys(row.structure for row in own):
        dice = [row.dice for row in own if row.structure == structure]
        yield structure, sum(dice) / len(dice)


def write_data(source: Path, folder: Path, phantoms: int, tested: str) -> None:
    """A store of patients and phantoms, ``mixed.h5``, and who is what, ``split.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, store = PretrainingSettings(), Store(source)
    roles = {n: role for n, role in read(STANDARD).items() if role != "labelled"}
    roles |= {n: "unlabelled" for n, role in read(STANDARD).items() if role == "labelled"}
    roles = {n: {tested: "test", "unlabelled": "unlabelled"}.get(r) for n, r in roles.items()}
    drawn = folder / "phantoms.h5"
    if not drawn.exists():
        settings.recipe.write(drawn, range(phantoms))
    with (
        StoreWriter(folder / "mixed.h5", store.scheme, store.modalities, overwrite=True) as writer,
        whole_file(folder / "split.csv") as temporary,
        temporary.open("w", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("study", "role"))
        for study in Store(drawn):
            writer.add(study.load())
            table.writerow((study.name, "labelled"))
        for name, role in roles.items():
            if role is not None:
                writer.add(store.study(name).load())
                table.writerow((name, role))


def main() -> None:
    """Make the data, run the loop, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path, help="Of ACDC at full size, from `semiqc import`.")
    parser.add_argument("output", type=Path, help="Folder of data and run.")
    parser.add_argument("--phantoms", type=int, default=100)
    parser.add_argument("--tested", default="test", help="Role of the studies to measure on.")
    parser.add_argument("--loop", default="fixmatch")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    write_data(options.store, options.output, options.phantoms, options.tested)
    data = [f"data={options.output / 'mixed.h5'}", f"split.file={options.output / 'split.csv'}"]
    asked = [f"output={options.output / 'run'}", f"scenarios=[few, {options.loop}]"]
    settings = read_settings(None, [*FROM_PHANTOMS, "dirty.share=0", *data, *asked, *options.set])
    run(settings, Silent())
    rows = read_rows(options.output / "run" / "results" / "overlap.csv", OverlapRow)
    for scenario in ("few", options.loop):
        found = dict(shares(rows, scenario))
        shown = "  ".join(f"{name} {dice:.3f}" for name, dice in found.items())
        print(f"{scenario}: Dice {sum(found.values()) / len(found):.3f}  {shown}", flush=True)


if __name__ == "__main__":
    main()
