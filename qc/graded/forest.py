"""Segmentations by a random forest of voxels whose trees are followed only to a certain depth."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.parallel import Parallel, delayed

from qc.graded.source import Made
from semiqc.schemes import BACKGROUND
from semiqc.study import Study

SMOOTHING_MM = (1.5, 3.0, 6.0, 12.0)
GRADIENT_MM = 4.0
BOXES_MM = (10.0, 20.0, 40.0)
CONTEXT_MM = (20.0, 40.0)
"""How far from the voxel the boxes lie that tell what surrounds it; as wide as ``BOXES_MM[1]``."""
VOXELS_AT_ONCE = 32_768
STRUCTURES_SHARE = 1 / 3
"""Of the voxels that are learned from; fewer leave shallow cuts empty, more fill the image."""


@dataclass(frozen=True)
class ForestSource:
    """One forest, trained to full depth; each depth at which its trees are cut segments anew.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, section 2:
        a forest of 350 trees and depth 40, used at depths 2, 4, 6, 8, 10, 15, 20, 24, 36 and 40.
        https://doi.org/10.1007/978-3-030-00937-3_66
        Ours: the paper does not name its features; these are those of ``voxel_features``. The
        forest learns from a draw of voxels, a third of them of structures. Eight depths.

    Args:
        trees: Of the forest.
        depths: At which it is cut, the largest being the depth to which it is trained.
        voxels_per_frame: That it learns from, at most.
        min_samples_leaf: Voxels of a leaf, at least.
        n_jobs: Threads; -1 for one per core.
        seed: Of the draw and the forest.

    Raises:
        ValueError: If there are no depths, or one is negative.
    """

    trees: int = 350
    depths: tuple[int, ...] = (2, 4, 6, 8, 12, 16, 24, 40)
    voxels_per_frame: int = 1_000
    min_samples_leaf: int = 1
    n_jobs: int = -1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.depths or min(self.depths) < 0:
            raise ValueError(f"depths must be at least one, each 0 or more, got {self.depths}")

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """See ``Source``.

        Raises:
            ValueError: If no study of ``train`` has a label, or modalities differ.
        """
        forest = CutForest(self._fitted(train), self.depths, self.n_jobs)
        for study in judged:
            for frame in study.labelled_frames:
                features = voxel_features(study.image[:, frame], study.spacing)
                classes = forest.classes(features).reshape(-1, *study.labels.shape[1:])
                for depth, labels in zip(self.depths, classes, strict=True):
                    yield Made(study, frame, labels, f"forest-depth{depth:02d}")

    def _fitted(self, train: Sequence[Study]) -> RandomForestClassifier:
        drawn = [self._drawn(study, t) for study in train for t in study.labelled_frames]
        if not drawn:
            raise ValueError(
                f"a forest needs at least one labelled frame, got none in {len(train)} studies"
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
        return forest.fit(features, labels)

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


def voxel_features(
    image: NDArray[np.float32], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """What the forest sees of each voxel.

    Of each modality, in the plane of the slice: its intensity; the intensity under Gaussians of
    ``SMOOTHING_MM``; the strength of the gradient and its two parts, at ``GRADIENT_MM``; means in
    boxes of ``BOXES_MM``; means in boxes at ``CONTEXT_MM`` above, below, left and right; and the
    smoothed intensity in the slices before and after. Then the voxel's place: row and column from
    the image's centre in mm, and the slice from -1 to 1.

    Args:
        image: ``[M, Z, Y, X]``.
        spacing: In mm, ordered ``(z, y, x)``.

    Returns:
        ``[Z * Y * X, F]``, the voxels in the order of the array.
    """
    maps = [found for modality in image for found in _appearance(modality, spacing)]
    shape = image.shape[1:]
    offsets = [np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in shape]
    units = (2 / max(1, shape[0] - 1), spacing[1], spacing[2])
    places = np.meshgrid(*(o * u for o, u in zip(offsets, units, strict=True)), indexing="ij")
    features = [found.ravel() for found in (*maps, *places)]
    return np.stack(features, axis=1).astype(np.float32)


def _appearance(
    volume: NDArray[np.float32], spacing: tuple[float, float, float]
) -> list[NDArray[np.float32]]:
    """The features of one modality, ``[Z, Y, X]`` each."""

    def in_plane(mm: float) -> tuple[float, float, float]:
        return (0.0, mm / spacing[1], mm / spacing[2])

    smooth = [ndimage.gaussian_filter(volume, in_plane(mm)) for mm in SMOOTHING_MM]
    at_gradient = in_plane(GRADIENT_MM)
    rows = ndimage.gaussian_filter(volume, at_gradient, order=(0, 1, 0))
    columns = ndimage.gaussian_filter(volume, at_gradient, order=(0, 0, 1))
    boxes = [
        ndimage.uniform_filter(volume, [max(1, round(n)) for n in in_plane(mm)], mode="nearest")
        for mm in BOXES_MM
    ]
    around = [
        _displaced(boxes[1], axis, round(sign * mm / spacing[axis]))
        for mm in CONTEXT_MM
        for axis in (1, 2)
        for sign in (-1, 1)
    ]
    beside = [_displaced(smooth[1], 0, step) for step in (-1, 1)]
    return [volume, *smooth, np.hypot(rows, columns), rows, columns, *boxes, *around, *beside]


def _displaced(volume: NDArray[np.float32], axis: int, voxels: int) -> NDArray[np.float32]:
    """What lies so many voxels further along an axis; the border's beyond it."""
    length = volume.shape[axis]
    return volume.take(np.clip(np.arange(length) + voxels, 0, length - 1), axis=axis)
