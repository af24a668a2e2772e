"""Quality from how far an image looks from what its segmenter has learned."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qc.base import ProgressCallback
from qc.estimators.frame_estimator import Judged
from qc.estimators.uncertainty_estimator import (
    UncertaintyMapsEstimator,
    is_present,
    uncertainty_of,
)
from qc.frames import Frame, GradedFrame
from qc.isotonic import MonotoneCurve, curves_from, stored_curves
from semiqc.study import Prediction

KINDS = ("dice", "nsd")


class Mahalanobis(UncertaintyMapsEstimator):
    """Reads Dice off the distance of the segmenter's features to its training set.

    The further an image lies from all that was learned, the less its segmentation can be
    trusted; a monotone curve per structure tells how much less. The distance is the same for
    all structures. A structure that is not predicted gets 0, which is its Dice whenever that is
    defined.

    Equation:
        d = sqrt(mean_k ((feature_k - mean_k) / sd_k)²), dice_s = isotonic falling(d)

    Fails:
        On bad segmentations of usual images: it judges the image alone, and gives all structures
        the same rank.

    Reference:
        Lee et al., "A simple unified framework for detecting out-of-distribution samples and
        adversarial attacks", NeurIPS 2018. https://arxiv.org/abs/1807.03888
        González et al., "Distance-based detection of out-of-distribution silent failures for
        Covid-19 lung lesion segmentation", Medical Image Analysis 2022.
        https://doi.org/10.1016/j.media.2022.102596
        Ours: the features come as deviations from what their own segmenter has learned from, in
        its standard deviations (``segmenters.features``), for networks share no feature space;
        the distance is divided by the root of the number of features, in which networks differ;
        isotonic regression to Dice and surface Dice.

    Args:
        scheme: Label values and structures of the predictions it judges.

    Attributes:
        calibrations_: By ``dice/NAME`` and ``nsd/NAME`` of each structure.
    """

    def can_judge(self, prediction: Prediction) -> bool:
        # Several segmentations in files tell their difference, and no features.
        known = prediction.uncertainty
        return known is not None and known.features.shape[-1] > 0

    def _learn_uncertainty(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        distances, present = [], []
        for number, graded in enumerate(frames, start=1):
            frame = graded.frame()
            distances.append(distance(frame))
            present.append(is_present(frame.labels, self.scheme))
            observe(number, len(frames))
        quality = {
            "dice": np.stack([frame.dice(self.scheme) for frame in frames]),
            "nsd": np.stack([frame.nsd(self.scheme) for frame in frames]),
        }
        self.calibrations_ = {
            f"{kind}/{part.name}": MonotoneCurve.of(
                np.where(np.stack(present)[:, number], distances, np.nan),
                quality[kind][:, number],
                rising=False,
            )
            for kind in KINDS
            for number, part in enumerate(self.scheme.structures)
        }

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        return [Judged(self._estimate("dice", one), self._estimate("nsd", one)) for one in frames]

    def _estimate(self, kind: str, frame: Frame) -> NDArray[np.float64]:
        far = np.array([distance(frame)])
        estimates = [
            self.calibrations_[f"{kind}/{p.name}"](far)[0] for p in self.scheme.structures
        ]
        return np.where(is_present(frame.labels, self.scheme), estimates, 0)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return stored_curves(self.calibrations_)

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.calibrations_ = curves_from(arrays)


def distance(frame: Frame) -> float:
    """Root mean square of the features' deviations; about 1 for what was learned from.

    Raises:
        ValueError: If the uncertainty has no features.
    """
    features = uncertainty_of(frame).features[0]
    if not len(features):
        raise ValueError(
            f"{frame.study}: the uncertainty has no features; segment with members that know their"
            " feature space"
        )
    return float(np.sqrt(np.mean(features**2)))
