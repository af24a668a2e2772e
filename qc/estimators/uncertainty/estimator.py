"""Quality from maps of the segmenters' uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from qc.base import ProgressCallback
from qc.estimators.frame_estimator import Judged
from qc.estimators.uncertainty.features import near_structures, reaches_of, uncertainty_features
from qc.estimators.uncertainty.forest import ForestTables
from qc.estimators.uncertainty.radiomics.features import radiomics_features
from qc.estimators.uncertainty_estimator import (
    Array,
    UncertaintyMapsEstimator,
    is_present,
    uncertainty_of,
)
from qc.frames import Frame, GradedFrame
from semiqc.measuring.masks import compared
from semiqc.measuring.means import means_of_known
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.work.bounds import Count

FeatureSet = Literal["own", "ibsi"]
FEATURES = dict(zip(get_args(FeatureSet), (uncertainty_features, radiomics_features), strict=True))
"""Features of a frame, by the name of the set."""

THRESHOLDS = np.arange(1, 20) / 20
"""Of entropy that are tried, .05 to .95, as in Jungo et al. 2020."""


@dataclass(kw_only=True, eq=False, repr=False)
class Uncertainty(UncertaintyMapsEstimator):
    """Error maps where entropy is above a threshold, and a forest on features of the map.

    The threshold of each structure is that at which uncertain voxels and errors overlap most
    in the training frames. What is uncertain counts as an error in a structure only within reach
    of it. A structure that is not predicted gets 0, which is its Dice whenever that is defined.

    Equation:
        H = -Σ_c p_c log p_c / log C; a voxel is an error of s where H > threshold_s, near s

    Fails:
        Where the segmenter is sure and wrong; maps of entropy follow every border, wrong or right.

    Reference:
        Jungo et al., "Analyzing the quality and challenges of uncertainty estimations for brain
        tumor segmentation", Frontiers in Neuroscience 2020.
        https://doi.org/10.3389/fnins.2020.00282
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, appendix B. https://arxiv.org/abs/2412.07156
        Ours: entropy of the mean probabilities as a share of the largest possible; errors only
        within reach of a structure; by default 17 features of our own, see
        ``qc.estimators.uncertainty.features``, and with ``features="ibsi"`` the papers' 102, see
        ``qc.estimators.uncertainty.radiomics.features``.

    Args:
        scheme: Label values and structures of the predictions it judges.
        trees: Of each forest.
        min_samples_leaf: Frames of a leaf, at least.
        features: Of the map around each structure: ``own``, or the 102 of ``ibsi``.
        seed: Of the forests.

    Attributes:
        thresholds_: Entropy above which a voxel is uncertain, for each structure, ``[S]``.
        forests_: Of each structure, from the features of all to its Dice and surface Dice.
    """

    gives_error_maps = True
    takes_seed = True

    trees: Count = 100
    min_samples_leaf: Count = 3
    features: FeatureSet = "own"
    seed: int = 0

    def check(self) -> None:
        if self.features not in FEATURES:
            known = ", ".join(FEATURES)
            raise ValueError(f"unknown features '{self.features}'; known: {known}")

    def _learn_uncertainty(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        self.check()
        overlaps = []
        for number, graded in enumerate(frames, start=1):
            overlaps.append(error_overlaps(graded.frame(), graded.reference(), self.scheme))
            observe(number, 2 * len(frames))
        self.thresholds_ = _best_thresholds(np.stack(overlaps))
        given, present, targets = [], [], []
        for number, graded in enumerate(frames, start=1):
            frame = graded.frame()
            reaches = reaches_of(frame, self.scheme)
            given.append(FEATURES[self.features](frame, reaches, self.thresholds_).ravel())
            present.append(is_present(frame.labels, self.scheme))
            targets.append(np.stack([graded.dice(self.scheme), graded.nsd(self.scheme)], axis=1))
            observe(len(frames) + number, 2 * len(frames))
        self.forests_ = [
            self._forest(np.stack(given), np.stack(targets)[:, part], np.stack(present)[:, part])
            for part in range(len(self.scheme.structures))
        ]

    def _forest(self, given: Array, targets: Array, present: NDArray[np.bool_]) -> ForestTables:
        known = present & np.isfinite(targets).all(axis=1)
        if not known.any():
            return ForestTables.constant(np.zeros(2))
        forest = RandomForestRegressor(
            self.trees,
            min_samples_leaf=self.min_samples_leaf,
            max_features=1 / 3,
            random_state=self.seed,
        )
        return ForestTables.of(forest.fit(given[known], targets[known]))

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        return [self._judged(frame) for frame in frames]

    def _judged(self, frame: Frame) -> Judged:
        reaches = reaches_of(frame, self.scheme)
        given = FEATURES[self.features](frame, reaches, self.thresholds_).reshape(1, -1)
        present = is_present(frame.labels, self.scheme)
        estimates = np.stack([forest.predict(given)[0] for forest in self.forests_])
        dice, nsd = np.where(present[:, None], np.clip(estimates, 0, 1), 0).T
        above = (
            np.asarray(uncertainty_of(frame).entropy[0]) > self.thresholds_[:, None, None, None]
        )
        near = near_structures(reaches, frame.labels.shape)
        return Judged(dice, nsd, error_maps=(above & near).astype(np.float16))

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        stored: dict[str, NDArray[np.generic]] = {"thresholds": self.thresholds_}
        for part, forest in zip(self.scheme.structures, self.forests_, strict=True):
            stored |= forest.arrays(f"forests/{part.name}")
        return stored

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.thresholds_ = np.asarray(arrays["thresholds"], dtype=np.float64)
        self.forests_ = [
            ForestTables.from_arrays(arrays, f"forests/{part.name}")
            for part in self.scheme.structures
        ]


def error_overlaps(frame: Frame, reference: NDArray[np.int8], scheme: LabelScheme) -> Array:
    """Overlap of uncertainty and error, ``2 |U and E| / (|U| + |E|)``, ``[S, len(THRESHOLDS)]``.

    Args:
        frame: With uncertainty.
        reference: Class of each voxel or ``UNLABELLED``, ``[Z, Y, X]``; the latter do not count.
        scheme: Whose structures to look at.

    Returns:
        In [0, 1]; NaN where there is neither uncertainty nor error.
    """
    entropy = np.asarray(uncertainty_of(frame).entropy[0])
    # How many thresholds lie below a voxel's entropy.
    passed = np.searchsorted(THRESHOLDS, entropy)
    wrong = np.logical_xor(*compared(frame.labels, reference, scheme))
    known = near_structures(reaches_of(frame, scheme), frame.labels.shape)
    known &= reference != UNLABELLED
    overlaps = np.empty((len(scheme.structures), len(THRESHOLDS)))
    for number, near in enumerate(known):
        uncertain = _above(passed[near])
        both = _above(passed[near & wrong[number]])
        total = uncertain + wrong[number].sum()
        overlaps[number] = np.divide(
            2 * both, total, out=np.full(len(THRESHOLDS), np.nan), where=total > 0
        )
    return overlaps


def _above(passed: NDArray[np.intp]) -> Array:
    """How many voxels are above each threshold, from how many thresholds each is above."""
    counts = np.bincount(passed, minlength=len(THRESHOLDS) + 1)
    return np.asarray(counts[::-1].cumsum()[::-1][1:], dtype=np.float64)


def _best_thresholds(overlaps: Array) -> Array:
    """Of each structure, from ``[N, S, len(THRESHOLDS)]``; the lowest of equally good ones."""
    means = means_of_known(overlaps, axis=0, unknown=0.0)
    best: Array = THRESHOLDS[means.argmax(axis=1)]
    return best
