r"""What a few labelled subjects do for a suite: r, MAE, bias and AURC on others.

    python benchmarks/calibrating.py phantom others.h5 test.h5
    python benchmarks/calibrating.py phantom others.h5 test.h5 --subjects 3 8 --draws 10

Calibrates the consensus on segmentations of so many subjects of the first set, drawn anew each
time as `semiqc qc calibrate` does, and judges those of the second that were not drawn; means over
the draws.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qc.absence import absent_structures
from qc.base import Quality
from qc.consensus.blend import Blend
from qc.consensus.calibration import dice_said, true_dice
from qc.evaluation import aurc
from qc.graded import GradedSet
from qc.graded.store import store_of
from qc.suites.suite import Suite
from semiqc.files.store.reader import Store
from semiqc.suites.weighing import judged_by_each

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """Graded segmentations, and what each estimator says of them.

    Args:
        graded: The set.
        said: By estimator's name.
        true: Dice, ``[N, S]``.
        absent: Structures that each segmentation lacks.
    """

    graded: GradedSet
    said: Mapping[str, Sequence[Quality | None]]
    true: Array
    absent: Sequence[Sequence[str]]

    @classmethod
    def by(cls, suite: Suite, path: Path, most: int | None = None) -> Self:
        """What a suite says of a graded set, or of its first studies."""
        graded = GradedSet(path, Store(store_of(path)))
        if most:
            graded = graded.of_studies(sorted(set(graded.studies.tolist()))[:most])
        absent = [list(absent_structures(one.prediction, suite.scheme)) for one in graded]
        said = judged_by_each(suite.estimators, graded)
        return cls(graded, said, true_dice(graded, suite.scheme), absent)

    def of(self, rows: NDArray[np.intp]) -> dict[str, list[Quality | None]]:
        """What was said of some of them."""
        return {name: [of_one[row] for row in rows] for name, of_one in self.said.items()}

    def blended(self, blend: Blend) -> Array:
        """Dice of each structure by a blend, ``[N, S]``."""
        own = [
            {n: of_one[row] for n, of_one in self.said.items()} for row in range(len(self.true))
        ]
        pairs = zip(own, self.absent, strict=True)
        return dice_said([blend.combine(o, absent=a) for o, a in pairs], blend.scheme)


def figures(true: Array, told: Array) -> list[float]:
    """r, MAE, bias and AURC over pairs ``[N]``."""
    known = np.isfinite(true) & np.isfinite(told)
    a, b = true[known], told[known]
    r = float(np.corrcoef(a, b)[0, 1])
    return [r, float(np.abs(b - a).mean()), float((b - a).mean()), aurc(a, b)]


def rows(names: Sequence[str], true: Array, told: Array) -> dict[str, list[float]]:
    """Figures of the mean over structures, and of each."""
    of_all = figures(np.nanmean(true, axis=1), np.nanmean(told, axis=1))
    parts = zip(names, true.T, told.T, strict=True)
    return {"frame": of_all} | {name: figures(a, b) for name, a, b in parts}


def show(title: str, found: Sequence[dict[str, list[float]]]) -> None:
    """Print the mean over draws."""
    cells = [f"{name} " + " ".join(f"{v:+.3f}" for v in np.mean([f[name] for f in found], axis=0))
             for name in found[0]]  # fmt: skip
    print(f"{title:>22}: " + " | ".join(cells), flush=True)


def before(suite: Suite, blend: Blend, test: Judged) -> None:
    """Print what estimators and consensus are worth with no label."""
    names = [part.name for part in suite.scheme.structures]
    sources, count = test.graded.sources, len(set(test.graded.studies.tolist()))
    print(f"{len(test.graded)} segmentations of {count} subjects; r, MAE, bias, AURC")
    for name, of_one in test.said.items():
        show(name, [rows(names, test.true, dice_said(of_one, suite.scheme))])
    told = test.blended(blend)
    show("consensus", [rows(names, test.true, told)])
    for source in sorted(set(sources.tolist())):
        own = sources == source
        show(source, [rows(names, test.true[own], told[own])])


def after(suite: Suite, others: Judged, test: Judged, given: argparse.Namespace) -> None:
    """Print what the consensus is worth, calibrated by each count of subjects."""
    names = [part.name for part in suite.scheme.structures]
    subjects = np.unique(others.graded.studies)
    for count in given.subjects:
        found = []
        for draw in range(given.draws):
            taken = np.random.default_rng(draw).choice(subjects, count, replace=False)
            chosen = np.flatnonzero(np.isin(others.graded.studies, taken))
            unseen = ~np.isin(test.graded.studies, taken)
            own, known = others.of(chosen), others.graded.subset(chosen)
            told = test.blended(Blend(suite.scheme).fit(own, known))[unseen]
            found.append(rows(names, test.true[unseen], told))
        show(f"calibrated by {count}", found)


def main() -> None:
    """Print a row for each number of subjects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--subjects", type=int, nargs="+", default=[3, 8, 20])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--most", type=int, help="Studies of the first set that are judged.")
    given = parser.parse_args()
    suite = Suite.load(given.suite)
    if suite.blend is None:
        raise SystemExit(f"{given.suite}: has no consensus")
    others = Judged.by(suite, given.others, given.most)
    test = others if given.test == given.others else Judged.by(suite, given.test)
    before(suite, suite.blend, test)
    after(suite, others, test, given)


if __name__ == "__main__":
    main()
