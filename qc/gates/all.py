"""A gate to compare with: every study, without quality control."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.gates.base import Decision, Gate, check_unique


@dataclass(frozen=True)
class All(Gate):
    """Admits every study, whatever its score: plain self-training."""

    title: ClassVar[str] = "all"
    is_control: ClassVar[bool] = True
    admits_all: ClassVar[bool] = True

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        check_unique(qualities)
        return [Decision(quality.study, True, "all are admitted") for quality in qualities]
