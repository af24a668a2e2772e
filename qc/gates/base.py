"""What a gate promises, and what its rules share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from qc.base import Quality
from qc.gates.context import GateContext
from semiqc.work.bounds import check_bounds


@dataclass(frozen=True)
class Decision:
    """Whether a study is admitted, how much it counts, and why.

    Args:
        study: Name of the study.
        admitted: Whether its predicted labels become pseudo-labels.
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
    """Decides which of the judged studies are admitted.

    A gate is a dataclass. Bounds of its arguments are annotated (``semiqc.work.bounds``) and its
    docstring describes them: settings of a run take names, checks and descriptions from there.
    """

    title: ClassVar[str] = "{rule} by {by}"
    """What tables call it; may name the estimator as ``by``, the ``rule``, and its arguments."""

    of_run: ClassVar[tuple[str, ...]] = ()
    """Arguments that ``for_run`` takes from the context, so that no setting names them."""

    is_control: ClassVar[bool] = False
    """Whether it takes no notice of the estimator."""

    chooses_by_chance: ClassVar[bool] = False
    """Whether other gates are compared with it as a choice by chance."""

    admits_all: ClassVar[bool] = False
    """Whether it admits every study, with which other gates are compared."""

    needs_calibration: ClassVar[bool] = False
    """Whether it goes by the calibration of the context."""

    def __post_init__(self) -> None:
        check_bounds(self)

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        """The gate with arguments of its settings, and what it needs of the context."""
        return cls(**arguments)

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


def count_of(k: int | None, candidates: int) -> int:
    """How many of the candidates are wanted; a third, rounded up, where it is not said."""
    return -(-candidates // 3) if k is None else k


def share_of(share: float, count: int) -> int:
    """A share of ``count``, rounded up."""
    # Rounding keeps .07 * 100 = 7.000000000000001 from becoming 8.
    return math.ceil(round(share * count, 9))
