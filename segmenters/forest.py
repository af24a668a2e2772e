"""A random forest of voxels whose trees are followed only to a certain depth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from segmenters.voxel_features import voxel_features
from semiqc.schemes import BACKGROUND
from semiqc.study import Study

VOXELS_AT_ONCE = 32_768
STRUCTURES_SHARE = 1 / 3
"""Of the voxels that are learned from; fewer leave shallow cuts empty, more fill the image."""


@dataclass(eq=False, repr=False)
class VoxelForest(BaseEstimator):  # type: ignore[misc]
    """A forest trained to full depth, and cut at several depths to segment.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, section 2:
        a forest of 350 trees and depth 40. https://doi.org/10.1007/978-3-030-00937-3_66
        Ours: the paper does not name its features; these are those of ``voxel_features``. The
        forest learns from a draw of voxels, a third of them of structures.

    Args:
        trees: Of the forest.
        depths: At which it is cut, the largest being the depth to which it is trained.
        voxels_per_frame: That it learns from, at most.
        min_samples_leaf: Voxels of a leaf, at least.
        n_jobs: Threads; -1 for one per core.
        seed: Of the draw and the forest.

    Attributes:
        forest_: Fitted, with its cuts.
    """

    trees: int
    depths: tuple[int, ...]
    voxels_per_frame: int
    min_samples_leaf: int
    n_jobs: int
    seed: int

    def fit(self, studies: Sequence[Study]) -> Self:
        """Learn from voxels of all labelled frames.

        Raises:
            ValueError: If no study has a label, or modalities differ.
        """
        drawn = [self._drawn(study, t) for study in studies for t in study.labelled_frames]
        if not drawn:
            raise ValueError(
                f"a forest needs at least one labelled frame, got none in {len(studies)} studies"
            )
        if len({features.shape[1] for features, _ in drawn}) > 1:
            raise ValueError("a forest needs studies of the same modalities")
        forest = RandomForestClassifier(
            self.trees,
            max_depth=max(1, *self.depths),
            min_samples_leaf=self.min_samples_leaf,
            n_jobs=self.n_jobs,
            random_state=self.seed,
        )
        features, labels = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        self.forest_ = CutForest(forest.fit(features, labels), self.depths, self.n_jobs)
        return self

    def segment(
        self, image: NDArray[np.float32], spacing: tuple[float, float, float]
    ) -> NDArray[np.int8]:
        """Most probable classes by the forest cut at each depth, ``[D, Z, Y, X]``.

        Args:
            image: ``[M, Z, Y, X]``.
            spacing: In mm, ordered ``(z, y, x)``.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        check_is_fitted(self, "forest_")
        classes = self.forest_.classes(voxel_features(image, spacing))
        return classes.reshape(-1, *image.shape[1:])

    def _drawn(self, study: Study, frame: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Features and labels of voxels of structures and of background."""
        labels = np.asarray(study.labels[frame]).ravel()
        rng = np.random.default_rng([self.seed, frame, *study.name.encode()])
        of_structures = round(STRUCTURES_SHARE * self.voxels_per_frame)
        foreground = rng.permutation(np.flatnonzero(labels > BACKGROUND))[:of_structures]
        background = rng.permutation(np.flatnonzero(labels == BACKGROUND))
        others = background[: self.voxels_per_frame - of_structures]
        chosen = np.concatenate([foreground, others])
        return voxel_features(study.image[:, frame], study.spacing)[chosen], labels[chosen]


class CutForest:
    """A fitted forest at several depths: a tree answers with the node it has reached by then.

    A voxel is followed to its leaf only once; what stands above the leaf at each depth is known.

    Args:
        forest: Fitted by scikit-learn.
        depths: At which its trees are cut; 0 leaves their roots.
        n_jobs: Threads; -1 for one per core.
    """

    def __init__(
        self, forest: RandomForestClassifier, depths: Sequence[int], n_jobs: int = 1
    ) -> None:
        self.labels = np.asarray(forest.classes_, dtype=np.int8)
        self.depths = tuple(depths)
        self.n_jobs = n_jobs
        self._features = int(forest.n_features_in_)
        self._trees = [tree.tree_ for tree in forest.estimators_]
        self._above = [
            nodes_at_depths(tree.children_left, tree.children_right, self.depths)
            for tree in self._trees
        ]
        self._shares = [_shares(tree.value[:, 0]) for tree in self._trees]

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each class the forest knows, ``[N, F]`` to ``[D, N, C]``, as ``predict_proba``.

        Raises:
            ValueError: If the forest learned from other features.
        """
        if features.shape[1] != self._features:
            raise ValueError(
                f"{features.shape[1]} features a voxel, the forest learned from {self._features}"
            )
        parts = np.array_split(features, max(1, math.ceil(len(features) / VOXELS_AT_ONCE)))
        found = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._of_part)(part) for part in parts
        )
        joined: NDArray[np.float32] = np.concatenate(found).swapaxes(0, 1)
        return joined

    def classes(self, features: NDArray[np.float32]) -> NDArray[np.int8]:
        """Most probable label of each voxel, ``[N, F]`` to ``[D, N]``."""
        labels: NDArray[np.int8] = self.labels[self.probabilities(features).argmax(axis=-1)]
        return labels

    def _of_part(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        width = len(self.depths) * len(self.labels)
        total = np.zeros((len(features), width), np.float32)
        for tree, above, shares in zip(self._trees, self._above, self._shares, strict=True):
            # What each leaf answers at all depths, side by side: one reading for each voxel.
            answers = shares[above].reshape(-1, width)
            total += answers.take(tree.apply(features), axis=0)
        total /= len(self._trees)
        return total.reshape(-1, len(self.depths), len(self.labels))


def nodes_at_depths(
    left: NDArray[np.intp], right: NDArray[np.intp], depths: Sequence[int]
) -> NDArray[np.int32]:
    """The node that a way from the root to each node has passed at each depth, ``[nodes, D]``.

    Args:
        left: Child of each node where a feature is small, or -1, as in scikit-learn's trees.
        right: The other child.
        depths: Of the root is 0. A node that is less deep stands for itself.
    """
    passed = np.repeat(np.arange(len(left), dtype=np.int32)[:, None], len(depths), axis=1)
    level, depth = np.zeros(1, np.intp), 0
    while level.size:
        inner = level[left[level] >= 0]
        deep_enough = np.asarray(depths) <= depth
        for children in (left[inner], right[inner]):
            passed[np.ix_(children, deep_enough)] = passed[np.ix_(inner, deep_enough)]
        level, depth = np.concatenate([left[inner], right[inner]]), depth + 1
    return passed


def _shares(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of each class among the voxels that reached each node in training, ``[nodes, C]``."""
    shares: NDArray[np.float32] = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
