"""Unlabelled frames of studies of which other frames are labelled."""

import math
from collections.abc import Sequence
from dataclasses import replace

from semiqc.study import Study, Voxels

FRAME_DECAY = 0.1
"""By which the weight of a frame falls with each frame between it and the nearest labelled one."""

NEVER = 1e-9
"""Weight of a frame that no training is long enough to draw."""


def partly_labelled(studies: Sequence[Study]) -> list[Study]:
    """Studies with labelled and unlabelled frames."""
    return [study for study in studies if 0 < len(study.labelled_frames) < study.frames]


def entries_of(study: Study, labels: Voxels, decay: float) -> list[Study]:
    """A study's unlabelled frames as entries of a label bank.

    Reference:
        Bai et al., "Recurrent neural networks for aortic image sequence segmentation with sparse
        annotations", MICCAI 2018. https://doi.org/10.1007/978-3-030-00937-3_67
        Ours: distances go round the cycle; the frames of a study count together at most as much
        as another study.

    Args:
        study: With labels of some frames.
        labels: Of the bank, ``[T, Z, Y, X]``.
        decay: Rate at which weights fall with the distance from a labelled frame.

    Returns:
        A study for each frame, in order, without those that would never be drawn.
    """
    known = study.labelled_frames
    unknown = [frame for frame in range(study.frames) if frame not in known]
    weights = [math.exp(-decay * _distance(frame, known, study.frames)) for frame in unknown]
    filled = study.with_labels(labels)
    return [
        replace(filled.keeping((frame,)), weight=weight / len(unknown))
        for frame, weight in zip(unknown, weights, strict=True)
        if weight > NEVER
    ]


def _distance(frame: int, known: Sequence[int], frames: int) -> int:
    """Frames to the nearest known one, either way round the cycle."""
    return min(min((frame - one) % frames, (one - frame) % frames) for one in known)
