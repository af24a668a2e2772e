"""Gates that go by the score alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.gates.base import (
    Decision,
    Gate,
    called_erroneous,
    check_unique,
    share_of,
    take_best,
)
from semiqc.work.bounds import Count, PositiveShare, Share


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

    title: ClassVar[str] = "{k} best by {by}"

    k: Count = 30
    only_good: bool = False

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        return take_best(qualities, self.k, f"k = {self.k}", self.only_good)


@dataclass(frozen=True)
class Fraction(Gate):
    """Admits the best share of the studies, rounded up, so at least one.

    Args:
        share: Of the studies that is admitted, in (0, 1].
        only_good: As for ``BestK``; the share is taken of all studies.
    """

    title: ClassVar[str] = "best share by {by}"

    share: PositiveShare = 0.5
    only_good: bool = False

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        count = share_of(self.share, len(qualities))
        return take_best(qualities, count, f"share = {self.share:g}", self.only_good)


@dataclass(frozen=True)
class Threshold(Gate):
    """Admits every study whose score is at least ``min_score``.

    Args:
        min_score: Lowest score that is admitted, in [0, 1].
        only_good: Also asks that the estimator's own verdict is not erroneous.
    """

    title: ClassVar[str] = "all above a score of {by}"

    min_score: Share = 0.5
    only_good: bool = False

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
