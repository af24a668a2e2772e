"""Which judged studies are admitted as pseudo-labels.

A gate takes qualities and gives one decision for each, in the same order, with the reason. What
it decides does not depend on that order: studies of equal score are ranked by name.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qc.base import Quality


@dataclass(frozen=True)
class Decision:
    """Whether a study is admitted, and why.

    Args:
        study: Name of the study.
        admitted: Whether its predicted labels are taught from.
        reason: In words, for the table of a run.
    """

    study: str
    admitted: bool
    reason: str


class Gate(ABC):
    """Decides which of the judged studies are admitted."""

    @abstractmethod
    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        """One decision for each quality, in order.

        Raises:
            ValueError: If two qualities are of the same study.
        """


@dataclass(frozen=True)
class BestK(Gate):
    """Admits the ``k`` studies of highest score: the 'best in class'.

    Reference:
        Ruijsink, Puyol-Antón et al., "Quality-aware semi-supervised learning for CMR
        segmentation", STACOM 2020, section 3.1. https://doi.org/10.1007/978-3-030-68107-4_10
        It ranks by probability alone, as is done here unless ``only_good`` is set.

    Args:
        k: How many; 30 in the paper. All where there are fewer.
        only_good: Pass over what the estimator's own verdict calls erroneous, even where fewer
            than ``k`` are then left.
    """

    k: int = 30
    only_good: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        return _take_best(qualities, self.k, f"k = {self.k}", self.only_good)


@dataclass(frozen=True)
class Fraction(Gate):
    """Admits the best share of the studies, rounded up, so at least one.

    Args:
        share: In (0, 1].
        only_good: As for ``BestK``; the share is taken of all studies.
    """

    share: float = 0.5
    only_good: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        # Rounding keeps .07 * 100 = 7.000000000000001 from becoming 8.
        count = math.ceil(round(self.share * len(qualities), 9))
        return _take_best(qualities, count, f"share = {self.share:g}", self.only_good)


@dataclass(frozen=True)
class Threshold(Gate):
    """Admits every study whose score is at least ``min_score``.

    Args:
        min_score: In [0, 1].
        only_good: Also asks that the estimator's own verdict is not erroneous.
    """

    min_score: float = 0.5
    only_good: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score must lie in [0, 1], got {self.min_score}")

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        _check_unique(qualities)
        return [self._decision(quality) for quality in qualities]

    def _decision(self, quality: Quality) -> Decision:
        if self.only_good and quality.is_good is False:
            return _called_erroneous(quality)
        admitted = quality.score >= self.min_score
        relation = "reaches" if admitted else "is below"
        return Decision(
            quality.study, admitted, f"score {quality.score:.3f} {relation} {self.min_score:g}"
        )


@dataclass(frozen=True)
class RandomK(Gate):
    """Admits ``k`` studies by chance, whatever their score: the control without quality control.

    A study's lot depends on its name and the seed alone.

    Args:
        k: How many; all where there are fewer.
        seed: Of the choice.
    """

    k: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        _check_unique(qualities)
        drawn = sorted((quality.study for quality in qualities), key=self._lot)[: self.k]
        shortage = _shortage(self.k, len(qualities))
        return [
            Decision(q.study, True, f"drawn by chance{shortage}")
            if q.study in drawn
            else Decision(q.study, False, "not drawn")
            for q in qualities
        ]

    def _lot(self, study: str) -> str:
        return hashlib.sha256(f"{self.seed}/{study}".encode()).hexdigest()


def _take_best(
    qualities: Sequence[Quality], count: int, rule: str, only_good: bool
) -> list[Decision]:
    _check_unique(qualities)
    eligible = [q for q in qualities if not (only_good and q.is_good is False)]
    ranked = sorted(eligible, key=lambda q: (-q.score, q.study))
    rank_of: Mapping[str, int] = {q.study: rank for rank, q in enumerate(ranked, start=1)}
    shortage = _shortage(count, len(eligible))

    def decide(quality: Quality) -> Decision:
        rank = rank_of.get(quality.study)
        if rank is None:
            return _called_erroneous(quality)
        place = f"rank {rank} of {len(eligible)} by score {quality.score:.3f}"
        return Decision(quality.study, rank <= count, f"{place}, {rule}{shortage}")

    return [decide(quality) for quality in qualities]


def _shortage(wanted: int, eligible: int) -> str:
    return f"; only {eligible} to choose from, {wanted} wanted" if eligible < wanted else ""


def _called_erroneous(quality: Quality) -> Decision:
    return Decision(quality.study, False, f"called erroneous, score {quality.score:.3f}")


def _check_unique(qualities: Sequence[Quality]) -> None:
    names = [quality.study for quality in qualities]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"a gate needs one quality per study, got several of {doubled[0]}")


GATES: dict[str, type[Gate]] = {
    "best": BestK,
    "threshold": Threshold,
    "fraction": Fraction,
    "random": RandomK,
}
"""Rules that settings may name."""
