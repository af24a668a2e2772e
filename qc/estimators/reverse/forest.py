"""A forest that learns one segmentation and segments references like it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from qc.estimators.reverse.atlas import Atlas, Placed, labels_at
from qc.estimators.reverse.transfer import dice_with, lost
from qc.frames import Frame
from segmenters.voxel_features import voxel_features
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme

Array = NDArray[np.float64]

TREES = 30
DEPTH = 16
LEAF = 3
VOXELS = 3_000
"""That the forest learns from, at most; as many of structures as of background."""


@dataclass(frozen=True, eq=False)
class ForestTransfer:
    """Trains a forest on the segmentation; it then segments the references most like the image.

    Args:
        atlas: The references, in whose space the forest learns.
        scheme: Of the labels.
        nearest: References that it segments.
        seed: Of the draw and the forest.
    """

    atlas: Atlas
    scheme: LabelScheme
    nearest: int
    seed: int

    def prepare(self, frame: Frame, placed: Placed, allowed: NDArray[np.bool_]) -> "ForestImage":
        """See ``qc.estimators.reverse.transfer.Transfer``."""
        order = np.argsort(-np.where(allowed, placed.likeness, -np.inf), kind="stable")
        chosen = order[: min(self.nearest, int(allowed.sum()))]
        references = [self._features(self.atlas.images[one]) for one in chosen]
        own = self._features(placed.image)
        return ForestImage(self, placed, chosen, own, references)

    def _features(self, image: NDArray[np.generic]) -> NDArray[np.float32]:
        return voxel_features(np.asarray(image, dtype=np.float32), self.atlas.spacing)


@dataclass(frozen=True, eq=False)
class ForestImage:
    """See ``ForestTransfer``."""

    transfer: ForestTransfer
    placed: Placed
    chosen: NDArray[np.intp]
    own: NDArray[np.float32]
    references: list[NDArray[np.float32]]

    @property
    def likeness(self) -> Array:
        """See ``qc.estimators.reverse.transfer.PreparedImage``."""
        return self.placed.likeness

    def overlaps(self, frame: Frame) -> Array:
        """See ``qc.estimators.reverse.transfer.PreparedImage``."""
        atlas, scheme = self.transfer.atlas, self.transfer.scheme
        dice = np.full((len(atlas.labels), len(scheme.structures)), np.nan)
        labels = labels_at(frame.labels, frame.spacing, self.placed.straight, UNLABELLED)
        forest = _trained(self.own, labels.ravel(), self.transfer.seed)
        beyond = lost(frame, self.placed.matrix, self.placed.shift, atlas, scheme)
        for number, features in zip(self.chosen, self.references, strict=True):
            found = forest.predict(features).astype(np.int8).reshape(labels.shape)
            dice[number] = dice_with(found, beyond, atlas.labels[number][None], scheme)[0]
        return dice


def _trained(
    features: NDArray[np.float32], labels: NDArray[np.int8], seed: int
) -> ExtraTreesClassifier:
    """A forest that knows the labels of voxels, half of them of structures where there are."""
    rng = np.random.default_rng(seed)
    structures = rng.permutation(np.flatnonzero(labels > BACKGROUND))[: VOXELS // 2]
    background = rng.permutation(np.flatnonzero(labels == BACKGROUND))[: VOXELS // 2]
    chosen = np.concatenate([structures, background])
    forest = ExtraTreesClassifier(
        TREES, max_depth=DEPTH, min_samples_leaf=LEAF, random_state=seed, n_jobs=1
    )
    if not len(chosen):
        return forest.fit(features[:1], np.array([BACKGROUND]))
    return forest.fit(features[chosen], labels[chosen])
