"""A gate to compare with: a choice by chance, without quality control."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from qc.base import Quality
from qc.gates.base import Decision, Gate, check_unique, count_of, shortage
from qc.gates.context import GateContext
from semiqc.work.bounds import Count


@dataclass(frozen=True)
class RandomK(Gate):
    """Admits ``k`` studies by chance, whatever their score: the control without quality control.

    A study's lot depends on its name and the seed alone.

    Args:
        k: How many; by default a third of the candidates. All where there are fewer.
        seed: Of the choice.
    """

    title: ClassVar[str] = "{k} at random"
    of_run: ClassVar[tuple[str, ...]] = ("seed",)
    is_control: ClassVar[bool] = True
    chooses_by_chance: ClassVar[bool] = True

    k: Count | None = None
    seed: int = 0

    @classmethod
    def for_run(cls, context: GateContext, **arguments: Any) -> Self:  # noqa: ANN401
        return cls(**arguments, seed=context.seed)

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        k = count_of(self.k, len(qualities))
        drawn = sorted((quality.study for quality in qualities), key=self._lot)[:k]
        short = shortage(k, len(qualities))
        return [
            Decision(q.study, True, f"drawn by chance{short}")
            if q.study in drawn
            else Decision(q.study, False, "not drawn")
            for q in qualities
        ]

    def _lot(self, study: str) -> str:
        return hashlib.sha256(f"{self.seed}/{study}".encode()).hexdigest()
