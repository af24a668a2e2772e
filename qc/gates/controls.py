"""Gates to compare with: without quality control, and with a perfect one."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from qc.base import Quality
from qc.gates.base import Decision, Gate, check_unique, ranked_by, shortage
from qc.gates.context import GateContext
from semiqc.work.bounds import Count


@dataclass(frozen=True)
class RandomK(Gate):
    """Admits ``k`` studies by chance, whatever their score: the control without quality control.

    A study's lot depends on its name and the seed alone.

    Args:
        k: How many; all where there are fewer.
        seed: Of the choice.
    """

    title: ClassVar[str] = "{k} at random"
    of_run: ClassVar[tuple[str, ...]] = ("seed",)
    is_control: ClassVar[bool] = True
    chooses_by_chance: ClassVar[bool] = True

    k: Count = 30
    seed: int = 0

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        return cls(**arguments, seed=context.seed)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        drawn = sorted((quality.study for quality in qualities), key=self._lot)[: self.k]
        short = shortage(self.k, len(qualities))
        return [
            Decision(q.study, True, f"drawn by chance{short}")
            if q.study in drawn
            else Decision(q.study, False, "not drawn")
            for q in qualities
        ]

    def _lot(self, study: str) -> str:
        return hashlib.sha256(f"{self.seed}/{study}".encode()).hexdigest()


@dataclass(frozen=True)
class All(Gate):
    """Admits every study, whatever its score: plain self-training."""

    title: ClassVar[str] = "all"
    is_control: ClassVar[bool] = True

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        return [Decision(quality.study, True, "all are admitted") for quality in qualities]


@dataclass(frozen=True)
class Oracle(Gate):
    """Admits the ``k`` studies whose true quality is highest: what no gate can better.

    Args:
        k: How many; all whose true quality is known, where those are fewer.
        true: True quality by name of the study, as only a reference can tell it; NaN where it
            is not defined. Such a study is not admitted.
    """

    title: ClassVar[str] = "{k} truly best"
    of_run: ClassVar[tuple[str, ...]] = ("true",)
    is_control: ClassVar[bool] = True

    k: Count = 30
    true: Mapping[str, float] = field(default_factory=dict, repr=False)

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        return cls(**arguments, true=context.true_dice())

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        """One decision for each quality, in order.

        Raises:
            ValueError: If two qualities are of the same study, or one is of a study whose true
                quality was not given.
        """
        check_unique(qualities)
        missing = sorted({q.study for q in qualities} - set(self.true))
        if missing:
            raise ValueError(f"the oracle was not told the true quality of {', '.join(missing)}")
        known = [q for q in qualities if math.isfinite(self.true[q.study])]
        ranked = ranked_by(known, self.true)
        rank_of = {q.study: rank for rank, q in enumerate(ranked, start=1)}
        short = shortage(self.k, len(known))

        def decide(study: str) -> Decision:
            rank = rank_of.get(study)
            if rank is None:
                return Decision(study, False, "its true quality is not defined")
            place = f"rank {rank} of {len(known)} by true quality {self.true[study]:.3f}"
            return Decision(study, rank <= self.k, f"{place}, k = {self.k}{short}")

        return [decide(quality.study) for quality in qualities]
