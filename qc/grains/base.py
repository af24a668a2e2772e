"""What a grain promises, and what grains share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from qc.base import Quality
from qc.grains.labels import Hidden, PartialLabels, Weights
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction
from semiqc.work.bounds import Share, check_bounds

LIKELY = 0.5
"""Probability of an error above which a voxel is more likely wrong than right."""


@dataclass(frozen=True)
class Grain(ABC):
    """Hides the parts of a prediction that are likely wrong, or lets them count less.

    A grain is a dataclass. Bounds of its arguments are annotated (``semiqc.work.bounds``) and its
    docstring describes them: settings of a run take names, checks and descriptions from there.

    Args:
        scheme: Whose structures are judged.
    """

    of_run: ClassVar[tuple[str, ...]] = ("scheme",)
    """Arguments that no setting names."""

    refines: ClassVar[bool] = True
    """Whether it hides anything, or lets it count less."""

    weighs: ClassVar[bool] = False
    """Whether some voxels count less than others."""

    needs_slices: ClassVar[bool] = False
    """Whether it goes by the estimated Dice of slices, or by error maps, which imply it."""

    needs_voxels: ClassVar[bool] = False
    """Whether it goes by error maps, or by the uncertainty of several segmenters."""

    of_error_maps: ClassVar[tuple[str, ...]] = ()
    """Arguments that, where they are not None, need error maps."""

    scheme: LabelScheme

    def __post_init__(self) -> None:
        check_bounds(self)

    def needs_error_maps(self, prediction: Prediction, quality: Quality) -> bool:
        """Whether the error maps of this prediction should be found before it is called."""
        return self.needs_slices and not quality.slice_dice

    def __call__(self, prediction: Prediction, quality: Quality) -> PartialLabels:
        """The predicted labels without the parts that are likely wrong, with the others' weights.

        Args:
            prediction: Its voxels are read frame by frame, now and when labels are read.
            quality: Of the same prediction.

        Raises:
            ValueError: If the quality is of another study, or lacks what the grain goes by.
        """
        if quality.study != prediction.study:
            raise ValueError(f"{prediction.study}: the quality is of {quality.study}")
        hidden = self._hidden(prediction, quality)
        return PartialLabels(prediction.labels, hidden, self._weights(prediction, quality))

    @abstractmethod
    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        """What to hide of each frame."""

    def _weights(self, prediction: Prediction, quality: Quality) -> Weights | None:
        """How much the voxels of each frame count; None where all count alike."""
        return None


@dataclass(frozen=True)
class GrainByDice(Grain):
    """Goes by the estimated Dice of slices.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: Estimated Dice of a slice below which a grain hides something.
    """

    needs_slices: ClassVar[bool] = True

    min_slice_dice: Share = 0.7
