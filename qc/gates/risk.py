"""A gate that promises how good what it admits is, by studies whose true Dice is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.gates.base import Decision, Gate, check_unique, share_of
from qc.gates.calibration import Calibration
from qc.gates.context import GateContext
from semiqc.work.bounds import InnerShare, PositiveShare

Array = NDArray[np.float64]

BETS, STAKES = np.array([1.0, 0.5, 0.2]), np.array([0.8, 0.1, 0.1])
"""Shares of the largest possible bet, and of the money on each. To bet all is best where no value
is near 0, as among judged segmentations; the others keep a single failure from ending the game."""


@dataclass(frozen=True)
class Promise:
    """From which score on a gate admits, and on what grounds.

    Args:
        threshold: Lowest score admitted; None where nothing can be promised.
        subjects: Calibration subjects that reach the threshold, or, where there is none, that
            were looked at.
        mean_dice: Of those subjects; NaN where there are none.
        words: What is promised, or why nothing is.
    """

    threshold: float | None
    subjects: int
    mean_dice: float
    words: str


@dataclass(frozen=True, eq=False)
class RiskControlled(Gate):
    """Admits from a score on above which the mean true Dice is at least ``target``.

    The promise is kept with probability ``1 - alpha`` over the choice of calibration subjects.
    It is on the mean over subjects of the mean Dice of what is admitted of them, holds for any
    number of subjects and any distribution of Dice, and asks that calibration studies are like
    those to be judged, and that the mean Dice above a score does not fall as that score rises.

    Thresholds are tried from high to low. At each, the calibration subjects that reach it are
    a sample of all subjects that do, and their mean Dice is bounded from below at ``1 - alpha``,
    see ``mean_lower_bound``. The first threshold is the one that a set share of the calibration
    subjects reaches; the last whose bound, like all before it, is at least the target is used.
    Which scores are the first does not depend on any Dice, so no correction for many tests is
    due: the promise fails only if the first threshold with a mean below the target passes.

    Reference:
        Angelopoulos et al., "Learn then test: calibrating predictive algorithms to achieve risk
        control", Annals of Applied Statistics 2025 (fixed sequence testing, selective
        prediction). https://arxiv.org/abs/2110.01052
        Bates et al., "Distribution-free, risk-controlling prediction sets", Journal of the ACM
        2021 (a risk that is monotone in the threshold). https://doi.org/10.1145/3478535
        Ours: thresholds are the calibration scores themselves; one mean for each subject.

    Args:
        calibration: At least as many subjects as ``needed_subjects(1, target, alpha)``.
        target: Mean true Dice of what is admitted, in (0, 1).
        alpha: Probability that the promise may fail, in (0, 1).
        first_share: Share of the calibration subjects that reach the first threshold, in (0, 1];
            more where these are too few for any promise. A small share finds good studies among
            many poor ones, a large one has more subjects to speak for it.
    """

    title: ClassVar[str] = "promised by {by}"
    of_run: ClassVar[tuple[str, ...]] = ("calibration",)
    needs_calibration: ClassVar[bool] = True

    calibration: Calibration = field(repr=False)
    target: InnerShare = 0.8
    alpha: InnerShare = 0.1
    first_share: PositiveShare = 0.5

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        return cls(context.calibration(), **arguments)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        threshold, words = self.promise.threshold, self.promise.words

        def decide(quality: Quality) -> Decision:
            if threshold is None:
                return Decision(quality.study, False, words)
            admitted = quality.score >= threshold
            relation = "reaches" if admitted else "is below"
            reason = f"score {quality.score:.3f} {relation} {threshold:.3f}; {words}"
            return Decision(quality.study, admitted, reason)

        return [decide(quality) for quality in qualities]

    @cached_property
    def promise(self) -> Promise:
        """What the calibration allows to promise."""
        tried = self.calibration.by_threshold()
        count = len(tried[-1][1]) if tried else 0
        needed = needed_subjects(1.0, self.target, self.alpha)
        if count < needed:
            mean = float(tried[-1][1].mean()) if tried else math.nan
            words = f"{self._wish} needs at least {needed} calibration subjects at Dice 1"
            return Promise(None, count, mean, f"{words}, has {count}")
        first = max(needed, share_of(self.first_share, count))
        kept: Promise | None = None
        for threshold, means in tried:
            if len(means) < first:
                continue
            if mean_lower_bound(means, self.alpha) < self.target:
                return kept or self._refused(means)
            kept = self._kept(threshold, means)
        return kept or self._refused(tried[-1][1])

    @property
    def _wish(self) -> str:
        return f"mean Dice of at least {self.target:g} with probability {1 - self.alpha:g}"

    def _kept(self, threshold: float, means: Array) -> Promise:
        mean = float(means.mean())
        words = f"{self._wish}, for {len(means)} calibration subjects reach it with {mean:.3f}"
        return Promise(threshold, len(means), mean, words)

    def _refused(self, means: Array) -> Promise:
        mean = float(means.mean())
        words = f"{self._wish} cannot be promised: the best {len(means)} calibration subjects"
        if mean <= self.target:
            return Promise(None, len(means), mean, f"{words} have {mean:.3f}")
        bound = mean_lower_bound(means, self.alpha)
        words = f"{words} have {mean:.3f}, which speaks for {bound:.3f}"
        enough = subjects_like(means, self.target, self.alpha)
        if enough:
            words = f"{words}; about {enough} like these would do"
        return Promise(None, len(means), mean, words)


def mean_lower_bound(values: Sequence[float] | Array, alpha: float) -> float:
    """A number that the mean of a distribution on [0, 1] is not below, at ``1 - alpha``.

    Whoever bets, value by value, that the mean is above ``m``, multiplies his money by
    ``1 + bet * (value / m - 1)``, which is fair if the mean is ``m``; so it grows
    ``1 / alpha``-fold with probability ``alpha`` at most. The bound is the largest ``m`` against
    which it has grown so. Money is split over fixed bets, which makes the order of the
    values of no account. Values near each other, as the Dice of good segmentations are, are thus
    bounded much more tightly than by their number alone.

    Reference:
        Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
        Journal of the Royal Statistical Society B 2024. https://doi.org/10.1093/jrsssb/qkad009
        Ours: a mixture of constant bets, for few values.

    Args:
        values: Independent, ``[N]`` in [0, 1].
        alpha: In (0, 1).

    Returns:
        In [0, 1]; 0 where there are no values.
    """
    given = np.asarray(values, dtype=np.float64)
    low, high = 0.0, float(given.mean()) if given.size else 0.0
    for _ in range(40):
        middle = (low + high) / 2
        if middle > 0 and _money(given, middle, np.ones_like(given)) >= 1 / alpha:
            low = middle
        else:
            high = middle
    return low


def needed_subjects(dice: float, target: float, alpha: float) -> int:
    """How many subjects, all of Dice ``dice``, it takes to promise a mean of ``target``.

    Args:
        dice: Above ``target``, up to 1.
        target: In (0, 1).
        alpha: In (0, 1).
    """
    return subjects_like(np.array([dice]), target, alpha)


def subjects_like(values: Array, target: float, alpha: float) -> int:
    """How many subjects with Dice spread like ``values`` it takes; 0 if a million do not do."""
    count = 1
    while count <= 1_000_000:
        if _money(values, target, np.full(len(values), count / len(values))) >= 1 / alpha:
            break
        count *= 2
    else:
        return 0
    low, high = count // 2, count
    while high - low > 1:
        middle = (low + high) // 2
        times = np.full(len(values), middle / len(values))
        low, high = (low, middle) if _money(values, target, times) >= 1 / alpha else (middle, high)
    return high


def _money(values: Array, mean: float, times: Array) -> float:
    """What 1 has grown to against ``mean``, each value having come ``times`` times."""
    with np.errstate(divide="ignore", over="ignore"):
        growths = np.log1p(BETS[:, None] * (values / mean - 1))
        return float(STAKES @ np.exp((growths * times).sum(axis=1)))
