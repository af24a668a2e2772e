"""Gates that go by the score alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from qc.base import Quality
from qc.gates.base import (
    Decision,
    Gate,
    called_erroneous,
    check_count,
    check_share,
    check_unique,
    share_of,
    take_best,
)


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
        check_count(self.k)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        return take_best(qualities, self.k, f"k = {self.k}", self.only_good)


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
        count = share_of(self.share, len(qualities))
        return take_best(qualities, count, f"share = {self.share:g}", self.only_good)


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
        check_share("min_score", self.min_score)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        return [self._decision(quality) for quality in qualities]

    def _decision(self, quality: Quality) -> Decision:
        if self.only_good and quality.is_good is False:
            return called_erroneous(quality)
        admitted = quality.score >= self.min_score
        relation = "reaches" if admitted else "is below"
        return Decision(
            quality.study, admitted, f"score {quality.score:.3f} {relation} {self.min_score:g}"
        )
