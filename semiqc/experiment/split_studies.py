"""The studies of each role of a split."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from semiqc.experiment.data import Data, with_training_frames
from semiqc.experiment.settings import Settings
from semiqc.files.tables import SplitRow
from semiqc.study import Study


class SplitStudies:
    """The studies of each role; where they train, with the labels of the chosen frames alone.

    Args:
        data: Of the run.
        split: Who is used for what.
        settings: Of the run.
    """

    def __init__(self, data: Data, split: Sequence[SplitRow], settings: Settings) -> None:
        self.data = data
        self.split = split
        self.settings = settings

    @cached_property
    def experts(self) -> list[Study]:
        """The labelled studies, which train the segmenters."""
        return self._training("labelled")

    @cached_property
    def all_experts(self) -> list[Study]:
        """With them, those treated as unlabelled for which the data set has labels after all."""
        return self.experts + [s for s in self._training("unlabelled") if s.labelled_frames]

    def experts_of(self, whose: Literal["few", "few and qc", "all"]) -> list[Study]:
        """Those whose expert labels a scenario learns from; see ``Scenario.experts``."""
        if whose == "few":
            return self.experts
        return self.all_experts if whose == "all" else self.experts + self.spared

    @cached_property
    def candidates(self) -> list[Study]:
        """Those treated as unlabelled, with the labels that they may have."""
        return self._of("unlabelled")

    @cached_property
    def spared(self) -> list[Study]:
        """Those that train the estimators and no segmenter."""
        return self._training("qc")

    @cached_property
    def validation(self) -> list[Study]:
        """Those on which the segmenters' loss is watched."""
        return self._training("validation")

    @cached_property
    def test(self) -> list[Study]:
        """Those of the evaluation, with all labels."""
        return self._of("test")

    def _of(self, role: str) -> list[Study]:
        return [self.data.study(row.study) for row in self.split if row.role == role]

    def _training(self, role: str) -> list[Study]:
        """Studies of a role with the labels of the frames that train, and of no others."""
        settings = self.settings
        return with_training_frames(
            self._of(role), settings.frames, self.data.store.scheme, settings.split.seed
        )
