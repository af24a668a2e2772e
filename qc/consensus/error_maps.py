"""Error maps of several estimators, and how good they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded, Quality
from qc.frames import GradedFrame, graded_frames
from qc.graded.truth import error_map_dice
from semiqc.measuring.masks import compared
from semiqc.measuring.means import means_of_known
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Voxels


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
    found = [
        _map_dice(quality, frame, scheme)
        for quality, one in zip(qualities, graded, strict=True)
        if quality is not None and quality.error_maps and one.reference is not None
        for frame in graded_frames([one])
    ]
    return float(means_of_known(np.ravel(found)))


def _map_dice(quality: Quality, frame: GradedFrame, scheme: LabelScheme) -> NDArray[np.float64]:
    """Of each structure in one frame, ``[S]``; a map that is missing shows no errors."""
    reference = frame.reference()
    predicted, true = compared(frame.frame().labels, reference, scheme)
    told = [quality.error_maps.get(part.name) for part in scheme.structures]
    nothing = np.zeros(reference.shape, np.float16)
    shown = np.stack(
        [nothing if maps is None else np.asarray(maps[frame.number]) for maps in told]
    )
    known = np.broadcast_to(reference != UNLABELLED, shown.shape)
    return error_map_dice(shown, predicted, true, known)
