"""Error maps of several estimators, and how good they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded, Quality
from qc.frames import compared, frame_dice, graded_frames
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Voxels

HALF = 0.5
"""Probability from which an error is shown."""


class MeanVoxels:
    """The weighted mean of several arrays of one shape, worked out where it is indexed.

    Args:
        parts: The arrays.
        weights: Of each; they sum to one.
    """

    dtype = np.dtype(np.float16)

    def __init__(self, parts: Sequence[Voxels], weights: Sequence[float]) -> None:
        self.parts = tuple(parts)
        self.weights = tuple(weights)
        self.shape = tuple(parts[0].shape)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[np.float16]:  # noqa: ANN401
        mean = sum(
            w * np.asarray(part[key], dtype=np.float32)
            for w, part in zip(self.weights, self.parts, strict=True)
        )
        return np.asarray(mean, dtype=np.float16)


def mean_map_dice(
    qualities: Sequence[Quality | None], graded: Sequence[Graded], scheme: LabelScheme
) -> float:
    """Dice of error maps, cut at .5, and the true errors; mean over frames, structures and all.

    NaN where no quality has a map, or no prediction a reference.
    """
    found: list[NDArray[np.float64]] = []
    for quality, one in zip(qualities, graded, strict=True):
        if quality is None or not quality.error_maps or one.reference is None:
            continue
        told = [quality.error_maps.get(part.name) for part in scheme.structures]
        for frame in graded_frames([one]):
            reference = frame.reference()
            predicted, true = compared(frame.frame().labels, reference, scheme)
            is_known = reference != UNLABELLED
            shown = np.stack(
                [
                    np.zeros_like(is_known)
                    if maps is None
                    else np.asarray(maps[frame.number]) >= 0.5
                    for maps in told
                ]
            )
            found.append(frame_dice(shown & is_known, predicted ^ true))
    dice = np.array(found)
    return float(np.nanmean(dice)) if np.isfinite(dice).any() else float("nan")
