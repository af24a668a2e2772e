"""Estimators that judge every frame by itself, and a study by its frames."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.base import Graded, Observer, Quality, QualityEstimator, unobserved
from qc.frames import Frame, GradedFrame, frame_of, graded_frames
from semiqc.study import Prediction

Numbers = TypeVar("Numbers", bound=NDArray[Any])

FRAMES_AT_ONCE = 8
"""How many frames of a study stand in memory."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What is estimated of one frame; structures in the order of the scheme.

    Args:
        dice: ``[S]``, in [0, 1].
        nsd: Normalised surface Dice, ``[S]``, where the method gives it.
        slice_dice: ``[S, Z]``, where the method gives it.
        error_maps: Probability that a voxel is wrongly in a structure or wrongly not,
            ``[S, Z, Y, X]`` float16, where the method gives it.
        reasons: In words, where the method can tell.
    """

    dice: NDArray[np.float64]
    nsd: NDArray[np.float64] | None = None
    slice_dice: NDArray[np.float64] | None = None
    error_maps: NDArray[np.float16] | None = None
    reasons: tuple[str, ...] = ()


class FrameEstimator(QualityEstimator):
    """Learns from the frames that have a reference; the quality of a study is its frames' mean.

    A subclass stores its arguments, learns in ``_learn`` and judges in ``_judge``.
    """

    def fit(self, graded: Sequence[Graded], *, observe: Observer = unobserved) -> Self:
        self._learn(graded_frames(graded), observe)
        return self

    def predict(self, predictions: Sequence[Prediction]) -> list[Quality]:
        check_is_fitted(self)
        return [self._quality(prediction) for prediction in predictions]

    @abstractmethod
    def _learn(self, frames: Sequence[GradedFrame], observe: Observer) -> None:
        """Learn from frames, at least one; keep what is learned in attributes ending in ``_``."""

    @abstractmethod
    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        """Judge frames of one study, each as if it were alone."""

    def _quality(self, prediction: Prediction) -> Quality:
        judged: list[Judged] = []
        for first in range(0, prediction.frames, FRAMES_AT_ONCE):
            numbers = range(first, min(first + FRAMES_AT_ONCE, prediction.frames))
            judged += self._judge([frame_of(prediction, number) for number in numbers])
        names = [structure.name for structure in self.scheme.structures]
        dice = np.mean([one.dice for one in judged], axis=0)
        nsd = _stacked(names, [one.nsd for one in judged])
        return Quality(
            prediction.study,
            float(np.clip(dice.mean(), 0, 1)),
            dice=dict(zip(names, dice.tolist(), strict=True)),
            nsd={name: float(nsd.mean()) for name, nsd in nsd.items()},
            slice_dice=_stacked(names, [one.slice_dice for one in judged]),
            error_maps=_stacked(names, [one.error_maps for one in judged]),
            reasons=tuple(dict.fromkeys(reason for one in judged for reason in one.reasons)),
        )


def _stacked(names: Sequence[str], of_frames: Sequence[Numbers | None]) -> dict[str, Numbers]:
    """From ``[S, ...]`` of each frame to ``[T, ...]`` of each structure, where all are known."""
    known = [found for found in of_frames if found is not None]
    if len(known) < len(of_frames):
        return {}
    return dict(zip(names, np.stack(known, axis=1), strict=True))
