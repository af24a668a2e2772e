"""A gate to compare with: a choice by the true quality."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from qc.base import Quality
from qc.gates.base import Decision, Gate, check_unique, count_of, ranked_by, shortage
from qc.gates.context import GateContext
from semiqc.work.bounds import Count


@dataclass(frozen=True)
class Oracle(Gate):
    """Admits the ``k`` studies whose true quality is highest: what no gate can better.

    Args:
        k: How many; by default a third of the candidates. All where there are fewer.
        true: True quality by name of the study, as only a reference can tell it; NaN where it
            is not defined. Such a study is not admitted.
    """

    title: ClassVar[str] = "{k} truly best"
    of_run: ClassVar[tuple[str, ...]] = ("true",)
    is_control: ClassVar[bool] = True

    k: Count | None = None
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
        k = count_of(self.k, len(qualities))
        short = shortage(k, len(known))

        def decide(study: str) -> Decision:
            rank = rank_of.get(study)
            if rank is None:
                return Decision(study, False, "its true quality is not defined")
            place = f"rank {rank} of {len(known)} by true quality {self.true[study]:.3f}"
            return Decision(study, rank <= k, f"{place}, k = {k}{short}")

        return [decide(quality.study) for quality in qualities]
