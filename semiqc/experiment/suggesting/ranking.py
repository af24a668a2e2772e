"""Unlabelled studies, ranked by what their labels would teach.

Reference:
    ClaSP PE, of the authors of nnActive (Transactions on Machine Learning Research 2025 and 2026):
    two thirds of the budget are spread evenly over the classes and ranked by uncertainty within
    each, the rest by uncertainty alone; Gumbel noise is added to the logarithm.
    Ours: the uncertainty of a study is its estimated error times the disagreement of the quality
    estimators, that of a structure in it also the disagreement of the segmenters; the budget is
    spread over groups and subjects, too; the noise is of one strength, as a run knows of no
    earlier one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, isfinite, log

import numpy as np
from scipy.stats import rankdata

from qc import CONSENSUS

FLOOR = 0.05
"""Below which an error or a disagreement counts as this much: the logarithm of 0 decides alone."""

SHARPNESS = 10.0
"""Of the ranking: one over the scale of the noise."""

PLAIN_TURN = 3
"""Every third choice is of no certain structure."""


@dataclass(frozen=True)
class Unlabelled:
    """An unlabelled study and what was said of its segmentation.

    Args:
        study: Its name.
        subject: Whose it is.
        group: Of the subject.
        scores: By estimator, and of their consensus, in [0, 1]; higher is better. At least one.
        agreement: By structure, mean Dice between the segmenters; empty where one segmented alone.
    """

    study: str
    subject: str
    group: str
    scores: Mapping[str, float]
    agreement: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """What the consensus says, else the mean of the estimators."""
        return self.scores.get(CONSENSUS, float(np.mean(list(self.scores.values()))))

    @property
    def by_estimator(self) -> dict[str, float]:
        """The scores without that of the consensus, from the lowest."""
        ordered = sorted(self.scores.items(), key=lambda one: one[1])
        return {name: score for name, score in ordered if name != CONSENSUS}


@dataclass(frozen=True)
class Suggestion:
    """A study to label.

    Args:
        of: The study.
        disagreement: Of the estimators; see ``disagreements``.
        reasons: Why, in words.
    """

    of: Unlabelled
    disagreement: float
    reasons: tuple[str, ...]


def suggestions(pool: Sequence[Unlabelled], count: int, seed: int) -> list[Suggestion]:
    """The studies whose labels would teach most, the first most so.

    Low estimated quality and high disagreement count; in two of three turns also how little the
    segmenters agree in one structure, each structure in its turn. No subject comes again before
    all have been, and no group gets more than its even share while others have studies left.

    Args:
        pool: All unlabelled studies, each with a score.
        count: How many; all where there are fewer.
        seed: Of the noise.
    """
    left = sorted(pool, key=lambda one: one.study)
    disagreement = disagreements(left)
    noise = np.random.default_rng(seed).gumbel(0, 1 / SHARPNESS, len(left))
    worth = {
        one.study: _log(1 - one.score) + _log(disagreement[one.study]) + float(extra)
        for one, extra in zip(left, noise, strict=True)
    }
    turns = _turns(left, count)
    spread = _Spread(left, count)
    chosen = []
    for structure in turns:
        best = min(left, key=lambda one: (*spread.taken(one), -_worth(one, worth, structure)))
        left.remove(best)
        reasons = [*_reasons(best, pool, structure), *spread.reasons(best)]
        spread.take(best)
        chosen.append(Suggestion(best, disagreement[best.study], tuple(reasons)))
    return chosen


def disagreements(pool: Sequence[Unlabelled]) -> dict[str, float]:
    """By study, how differently the estimators rank it: from 0, all alike, to .5.

    It is the standard deviation of the study's places in the orders of the estimators, which run
    from 0, the worst, to 1. Places are compared and not scores, as some estimators give a Dice and
    others a probability. NaN where fewer than two judged the study.
    """
    places: dict[str, list[float]] = {one.study: [] for one in pool}
    for name in sorted({name for one in pool for name in one.by_estimator}):
        judged = [one for one in pool if name in one.scores]
        ranks = rankdata([one.scores[name] for one in judged])
        for one, rank in zip(judged, ranks, strict=True):
            places[one.study].append(float(rank - 1) / max(len(judged) - 1, 1))
    return {s: float(np.std(found)) if len(found) > 1 else np.nan for s, found in places.items()}


def _log(share: float) -> float:
    """Logarithm of an error or disagreement; what is not known tells nothing apart."""
    return log(max(share, FLOOR)) if isfinite(share) else log(FLOOR)


def _worth(one: Unlabelled, worth: Mapping[str, float], structure: str | None) -> float:
    unsure = 0.0 if structure is None else _log(1 - one.agreement.get(structure, np.nan))
    return worth[one.study] + unsure


def _turns(pool: Sequence[Unlabelled], count: int) -> list[str | None]:
    """For each choice the structure that it is of; the least agreed on comes first."""
    known: dict[str, list[float]] = {}
    for one in pool:
        for name, agreement in one.agreement.items():
            known.setdefault(name, []).append(agreement)
    order = sorted(known, key=lambda name: float(np.mean(known[name])))
    turns: list[str | None] = []
    number = 0
    for turn in range(min(count, len(pool))):
        is_plain = not order or turn % PLAIN_TURN == PLAIN_TURN - 1
        turns.append(None if is_plain else order[number % len(order)])
        number += not is_plain
    return turns


class _Spread:
    """Keeps count of the subjects and groups that were chosen.

    Args:
        pool: What is chosen from.
        count: How many are chosen.
    """

    def __init__(self, pool: Iterable[Unlabelled], count: int) -> None:
        self.groups = {one.group for one in pool}
        self.share = ceil(count / max(len(self.groups), 1))
        self.of_subject: Counter[str] = Counter()
        self.of_group: Counter[str] = Counter()

    def taken(self, one: Unlabelled) -> tuple[int, bool]:
        """How often the subject was chosen, and whether the group has had its share."""
        return self.of_subject[one.subject], self.of_group[one.group] >= self.share

    def take(self, one: Unlabelled) -> None:
        self.of_subject[one.subject] += 1
        self.of_group[one.group] += 1

    def reasons(self, one: Unlabelled) -> list[str]:
        """That the group is new, where there are several."""
        is_new = len(self.groups) > 1 and not self.of_group[one.group]
        return [f"first of group {one.group}"] if is_new else []


def _reasons(one: Unlabelled, pool: Sequence[Unlabelled], structure: str | None) -> list[str]:
    """What the estimators and the segmenters say of a study, beside the others."""
    place = 1 + sum(other.score < one.score for other in pool)
    found = [f"quality {one.score:.2f}, place {place} of {len(pool)} from the worst"]
    if len(said := one.by_estimator) > 1:
        low, *_, high = said
        found.append(f"{low} says {said[low]:.2f}, {high} {said[high]:.2f}")
    if structure is not None and structure in one.agreement:
        found.append(f"segmenters agree by Dice {one.agreement[structure]:.2f} in {structure}")
    return found
