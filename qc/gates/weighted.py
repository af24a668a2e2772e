"""A gate without a cut: every study counts by its score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.gates.base import Decision, Gate, called_erroneous, check_unique
from semiqc.work.bounds import Share


@dataclass(frozen=True)
class Weighted(Gate):
    """Admits studies with a weight that rises with the score.

    The weight is ``least`` up to a score of ``low``, 1 from ``high`` on, and in between on a
    straight line.

    Args:
        low: Score up to which a study is drawn least, in [0, 1].
        high: Score from which a study is drawn as often as without weights, above ``low``.
        least: How often the least is drawn, as a share of that; at 0 it is left out.
        only_good: Also asks that the estimator's own verdict is not erroneous.
    """

    title: ClassVar[str] = "all, weighted by {by}"

    low: Share = 0.5
    high: Share = 0.9
    least: Share = 0.1
    only_good: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ValueError(
                "low must be below high: they must rise within [0, 1], got"
                f" {self.low:g} and {self.high:g}"
            )

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        return [self._decision(quality) for quality in qualities]

    def _decision(self, quality: Quality) -> Decision:
        if self.only_good and quality.is_good is False:
            return called_erroneous(quality)
        rise = (quality.score - self.low) / (self.high - self.low)
        weight = self.least + (1 - self.least) * min(max(rise, 0.0), 1.0)
        if weight == 0:
            reason = f"score {quality.score:.3f} has no weight, up to {self.low:g}"
            return Decision(quality.study, False, reason)
        weight = min(weight, 1.0)
        reason = f"score {quality.score:.3f} has weight {weight:.2f}"
        return Decision(quality.study, True, reason, weight)
