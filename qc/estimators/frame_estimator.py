"""Estimators that judge every frame by itself, and a study by its frames."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.absence import reasons_of, rightly_absent_in, score_of
from qc.base import (
    ALL_CLASSES,
    OVERALL,
    Graded,
    ProgressCallback,
    Quality,
    QualityEstimator,
    unobserved,
)
from qc.frames import Frame, GradedFrame, frame_of, graded_frames
from qc.turns import Course, between
from semiqc.study import Prediction
from semiqc.work.bounds import Count

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
        all_classes: Dice and surface Dice of all classes at once, ``[2]``, where the method gives
            them; NaN for one that it does not.
    """

    dice: NDArray[np.float64]
    nsd: NDArray[np.float64] | None = None
    slice_dice: NDArray[np.float64] | None = None
    error_maps: NDArray[np.float16] | None = None
    reasons: tuple[str, ...] = ()
    slice_mvsf: NDArray[np.float64] | None = None
    overall: NDArray[np.float64] | None = None
    all_classes: NDArray[np.float64] | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class FrameEstimator(QualityEstimator):
    """Learns from the frames that have a reference; the quality of a study is its frames' mean.

    A subclass stores its arguments, learns in ``_learn`` and judges in ``_judge``. Of a cine it
    may judge frames by turns: see ``qc.turns``.

    Args:
        scheme: Label values and structures of the predictions it judges.
        every: How far apart frames of a longer cine may be that are judged; what is said of
            those between lies on a straight line. 1 judges each.

    Attributes:
        rightly_absent_: Of each structure, how often it was rightly not segmented; see
            ``qc.absence``.
    """

    every: Count = 8

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
        course = Course.of(prediction.labels, len(self.scheme.classes))
        numbers = course.judged(self.every)
        judged: list[Judged] = []
        for first in range(0, len(numbers), FRAMES_AT_ONCE):
            some = numbers[first : first + FRAMES_AT_ONCE].tolist()
            judged += self._judge([frame_of(prediction, number) for number in some])
        said = _Cine(judged, numbers, course.present(self.scheme))
        is_absent = np.logical_not(said.present).all(axis=(0, 2)).reshape(-1)
        names = [structure.name for structure in self.scheme.structures]
        dice = said.of_structures("dice").mean(axis=0)
        reasons = reasons_of(self.scheme, is_absent, self.rightly_absent_)
        reasons += [reason for one in judged for reason in one.reasons]
        of_all = said.of_all_classes()
        return Quality(
            prediction.study,
            score_of(dice, is_absent, self.rightly_absent_),
            dice=dict(zip(names, dice.tolist(), strict=True)),
            nsd=_means(names, said.of_structures("nsd")),
            slice_dice=_by_name(names, said.of_slices()),
            slice_mvsf=_by_name(names, said.of_frames("slice_mvsf")),
            error_maps=_by_name(names, said.of_frames("error_maps")),
            reasons=tuple(dict.fromkeys(reasons)),
            overall=_means(OVERALL, said.of_frames("overall")) | _known(of_all[:, :1]),
            overall_nsd=_known(of_all[:, 1:]),
        )


@dataclass(frozen=True, eq=False)
class _Cine:
    """What is said of all frames of a cine.

    Args:
        judged: Of the frames that were judged.
        numbers: Of these frames, ``[N]``.
        present: Where something of each structure is segmented, ``[T, S, Z]``.
    """

    judged: Sequence[Judged]
    numbers: NDArray[np.intp]
    present: NDArray[np.bool_]

    def of_frames(self, what: str) -> NDArray[Any]:
        """``[T, ...]``; empty where something is not known of all that were judged."""
        known = [getattr(one, what) for one in self.judged]
        if any(one is None for one in known):
            return np.empty(0)
        return between(self.numbers, np.stack(known), len(self.present))

    def of_structures(self, what: str) -> NDArray[Any]:
        """``[T, S]``; 0 of a frame between the judged ones where nothing is segmented."""
        found = self.of_frames(what)
        if len(found):
            found[self._is_between & ~self.present.any(axis=2)] = 0
        return found

    def of_all_classes(self) -> NDArray[np.float64]:
        """Dice and surface Dice of all classes at once, ``[T, 2]``; T is 0 where not known.

        0 of a frame between the judged ones where nothing at all is segmented.
        """
        found = self.of_frames("all_classes").reshape(-1, 2)
        if len(found):
            found[self._is_between[:, 0] & ~self.present.any(axis=(1, 2))] = 0
        return found

    def of_slices(self) -> NDArray[Any]:
        """Dice ``[T, S, Z]``.

        Of a slice between the judged ones in which nothing of a structure is segmented it is 0
        where it is so in neither neighbour, and else NaN.
        """
        found = self.of_frames("slice_dice")
        if len(found):
            there = self.present[self.numbers].astype(np.float64)
            in_both = between(self.numbers, there, len(self.present)) > 0.99
            told = np.where(in_both, 0.0, np.nan)
            lost = self._is_between[..., None] & ~self.present
            found = np.where(lost, told, found)
        return found

    @property
    def _is_between(self) -> NDArray[np.bool_]:
        """Which frames were not judged, ``[T, 1]``."""
        return ~np.isin(np.arange(len(self.present)), self.numbers)[:, None]


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


def _by_name(names: Sequence[str], found: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """From ``[T, S, ...]`` to ``[T, ...]`` of each; nothing from nothing."""
    return dict(zip(names, found.swapaxes(0, 1), strict=True)) if len(found) else {}


def _known(found: NDArray[np.float64]) -> dict[str, float]:
    """The mean of all frames, ``[T, 1]``, by its name; nothing where it is not known."""
    return {ALL_CLASSES: float(found.mean())} if np.isfinite(found).all() and len(found) else {}


def _means(names: Sequence[str], found: NDArray[Any]) -> dict[str, float]:
    """From ``[T, S]`` to the mean of each; nothing from nothing."""
    return dict(zip(names, found.mean(axis=0).tolist(), strict=True)) if len(found) else {}
