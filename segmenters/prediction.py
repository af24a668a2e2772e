"""Whole studies segmented, a frame at a time."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from segmenters.base import Segmenter
from segmenters.components import largest_components
from semiqc.study import Prediction, Study

Refine = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Image ``[M, Z, Y, X]`` and probabilities ``[C, Z, Y, X]`` in, better probabilities out."""


def segment(
    segmenter: Segmenter, study: Study, *, clean: bool = False, refine: Refine | None = None
) -> Iterator[tuple[NDArray[np.int8], NDArray[np.float32]]]:
    """Labels ``[Z, Y, X]`` and class probabilities ``[C, Z, Y, X]`` of one frame after the other.

    Args:
        segmenter: Fitted.
        study: Its labels are not used.
        clean: Keep only the largest connected component of each class.
        refine: Applied to the probabilities of each frame, such as a ``CRF``.
    """
    for frame, predicted in enumerate(segmenter.predict_frames(study)):
        probabilities = refine(study.image[:, frame], predicted) if refine else predicted
        labels = probabilities.argmax(axis=0).astype(np.int8)
        yield (largest_components(labels, segmenter.scheme) if clean else labels), probabilities


def predict(segmenter: Segmenter, study: Study, *, clean: bool = False) -> Prediction:
    """The study segmented, its labels in memory."""
    labels = np.stack([labels for labels, _ in segment(segmenter, study, clean=clean)])
    return Prediction(study.name, study.image, labels, study.spacing)
