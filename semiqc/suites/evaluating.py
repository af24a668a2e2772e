"""From suites to how well their estimators judge studies that they never saw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from qc.base import ProgressCallback, unobserved
from qc.evaluation import Evaluation, evaluate
from qc.evaluation.judgement import Judgement
from qc.evaluation.map_examples import MapExample
from qc.evaluation.slices import SliceJudgement
from qc.evaluation.thresholds import THRESHOLD, QualityThreshold
from qc.graded import GradedSet, balanced_subset
from qc.graded.store import store_of
from qc.suites.suite import Suite
from semiqc.files.store.reader import Store
from semiqc.schemes import LabelScheme
from semiqc.suites.making import HELD_OUT
from semiqc.suites.suiting import refuse_other_data

Row = TypeVar("Row", Judgement, SliceJudgement, MapExample)


@dataclass(frozen=True, eq=False)
class Evaluated:
    """How well suites judge, and what they were not asked about.

    Args:
        evaluation: Of all their estimators.
        left_out: Studies of the graded set that a suite learned from.
        scheme: Of the segmentations.
    """

    evaluation: Evaluation
    left_out: tuple[str, ...]
    scheme: LabelScheme


def evaluate_suites(
    folders: Sequence[Path],
    graded: Path,
    *,
    store: Path | None = None,
    balanced: bool = False,
    threshold: QualityThreshold = THRESHOLD,
    seed: int = 0,
    observe: ProgressCallback = unobserved,
) -> Evaluated:
    """Judge the estimators of suites on the same graded segmentations of studies none ever saw.

    Args:
        folders: Of the suites. Where there are several, estimators are called ``SUITE/NAME``, so
            that two configurations of one estimator can stand side by side.
        graded: File of graded segmentations.
        store: That they were made of; by default where it then was.
        balanced: Draw as many from each tenth of the mean Dice, as the papers do.
        threshold: Quality from which a segmentation is good; see ``qc.evaluation.evaluate``.
        seed: Of that draw.
        observe: Told how many segmentations are judged, and of how many.

    Raises:
        ValueError: If the suites learned from all studies, or one was made for other structures,
            modalities or spacing, or two have folders of one name.
    """
    suites = _named_suites(folders)
    held = GradedSet(graded, Store(store or store_of(graded)))
    for suite in suites.values():
        refuse_other_data(suite, held.store, "and grade anew")
        refuse_other_tolerance(suite, held)
    unseen, seen = unseen_by(list(suites.values()), held)
    population = unseen.mean_dice
    if balanced:
        unseen = unseen.subset(balanced_subset(population, np.random.default_rng(seed)))
    found = _judged(suites, unseen, threshold, observe)
    together = replace(_together(list(suites), found), population=population)
    return Evaluated(together, seen, held.store.scheme)


def _judged(
    suites: Mapping[str, Suite],
    unseen: GradedSet,
    threshold: QualityThreshold,
    observe: ProgressCallback,
) -> list[Evaluation]:
    """What each suite says of the same segmentations."""
    found = []
    for place, suite in enumerate(suites.values()):
        tell = partial(_observe_part, observe, place, len(suites))
        found.append(
            evaluate(suite.panel, unseen, suite.scheme, threshold=threshold, observe=tell)
        )
    return found


def _named_suites(folders: Sequence[Path]) -> dict[str, Suite]:
    """The suites by the name of their folder.

    Raises:
        ValueError: If two have the same name.
    """
    named: dict[str, Suite] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in named:
            raise ValueError(
                f"{folder}: two suites are called {name}, which a table could not tell apart;"
                " rename a folder"
            )
        named[name] = Suite.load(folder)
    return named


def _observe_part(
    observe: ProgressCallback, place: int, parts: int, done: int, total: int
) -> None:
    """Tell how far one of several suites is, as a share of all."""
    observe(place * total + done, parts * total)


def _together(suites: Sequence[str], found: Sequence[Evaluation]) -> Evaluation:
    """What the estimators of all suites said; with the name of the suite where it needs one."""
    if len(found) == 1:
        return found[0]
    named = list(zip(suites, found, strict=True))

    def with_suite(rows: Callable[[Evaluation], Sequence[Row]]) -> list[Row]:
        """Rows of all, whose estimators are called by their suite, too."""
        return [
            replace(row, estimator=f"{name}/{row.estimator}")
            for name, one in named
            for row in rows(one)
        ]

    return replace(
        found[0],
        judgements=with_suite(lambda one: one.judgements),
        slices=with_suite(lambda one: one.slices),
        maps=with_suite(lambda one: one.maps),
    )


def unseen_by(suites: Sequence[Suite], held: GradedSet) -> tuple[GradedSet, tuple[str, ...]]:
    """Segmentations of studies that no suite learned from, and names of the others.

    Raises:
        ValueError: If they learned from all.
    """
    names = set(held.studies.tolist())
    studies = [held.store.study(name) for name in sorted(names)]
    seen = [one.name for one in studies if any(s.training.has_seen(one) for s in suites)]
    unseen = held.of_studies(names - set(seen))
    if not len(unseen):
        raise ValueError(
            f"{held.path}: the suite learned from all {len(seen)} studies; evaluate it on others,"
            f" such as {HELD_OUT} that `semiqc qc fit --test` leaves"
        )
    return unseen, tuple(seen)


def refuse_other_tolerance(suite: Suite, held: GradedSet) -> None:
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
