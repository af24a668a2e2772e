"""Estimators that judge every frame by itself, and a study by its frames."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.absence import reasons_of, rightly_absent_in, score_of
from qc.base import OVERALL, Graded, ProgressCallback, Quality, QualityEstimator, unobserved
from qc.frames import Frame, GradedFrame, frame_of, graded_frames
from semiqc.measuring.masks import masks
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
        slice_mvsf: Mean volume similarity fraction, ``[S, Z]``, where the method gives it.
        overall: Dice of what ``qc.base.OVERALL`` names, ``[2]``, where the method gives it.
    """

    dice: NDArray[np.float64]
    nsd: NDArray[np.float64] | None = None
    slice_dice: NDArray[np.float64] | None = None
    error_maps: NDArray[np.float16] | None = None
    reasons: tuple[str, ...] = ()
    slice_mvsf: NDArray[np.float64] | None = None
    overall: NDArray[np.float64] | None = None


class FrameEstimator(QualityEstimator):
    """Learns from the frames that have a reference; the quality of a study is its frames' mean.

    A subclass stores its arguments, learns in ``_learn`` and judges in ``_judge``.

    Attributes:
        rightly_absent_: Of each structure, how often it was rightly not segmented; see
            ``qc.absence``.
    """

    def fit(self, graded: Sequence[Graded], *, observe: ProgressCallback = unobserved) -> Self:
        frames = graded_frames(graded)
        self.rightly_absent_ = rightly_absent_in(frames, self.scheme)
        self._learn(frames, observe)
        return self

    def predict(self, predictions: Sequence[Prediction]) -> list[Quality]:
        check_is_fitted(self)
        return [self._quality(prediction) for prediction in predictions]

    @abstractmethod
    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        """Learn from frames, at least one; keep what is learned in attributes ending in ``_``."""

    @abstractmethod
    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        """Judge frames of one study, each as if it were alone."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        check_is_fitted(self)
        return {"rightly_absent": self.rightly_absent_, **self._arrays()}

    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        self.rightly_absent_ = np.asarray(arrays["rightly_absent"], dtype=np.float64)
        self._take({name: array for name, array in arrays.items() if name != "rightly_absent"})
        return self

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        """What ``_learn`` has learned, as named arrays."""

    @abstractmethod
    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take back what ``_arrays`` gave."""

    def _quality(self, prediction: Prediction) -> Quality:
        judged: list[Judged] = []
        is_absent = np.ones(len(self.scheme.structures), np.bool_)
        for first in range(0, prediction.frames, FRAMES_AT_ONCE):
            numbers = range(first, min(first + FRAMES_AT_ONCE, prediction.frames))
            frames = [frame_of(prediction, number) for number in numbers]
            judged += self._judge(frames)
            for frame in frames:
                is_absent &= ~masks(frame.labels, self.scheme).any(axis=(1, 2, 3))
        names = [structure.name for structure in self.scheme.structures]
        dice = np.mean([one.dice for one in judged], axis=0)
        nsd = _stacked(names, [one.nsd for one in judged])
        overall = _stacked(OVERALL, [one.overall for one in judged])
        reasons = reasons_of(self.scheme, is_absent, self.rightly_absent_)
        reasons += [reason for one in judged for reason in one.reasons]
        return Quality(
            prediction.study,
            score_of(dice, is_absent, self.rightly_absent_),
            dice=dict(zip(names, dice.tolist(), strict=True)),
            nsd={name: float(nsd.mean()) for name, nsd in nsd.items()},
            slice_dice=_stacked(names, [one.slice_dice for one in judged]),
            slice_mvsf=_stacked(names, [one.slice_mvsf for one in judged]),
            error_maps=_stacked(names, [one.error_maps for one in judged]),
            reasons=tuple(dict.fromkeys(reasons)),
            overall={name: float(dice.mean()) for name, dice in overall.items()},
        )


def check_modalities(frames: Sequence[Frame], modalities: int) -> None:
    """Make sure that images have so many modalities.

    Raises:
        ValueError: If one has not.
    """
    for frame in frames:
        if len(frame.image) != modalities:
            raise ValueError(
                f"{frame.study}: {len(frame.image)} modalities, expected {modalities}"
            )


def _stacked(names: Sequence[str], of_frames: Sequence[Numbers | None]) -> dict[str, Numbers]:
    """From ``[S, ...]`` of each frame to ``[T, ...]`` of each structure, where all are known."""
    known = [found for found in of_frames if found is not None]
    if len(known) < len(of_frames):
        return {}
    return dict(zip(names, np.stack(known, axis=1), strict=True))
