"""A gate that weighs studies by their score, and lets in the worse ones later."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from qc.base import Quality
from qc.gates.base import Decision, Gate, check_unique, ranked_by, share_of
from qc.gates.calibration import Calibration
from qc.gates.context import GateContext
from qc.gates.risk import RiskControlled
from semiqc.work.bounds import InnerShare, PositiveShare, Share


@dataclass(frozen=True, eq=False)
class Squared(Gate):
    """Admits studies above a score, with the square of their score as weight.

    The lowest score is the one from which on a mean Dice of ``target`` can be promised, see
    ``RiskControlled``; where nothing can be promised it is ``min_score``. In rounds after the
    first the promise is not kept, for other segmenters made what is judged: then the threshold is
    a guess that was right once.

    With ``early_share`` below 1 worse studies enter later: the first round admits that share of
    the studies above the threshold, the last round all, and the rounds between them shares on a
    straight line. A good study enters first and stays as long as it is good.

    Reference:
        Quality-guided semi-supervised learning (QG-SSL): https://arxiv.org/abs/2606.01753, where a
        batch's pseudo-labels weigh ``q^2`` from ``q = 0.5`` on.
        Ours: whole studies, the threshold by calibration, and worse studies later.

    Args:
        calibration: Studies of known Dice; with none, ``min_score`` is the threshold.
        progress: Number of the round, from 1, and of rounds.
        target: Mean true Dice of what is admitted, in (0, 1).
        alpha: Probability that the promise may fail, in (0, 1).
        first_share: Share of the calibration subjects that reach the first threshold, in (0, 1];
            more where these are too few for any promise. A small share finds good studies among
            many poor ones, a large one has more subjects to speak for it.
        min_score: Lowest score that is admitted, in [0, 1].
        early_share: Of the studies above the threshold, how many the first of several rounds
            admits, in (0, 1].
    """

    title: ClassVar[str] = "weighed by the square of {by}"
    of_run: ClassVar[tuple[str, ...]] = ("calibration", "progress")

    calibration: Calibration = field(default_factory=lambda: Calibration([], []), repr=False)
    progress: tuple[int, int] = (1, 1)
    target: InnerShare = 0.8
    alpha: InnerShare = 0.1
    first_share: PositiveShare = 0.5
    min_score: Share = 0.5
    early_share: PositiveShare = 1.0

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        return cls(context.calibration(), context.progress, **arguments)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        threshold, why = self.threshold
        above = [one for one in qualities if one.score >= threshold and one.score > 0]
        ranked = ranked_by(above, {one.study: one.score for one in above})
        count = share_of(self.share, len(above))
        early = {one.study for one in ranked[:count]}
        entry = f"; the best {count} of {len(above)} enter" if count < len(above) else ""

        def decide(quality: Quality) -> Decision:
            score = f"score {quality.score:.3f}"
            if quality not in above:
                return Decision(quality.study, False, f"{score} is below {threshold:.3f}, {why}")
            if quality.study not in early:
                return Decision(quality.study, False, f"{score} enters later{entry}")
            weight = min(quality.score**2, 1.0)
            reason = f"{score} has weight {weight:.2f}, from {threshold:.3f} on, {why}{entry}"
            return Decision(quality.study, True, reason, weight)

        return [decide(quality) for quality in qualities]

    @property
    def share(self) -> float:
        """Of the studies above the threshold, how many this round admits."""
        number, last = self.progress
        done = 1.0 if last == 1 else (number - 1) / (last - 1)
        return self.early_share + (1 - self.early_share) * min(done, 1.0)

    @cached_property
    def threshold(self) -> tuple[float, str]:
        """The lowest score that is admitted, and where it comes from."""
        promise = RiskControlled(
            self.calibration, self.target, self.alpha, self.first_share
        ).promise
        if promise.threshold is not None:
            return promise.threshold, "by calibration"
        return self.min_score, "as set, for nothing can be promised"
