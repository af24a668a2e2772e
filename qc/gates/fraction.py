"""A gate that admits the best share of the studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.gates.base import Decision, Gate, share_of, take_best
from semiqc.work.bounds import PositiveShare


@dataclass(frozen=True)
class Fraction(Gate):
    """Admits the best share of the studies, rounded up, so at least one.

    Args:
        share: Of the studies that is admitted, in (0, 1].
        only_good: As for ``BestK``; the share is taken of all studies.
    """

    title: ClassVar[str] = "best share by {by}"

    share: PositiveShare = 0.5
    only_good: bool = False

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        count = share_of(self.share, len(qualities))
        return take_best(qualities, count, f"share = {self.share:g}", self.only_good)
