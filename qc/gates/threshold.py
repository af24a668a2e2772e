"""A gate that admits every study from a score on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.gates.base import Decision, Gate, called_erroneous, check_unique
from semiqc.work.bounds import Share


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
