"""Deepest features of a network, as distances from those of its training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from segmenters.network import NetworkSegmenter
from semiqc.images.frames import study_of_frame
from semiqc.study import Study

LEAST_VARIANCE = 1e-10
"""Of a direction in feature space; in which nothing varies, any difference is infinitely far."""


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """A Gaussian over the deepest features of the frames that a segmenter learned from.

    Networks do not share a feature space. Distances to what each has learned from can be
    compared all the same, so features are given as deviations from that.

    Reference:
        Lee et al., "A simple unified framework for detecting out-of-distribution samples and
        adversarial attacks", NeurIPS 2018. https://arxiv.org/abs/1807.03888
        González et al., "Distance-based detection of out-of-distribution silent failures for
        Covid-19 lung lesion segmentation", Medical Image Analysis 2022.
        https://doi.org/10.1016/j.media.2022.102596
        Ours: the mean over the voxels of a frame; the covariance of Ledoit and Wolf.

    Args:
        segmenter: Fitted.
        mean: Of the features, ``[F]``.
        whitening: What makes their covariance the identity, ``[F, F]``.
    """

    segmenter: NetworkSegmenter
    mean: NDArray[np.float64]
    whitening: NDArray[np.float64]

    @classmethod
    def of(cls, segmenter: NetworkSegmenter, studies: Sequence[Study]) -> Self:
        """Learn it from the labelled frames that the segmenter has learned from.

        The spread of a single frame is unknown; that of its features stands in for it.

        Raises:
            ValueError: If there is none.
        """
        frames = [study_of_frame(study, t) for study in studies for t in study.labelled_frames]
        if not frames:
            raise ValueError(f"a feature space needs a labelled frame, got none in {len(studies)}")
        found = np.concatenate([list(segmenter.deep_features(frame)) for frame in frames])
        variances, axes = np.linalg.eigh(_covariance(found))
        scales = 1 / np.sqrt(np.maximum(variances, LEAST_VARIANCE))
        return cls(segmenter, found.mean(axis=0), (axes * scales) @ axes.T)

    def deviation(self, frame: Study) -> NDArray[np.float64]:
        """How a study of one frame deviates, ``[F]``; its length is the Mahalanobis distance."""
        (found,) = self.segmenter.deep_features(frame)
        deviation: NDArray[np.float64] = (found - self.mean) @ self.whitening
        return deviation


def _covariance(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of features ``[N, F]``, shrunk: ``[F, F]``."""
    if len(found) == 1:
        return np.diag(np.full(found.shape[1], found.var()))
    return np.asarray(ledoit_wolf(found)[0], dtype=np.float64)
