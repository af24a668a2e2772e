"""What the sources that train networks share."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from qc.graded.source import Made
from segmenters import (
    DropoutSamples,
    FeatureSpace,
    Members,
    NetworkSegmenter,
    Segmenter,
    TrainingSettings,
    segment,
    segment_with_uncertainty,
)
from semiqc.images.frames import study_of_frame
from semiqc.study import Study

Change = Callable[[Study, int, NDArray[np.float32]], NDArray[np.float32]]
"""Another image for a frame of a study, ``[M, 1, Z, Y, X]``, from its own."""


def default_training() -> TrainingSettings:
    """How networks are trained where nothing else is asked for."""
    return TrainingSettings(report_every=100)


def labelled_frames(studies: Sequence[Study]) -> list[tuple[Study, int]]:
    """Every frame that has a reference, with its study."""
    return [(study, frame) for study in studies for frame in study.labelled_frames]


def modalities_of(studies: Sequence[Study]) -> int:
    """Modalities of the images, from the first study.

    Raises:
        ValueError: If there is no study.
    """
    if not studies:
        raise ValueError("a source of segmentations needs studies to learn from, got none")
    return studies[0].image.shape[0]


def segmented(
    segmenter: Segmenter, judged: Sequence[Study], source: str, change: Change | None = None
) -> Iterator[Made]:
    """Every labelled frame, segmented; no other frame is read.

    Args:
        segmenter: Fitted.
        judged: Their labels only say which frames to segment.
        source: Name that the segmentations get.
        change: What is done to an image before it is segmented.
    """
    for study, frame in labelled_frames(judged):
        ((labels, _),) = segment(segmenter, _alone(study, frame, change))
        yield Made(study, frame, labels, source)


def sampled(
    members: Members, judged: Sequence[Study], source: str, change: Change | None = None
) -> Iterator[Made]:
    """Every labelled frame, segmented by several, with their uncertainty; no other frame is read.

    Args:
        members: Fitted.
        judged: Their labels only say which frames to segment.
        source: Name that the segmentations get.
        change: What is done to an image before it is segmented.
    """
    for study, frame in labelled_frames(judged):
        (found,) = segment_with_uncertainty(members, _alone(study, frame, change))
        yield Made(study, frame, found.labels, source, found.uncertainty)


def _alone(study: Study, frame: int, change: Change | None) -> Study:
    alone = study_of_frame(study, frame)
    if change is None:
        return alone
    image = change(study, frame, np.asarray(alone.image[:]))
    return Study(study.name, image, alone.labels, study.spacing)


def judged_by(
    segmenter: NetworkSegmenter,
    learned: Sequence[Study],
    judged: Sequence[Study],
    source: str,
    *,
    samples: int,
    seed: int,
    change: Change | None = None,
) -> Iterator[Made]:
    """Every labelled frame, segmented with Monte-Carlo dropout where there are samples.

    Args:
        segmenter: Fitted.
        learned: What it has learned from.
        judged: Their labels only say which frames to segment.
        source: Name that the segmentations get.
        samples: Of dropout; 0 segments once and gathers no uncertainty.
        seed: Of what is dropped.
        change: What is done to an image before it is segmented.
    """
    if not samples:
        return segmented(segmenter, judged, source, change)
    space = FeatureSpace.of(segmenter, learned)
    members = DropoutSamples(segmenter, samples, seed=seed, space=space)
    return sampled(members, judged, source, change)


def check_samples(samples: int, dropout: float) -> None:
    """Make sure that samples of dropout can be taken, or that none are asked for.

    Raises:
        ValueError: If they cannot.
    """
    if samples and (samples < 2 or not dropout > 0):
        raise ValueError(
            f"samples must be 0, or 2 or more of a network with dropout, got {samples} and dropout"
            f" {dropout}"
        )
