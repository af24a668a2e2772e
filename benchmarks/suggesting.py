"""What labels of suggested studies bring, and those of studies drawn at random.

    semiqc import PATH/TO/acdc/training acdc_full.h5 --spacing 1.5
    python benchmarks/suggesting.py acdc_full.h5 runs/suggesting --seeds 0 1 2

Three labelled patients of ACDC's standard split train a segmenter, the suite that phantoms taught
judges what it makes of the 66 others, and `semiqc suggest` names those to label next. They join
the three, and in the other arm so do as many at random; each arm trains anew, with all labels. The
20 test patients measure, ED and ES in the geometry of the source. Every patient has a heart, so
one drawn at random is one drawn among those with foreground. What is done is not done again.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.few_labels.split import read
from benchmarks.few_labels.work import STANDARD
from semiqc.experiment import read_settings, run
from semiqc.experiment.suggesting.suggesting import TABLE, SuggestionRow, suggest
from semiqc.files.atomic import whole_file
from semiqc.files.tables import OverlapRow, read_rows
from semiqc.measuring.bootstrap import bootstrap_difference
from semiqc.measuring.means import mean_of_known
from semiqc.work.monitor import Silent

COMMON = (
    "scenarios=[few]",
    "segmenter.members=1",
    "segmenter.mirror=false",
    "training.start=phantom",
    "qc.suite=phantom",
)
JUDGED = (
    "gates=[{loop: fixmatch, by: consensus}]",
    "online.steps=1",
    "online.refreshes=1",
    "segmenter.tta=4",
)
"""The gate is there for its suite, which judges; its training of one step is not looked at. Four
views tell how unsure the segmenter is."""

WAYS = ("suggested", "random")


class Trial:
    """One seed: the first training, who is chosen, and the trainings with more labels.

    Args:
        store: Of ACDC at full size.
        folder: Of this seed.
        seed: Of trainings, of the ranking's noise and of the random choice.
        changes: Of settings, for all trainings.
    """

    def __init__(self, store: Path, folder: Path, seed: int, changes: Sequence[str]) -> None:
        self.folder = folder
        self.seed = seed
        self.roles = {n: role for n, role in read(STANDARD).items() if role != "unused"}
        self._settings = [*COMMON, f"data={store}", f"seeds=[{seed}]", *changes]

    def first(self) -> dict[str, float]:
        """Dice of each test patient with the first labels; the pool is judged besides."""
        return self._trained("first", self.roles, JUDGED)

    def more(self, way: str, count: int) -> dict[str, float]:
        """Dice of each test patient with as many more labels, chosen in one of the ``WAYS``."""
        chosen = self._suggested(count) if way == "suggested" else self._drawn(count)
        print(f"seed {self.seed}, {count} {way}: {', '.join(chosen)}", flush=True)
        roles = self.roles | dict.fromkeys(chosen, "labelled")
        return self._trained(f"{way}-{count}", roles, ("gates=[]",))

    def _suggested(self, count: int) -> list[str]:
        folder = self.folder / f"next-{count}"
        if not (folder / TABLE).exists():
            suggest(self.folder / "first", folder, count=count, seed=self.seed, monitor=Silent())
        return [row.study for row in read_rows(folder / TABLE, SuggestionRow)]

    def _drawn(self, count: int) -> list[str]:
        """The same first ones for every count."""
        pool = sorted(name for name, role in self.roles.items() if role == "unlabelled")
        drawn = np.random.default_rng(self.seed).permutation(len(pool))[:count]
        return [pool[place] for place in drawn]

    def _trained(
        self, name: str, roles: Mapping[str, str], changes: Iterable[str]
    ) -> dict[str, float]:
        output = self.folder / name
        split = write_split(self.folder / f"{name}.csv", roles)
        given = [f"split.file={split}", f"output={output}", *changes]
        run(read_settings(None, [*self._settings, *given]), Silent())
        found = defaultdict(list)
        for row in read_rows(output / "results" / "overlap.csv", OverlapRow):
            if row.scenario == "few":
                found[row.study].append(row.dice)
        return {study: mean_of_known(dice) for study, dice in sorted(found.items())}


def write_split(path: Path, roles: Mapping[str, str]) -> Path:
    """Write who is what, as ``split.file`` takes it."""
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("study", "role"))
        table.writerows(roles.items())
    return path


def by_seed(found: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """Dice by patient and seed, ``[P, S]``."""
    return np.array([list(one.values()) for one in found]).T


def print_table(found: Mapping[tuple[str, int], Sequence[Mapping[str, float]]]) -> None:
    """Dice by number of labels that are added, and what the suggested ones bring more."""
    print("| more labels | suggested | random | difference (95 % interval) |\n|---|---|---|---|")
    start = by_seed(found["first", 0])
    print(f"| 0, with four views | {_cell(start)} | the same | |")
    for count in sorted({count for way, count in found if way == "random"}):
        suggested, random = (by_seed(found[way, count]) for way in WAYS)
        low, high = bootstrap_difference(suggested, random)
        less = f"{suggested.mean() - random.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"| {count} | {_cell(suggested)} | {_cell(random)} | {less} |")


def _cell(dice: NDArray[np.float64]) -> str:
    return f"{dice.mean():.3f} ({', '.join(f'{one:.3f}' for one in dice.mean(axis=0))})"


def main() -> None:
    """Train all arms, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path, help="Of ACDC at full size, from `semiqc import`.")
    parser.add_argument("output", type=Path, help="Folder of splits and runs.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for seed in options.seeds:
        trial = Trial(options.store, options.output / f"seed{seed}", seed, options.set)
        found["first", 0].append(trial.first())
        for count in options.counts:
            for way in WAYS:
                found[way, count].append(trial.more(way, count))
    print_table(found)


if __name__ == "__main__":
    main()
