"""Whether conformal intervals and the risk-controlled gate keep what they promise.

    semiqc qc fit store.h5 -o suite --test 21 --calibrate 12
    python benchmarks/guarantees.py suite store.h5

A suite's sets of graded segmentations change places: support vector regression learns from the
21 subjects of ``suite/test.h5`` and judges the 60 of ``suite/graded.h5`` and
``suite/calibration.h5``, of which each was segmented by models that had not seen it. All 60 are
thus judged by one estimator that knows none
of them, and any of them may calibrate while the others test. In each of 200 resamplings, subjects
are drawn to calibrate, with one of their segmentations each, as a data set has them, or with all;
all segmentations of the others are the test, in which every subject counts the same.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qc.consensus.conformal import Conformal
from qc.estimators.svr.estimator import FeatureSVR
from qc.gates import Calibration, RiskControlled
from qc.graded import GradedSet
from semiqc.files.store.reader import Store

Array = NDArray[np.float64]

RESAMPLINGS = 200
LEVELS = (0.8, 0.9, 0.95)
SIZES = (5, 10, 20, 40)
ALPHAS = (0.1, 0.2)
TARGETS = (0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, eq=False)
class Judged:
    """Segmentations, as they are and as they were judged.

    Args:
        scores: ``[N]``.
        estimated: Dice of each structure, ``[N, S]``.
        true: Likewise; NaN where a structure is in neither.
        mean_dice: True, over structures, ``[N]``.
        subjects: ``[N]``.
    """

    scores: Array
    estimated: Array
    true: Array
    mean_dice: Array
    subjects: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Draw:
    """Segmentations of one resampling, as indices.

    Args:
        one: One segmentation of each calibration subject.
        several: All segmentations of these.
        test: All segmentations of the other subjects.
    """

    one: NDArray[np.intp]
    several: NDArray[np.intp]
    test: NDArray[np.intp]


def judged(folder: Path, store: Store) -> Judged:
    """The suite's training segmentations, judged by who learned from its test segmentations."""
    estimator = FeatureSVR(store.scheme).fit(GradedSet(folder / "test.h5", store))
    names = [structure.name for structure in store.scheme.structures]
    files = [folder / name for name in ("graded.h5", "calibration.h5")]
    sets = [GradedSet(file, store) for file in files if file.exists()]
    qualities = [estimator.predict([one.prediction])[0] for graded in sets for one in graded]
    return Judged(
        np.array([quality.score for quality in qualities]),
        np.array([[quality.dice[name] for name in names] for quality in qualities]),
        np.concatenate([graded.dice for graded in sets]),
        np.concatenate([graded.mean_dice for graded in sets]),
        np.array([store.study(str(name)).subject for graded in sets for name in graded.studies]),
    )


def draws(subjects: NDArray[np.str_], size: int) -> Iterator[Draw]:
    """Calibration and test, drawn anew each time."""
    rng = np.random.default_rng(size)
    of_subject = {name: np.flatnonzero(subjects == name) for name in np.unique(subjects)}
    for _ in range(RESAMPLINGS):
        order = rng.permutation(sorted(of_subject))
        yield Draw(
            np.array([rng.choice(of_subject[name]) for name in order[:size]]),
            np.concatenate([of_subject[name] for name in order[:size]]),
            np.concatenate([of_subject[name] for name in order[size:]]),
        )


def mean_of_subjects(values: Array, subjects: NDArray[np.str_]) -> float:
    """Mean over subjects of each one's mean over its finite values; NaN without any."""
    known = np.isfinite(values)
    _, whose = np.unique(subjects[known], return_inverse=True)
    if not len(whose):
        return float("nan")
    return float((np.bincount(whose, weights=values[known]) / np.bincount(whose)).mean())


def coverage_rows(data: Judged) -> Iterator[list[str]]:
    """How often intervals hold the truth, and how long they are, mean over structures."""
    for size in SIZES:
        drawn = list(draws(data.subjects, size))
        for level in LEVELS:
            cells = [str(size), f"{level:.0%}"]
            for kind in ("one", "several"):
                found = [_covered(data, getattr(d, kind), d.test, level) for d in drawn]
                covered, length = np.array(found).T
                cells += [f"{covered.mean():.1%} ({covered.std():.1%})", f"{length.mean():.2f}"]
            yield cells


def _covered(
    data: Judged, known: NDArray[np.intp], test: NDArray[np.intp], level: float
) -> tuple[float, float]:
    conformal = Conformal.of(
        data.estimated[known], data.true[known], data.subjects[known].tolist(), level
    )
    bounds = conformal.intervals(data.estimated[test])
    true = data.true[test]
    holds = np.where(
        np.isfinite(true), (bounds[..., 0] <= true) & (true <= bounds[..., 1]), np.nan
    )
    covered = [mean_of_subjects(column, data.subjects[test]) for column in holds.T]
    return float(np.nanmean(covered)), float((bounds[..., 1] - bounds[..., 0]).mean())


def promise_rows(data: Judged) -> Iterator[list[str]]:
    """How often the gate promises, keeps it, and what it admits."""
    for size in SIZES:
        drawn = list(draws(data.subjects, size))
        for alpha in ALPHAS:
            for target in TARGETS:
                yield [
                    str(size),
                    f"{target:g}",
                    f"{1 - alpha:.0%}",
                    *_promised(data, drawn, target, alpha),
                ]


def _promised(data: Judged, drawn: Sequence[Draw], target: float, alpha: float) -> list[str]:
    gated, plain = [], []
    for draw in drawn:
        calibration = Calibration(
            data.scores[draw.one].tolist(), data.mean_dice[draw.one].tolist()
        )
        gate = RiskControlled(calibration, target, alpha)
        gated.append(_admitted(data, draw.test, gate.promise.threshold))
        plain.append(_admitted(data, draw.test, without_bound(calibration, target)))
    share, dice = np.array(gated).T
    promised = np.isfinite(dice)
    kept = np.mean(~promised | (dice >= target))
    of_plain = np.array(plain)[:, 1]
    kept_plain = np.mean(~np.isfinite(of_plain) | (of_plain >= target))
    what = ["-", "-"]
    if promised.any():
        what = [f"{share[promised].mean():.0%}", f"{dice[promised].mean():.3f}"]
    return [f"{kept:.1%}", f"{promised.mean():.0%}", *what, f"{kept_plain:.1%}"]


def without_bound(calibration: Calibration, target: float) -> float | None:
    """The lowest threshold at which the calibration's own mean Dice is the target."""
    reached = [
        threshold
        for threshold, means in calibration.by_threshold()
        if float(means.mean()) >= target
    ]
    return min(reached, default=None)


def _admitted(
    data: Judged, test: NDArray[np.intp], threshold: float | None
) -> tuple[float, float]:
    """Share of the test admitted, and its mean true Dice; NaN where nothing is admitted."""
    if threshold is None:
        return 0.0, float("nan")
    admitted = test[data.scores[test] >= threshold]
    return len(admitted) / len(test), mean_of_subjects(
        data.mean_dice[admitted], data.subjects[admitted]
    )


def _print_table(titles: Sequence[str], rows: Iterator[list[str]]) -> None:
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


if __name__ == "__main__":
    found = judged(Path(sys.argv[1]), Store(Path(sys.argv[2])))
    count = len(np.unique(found.subjects))
    r = np.corrcoef(found.scores, found.mean_dice)[0, 1]
    print(f"{len(found.scores)} segmentations of {count} subjects, r {r:.3f}\n")
    print("## Coverage of conformal intervals\n")
    _print_table(
        ["Subjects", "Level", "One each (SD)", "Length", "All of each (SD)", "Length"],
        coverage_rows(found),
    )
    print("## Promises of the risk-controlled gate\n")
    _print_table(
        [
            *("Subjects", "Mean Dice", "Probability", "Kept", "Promised"),
            *("Admitted", "Their Dice", "Kept without the bound"),
        ],
        promise_rows(found),
    )
