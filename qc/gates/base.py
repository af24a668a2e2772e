"""What a gate promises, and what its rules share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qc.base import Quality


@dataclass(frozen=True)
class Decision:
    """Whether a study is admitted, how much it counts, and why.

    Args:
        study: Name of the study.
        admitted: Whether its predicted labels are taught from.
        reason: In words, for the table of a run.
        weight: How often training draws it beside others, in (0, 1]; of no account unless it is
            admitted.

    Raises:
        ValueError: If the weight is out of range.
    """

    study: str
    admitted: bool
    reason: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise ValueError(f"{self.study}: weight must lie in (0, 1], got {self.weight}")


class Gate(ABC):
    """Decides which of the judged studies are admitted."""

    @abstractmethod
    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        """One decision for each quality, in order.

        Raises:
            ValueError: If two qualities are of the same study.
        """


def check_unique(qualities: Sequence[Quality]) -> None:
    """Make sure that no study is judged twice.

    Raises:
        ValueError: If one is.
    """
    names = [quality.study for quality in qualities]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"a gate needs one quality per study, got several of {doubled[0]}")


def check_count(k: int) -> None:
    """Make sure that at least one study is asked for.

    Raises:
        ValueError: If not.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")


def check_share(name: str, value: float) -> None:
    """Make sure that a setting lies between 0 and 1.

    Raises:
        ValueError: If not.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")


def eligible_of(qualities: Sequence[Quality], only_good: bool) -> list[Quality]:
    """All, or without what the estimator's own verdict calls erroneous."""
    return [quality for quality in qualities if not (only_good and quality.is_good is False)]


def called_erroneous(quality: Quality) -> Decision:
    """The refusal of what the estimator's own verdict calls erroneous."""
    return Decision(quality.study, False, f"called erroneous, score {quality.score:.3f}")


def shortage(wanted: int, eligible: int) -> str:
    """What to add to a reason where there are fewer studies than wanted."""
    return f"; only {eligible} to choose from, {wanted} wanted" if eligible < wanted else ""


def ranked_by(eligible: Sequence[Quality], values: Mapping[str, float]) -> list[Quality]:
    """The highest value first; equal ones by name."""
    return sorted(eligible, key=lambda quality: (-values[quality.study], quality.study))


def take_best(
    qualities: Sequence[Quality], count: int, rule: str, only_good: bool
) -> list[Decision]:
    """Admit the ``count`` of highest score."""
    check_unique(qualities)
    eligible = eligible_of(qualities, only_good)
    ranked = ranked_by(eligible, {q.study: q.score for q in eligible})
    rank_of = {q.study: rank for rank, q in enumerate(ranked, start=1)}
    short = shortage(count, len(eligible))

    def decide(quality: Quality) -> Decision:
        rank = rank_of.get(quality.study)
        if rank is None:
            return called_erroneous(quality)
        place = f"rank {rank} of {len(eligible)} by score {quality.score:.3f}"
        return Decision(quality.study, rank <= count, f"{place}, {rule}{short}")

    return [decide(quality) for quality in qualities]


def share_of(share: float, count: int) -> int:
    """A share of ``count``, rounded up."""
    # Rounding keeps .07 * 100 = 7.000000000000001 from becoming 8.
    return math.ceil(round(share * count, 9))
