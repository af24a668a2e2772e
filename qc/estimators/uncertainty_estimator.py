"""What estimators share that go by what segmenters say beside the labels."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qc.base import ProgressCallback, Quality
from qc.estimators.frame_estimator import FrameEstimator
from qc.frames import Frame, GradedFrame
from semiqc.measuring.masks import masks
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, UncertaintyMaps

Array = NDArray[np.float64]


class UncertaintyMapsEstimator(FrameEstimator):
    """Learns from the graded frames that have uncertainty; it passes over those without.

    It can judge only predictions with uncertainty. A subclass learns in ``_learn_uncertainty``.
    """

    needs_uncertainty = True

    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        known = [frame for frame in frames if frame.graded.prediction.uncertainty is not None]
        if not known:
            raise ValueError(
                f"{type(self).__name__} needs graded predictions with uncertainty maps, got"
                f" none in {len(frames)} frames; grade a source with dropout and samples"
            )
        self._learn_uncertainty(known, observe)

    @abstractmethod
    def _learn_uncertainty(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        """Learn from frames with uncertainty, at least one."""

    def _quality(self, prediction: Prediction) -> Quality:
        if prediction.uncertainty is None:
            raise ValueError(
                f"{prediction.study}: {type(self).__name__} judges by the segmenters' uncertainty,"
                " and the prediction has none; segment with an ensemble, dropout or test-time"
                " augmentation"
            )
        return super()._quality(prediction)


def uncertainty_of(frame: Frame) -> UncertaintyMaps:
    """The uncertainty of a frame, which must have some.

    Raises:
        ValueError: If it has none.
    """
    if frame.uncertainty is None:
        raise ValueError(f"{frame.study}: a frame without uncertainty of segmenters")
    return frame.uncertainty


def is_present(labels: NDArray[np.int8], scheme: LabelScheme) -> NDArray[np.bool_]:
    """Whether each structure is in labels ``[Z, Y, X]``: ``[S]``."""
    return np.asarray(masks(labels, scheme).any(axis=(1, 2, 3)))
