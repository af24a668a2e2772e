"""From a suite to how well its estimators judge studies that they never saw."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qc.base import ProgressCallback, unobserved
from qc.evaluation import Evaluation, evaluate
from qc.evaluation.thresholds import THRESHOLD, QualityThreshold
from qc.graded import GradedSet, balanced_subset
from qc.graded.store import store_of
from qc.suites.suite import Suite
from semiqc.files.store.reader import Store
from semiqc.suites.making import HELD_OUT
from semiqc.suites.suiting import refuse_other_data


@dataclass(frozen=True, eq=False)
class Evaluated:
    """How well a suite judges, and what it was not asked about.

    Args:
        evaluation: Of all its estimators.
        left_out: Studies of the graded set that the suite learned from.
    """

    evaluation: Evaluation
    left_out: tuple[str, ...]


def evaluate_suite(
    folder: Path,
    graded: Path,
    *,
    store: Path | None = None,
    balanced: bool = False,
    threshold: QualityThreshold = THRESHOLD,
    seed: int = 0,
    observe: ProgressCallback = unobserved,
) -> Evaluated:
    """Judge the estimators of a suite on graded segmentations of studies it never saw.

    Args:
        folder: Of the suite.
        graded: File of graded segmentations.
        store: That they were made of; by default where it then was.
        balanced: Draw as many from each tenth of the mean Dice, as the papers do.
        threshold: Quality from which a segmentation is good; see ``qc.evaluation.evaluate``.
        seed: Of that draw.
        observe: Told how many segmentations are judged, and of how many.

    Raises:
        ValueError: If the suite learned from all studies, or was made for other structures,
            modalities or spacing.
    """
    suite = Suite.load(folder)
    held = GradedSet(graded, Store(store or store_of(graded)))
    refuse_other_data(suite, held.store, "and grade anew")
    _refuse_other_tolerance(suite, held)
    unseen, seen = _unseen(suite, held)
    population = unseen.mean_dice
    if balanced:
        unseen = unseen.subset(balanced_subset(population, np.random.default_rng(seed)))
    panel, scheme = suite.panel, suite.scheme
    found = evaluate(panel, unseen, scheme, threshold=threshold, observe=observe)
    return Evaluated(replace(found, population=population), seen)


def _unseen(suite: Suite, held: GradedSet) -> tuple[GradedSet, tuple[str, ...]]:
    """Segmentations of studies that the suite did not learn from, and names of the others.

    Raises:
        ValueError: If it learned from all.
    """
    names = set(held.studies.tolist())
    seen = sorted(name for name in names if suite.training.has_seen(held.store.study(name)))
    unseen = held.of_studies(names - set(seen))
    if not len(unseen):
        raise ValueError(
            f"{held.path}: the suite learned from all {len(seen)} studies; evaluate it on others,"
            f" such as {HELD_OUT} that `semiqc qc fit --test` leaves"
        )
    return unseen, tuple(seen)


def _refuse_other_tolerance(suite: Suite, held: GradedSet) -> None:
    """Surface Dice of two tolerances are two measures.

    Raises:
        ValueError: If the set was graded with another than the suite, where that one is known.
    """
    learned = suite.training.nsd_tolerance_mm
    if learned is not None and held.tolerance_mm != learned:
        raise ValueError(
            f"{held.path}: its surface Dice forgives {held.tolerance_mm:g} mm, the suite's"
            f" {learned:g} mm; grade it with that tolerance"
        )
