"""The grain of whole studies."""

from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.grains.base import Grain
from qc.grains.labels import Hidden, nothing_hidden
from semiqc.study import Prediction


@dataclass(frozen=True)
class StudyGrain(Grain):
    """Whole studies: nothing of what a gate admits is hidden."""

    refines: ClassVar[bool] = False

    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        return nothing_hidden
