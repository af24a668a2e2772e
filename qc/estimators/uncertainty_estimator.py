"""What estimators share that go by what segmenters say beside the labels."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

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


@dataclass(frozen=True, eq=False)
class Monotone:
    """A monotone curve from a signal to quality, straight between its knots, level beyond.

    Reference:
        Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
        estimates", KDD 2002 (isotonic regression). https://doi.org/10.1145/775047.775151

    Args:
        signals: Of the knots, rising, ``[K]``; at least one.
        values: Quality at the knots, ``[K]``.
    """

    signals: Array
    values: Array

    @classmethod
    def of(cls, signals: Array, quality: Array, *, rising: bool) -> Self:
        """Fit it to signals and quality, both ``[N]``; pairs that are not finite do not count.

        Without any pair it is 0 everywhere.
        """
        known = np.isfinite(signals) & np.isfinite(quality)
        if not known.any():
            return cls(np.zeros(1), np.zeros(1))
        regression = IsotonicRegression(increasing=rising)
        regression.fit(signals[known], np.clip(quality[known], 0, 1))
        return cls(
            np.array(regression.X_thresholds_, dtype=np.float64),
            np.array(regression.y_thresholds_, dtype=np.float64),
        )

    def __call__(self, signals: Array) -> Array:
        """Quality at each signal, of any shape; NaN where the signal is."""
        found: Array = np.interp(signals, self.signals, self.values)
        return found

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """To be stored, under names that begin with ``name``."""
        return {f"{name}/signals": self.signals, f"{name}/values": self.values}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Self:
        """What ``arrays`` gave."""
        signals, values = (arrays[f"{name}/{part}"] for part in ("signals", "values"))
        return cls(np.asarray(signals, np.float64), np.asarray(values, np.float64))
