"""A gate that admits the best in class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.gates.base import Decision, Gate, count_of, take_best
from semiqc.work.bounds import Count


@dataclass(frozen=True)
class BestK(Gate):
    """Admits the ``k`` studies of highest score: the 'best in class'.

    Reference:
        Ruijsink, Puyol-Antón et al., "Quality-aware semi-supervised learning for CMR
        segmentation", STACOM 2020, section 3.1. https://doi.org/10.1007/978-3-030-68107-4_10
        It ranks by probability alone, as is done here unless ``only_good`` is set.

    Args:
        k: How many; by default a third of the candidates. The paper has 30. All where there are
            fewer.
        only_good: Pass over what the estimator's own verdict calls erroneous, even where fewer
            than ``k`` are then left.
    """

    title: ClassVar[str] = "{k} best by {by}"

    k: Count | None = None
    only_good: bool = False

    def __call__(self, qualities: Sequence[Quality]) -> list[Decision]:
        k = count_of(self.k, len(qualities))
        return take_best(qualities, k, f"k = {k}", self.only_good)
