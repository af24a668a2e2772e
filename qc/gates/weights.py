"""A gate without a cut: every study counts by its score."""

from collections.abc import Sequence
from dataclasses import dataclass

from qc.base import Quality
from qc.gates.base import Decision, Gate, called_erroneous, check_share, check_unique


@dataclass(frozen=True)
class Weighted(Gate):
    """Admits studies with a weight that rises with the score.

    The weight is ``least`` up to a score of ``low``, 1 from ``high`` on, and in between on a
    straight line.

    Args:
        low: Score up to which a study counts least, in [0, 1].
        high: Score from which it counts in full, above ``low``.
        least: Weight of the least; 0 leaves out what has no weight.
        only_good: Also asks that the estimator's own verdict is not erroneous.
    """

    low: float = 0.5
    high: float = 0.9
    least: float = 0.1
    only_good: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 1:
            raise ValueError(
                f"low and high must rise within [0, 1], got {self.low} and {self.high}"
            )
        check_share("least", self.least)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        return [self._decision(quality) for quality in qualities]

    def _decision(self, quality: Quality) -> Decision:
        if self.only_good and quality.is_good is False:
            return called_erroneous(quality)
        way = (quality.score - self.low) / (self.high - self.low)
        weight = self.least + (1 - self.least) * min(max(way, 0.0), 1.0)
        if weight == 0:
            reason = f"score {quality.score:.3f} has no weight, up to {self.low:g}"
            return Decision(quality.study, False, reason)
        weight = min(weight, 1.0)
        reason = f"score {quality.score:.3f} has weight {weight:.2f}"
        return Decision(quality.study, True, reason, weight)
