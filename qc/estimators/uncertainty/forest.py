"""A fitted random forest as plain arrays, which is all that predicting needs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor


@dataclass(frozen=True, eq=False)
class ForestTables:
    """The nodes of all trees, one tree after the other.

    Args:
        roots: Of each tree, ``[T]``.
        left: Node where a feature is not above the threshold, ``[N]``; the node itself in leaves.
        right: Node where it is, ``[N]``; likewise.
        feature: That is asked for, ``[N]``.
        threshold: ``[N]``.
        values: Mean of the targets that reached each node, ``[N, K]``.
    """

    roots: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, forest: RandomForestRegressor) -> Self:
        """What scikit-learn has fitted."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        left, right, feature = [], [], []
        for root, tree in zip(roots, trees, strict=True):
            own = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            left.append(root + np.where(leaf, own, tree.children_left))
            right.append(root + np.where(leaf, own, tree.children_right))
            feature.append(np.where(leaf, 0, tree.feature))
        return cls(
            roots.astype(np.int32),
            np.concatenate(left).astype(np.int32),
            np.concatenate(right).astype(np.int32),
            np.concatenate(feature).astype(np.int32),
            np.concatenate([tree.threshold for tree in trees]),
            np.concatenate([tree.value[:, :, 0] for tree in trees]),
        )

    @classmethod
    def constant(cls, values: NDArray[np.float64]) -> Self:
        """One that always answers the same, ``[K]``."""
        nowhere = np.zeros(1, np.int32)
        return cls(nowhere, nowhere, nowhere, nowhere, np.zeros(1), values[None])

    def predict(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean answer of the trees to each row of ``[n, F]``: ``[n, K]``."""
        # Thresholds were chosen between numbers of single precision.
        rows = given.astype(np.float32)
        nodes = np.tile(self.roots, (len(rows), 1))
        while True:
            asked = np.take_along_axis(rows, self.feature[nodes], axis=1)
            following = np.where(
                asked <= self.threshold[nodes], self.left[nodes], self.right[nodes]
            )
            if np.array_equal(following, nodes):
                break
            nodes = following
        answers: NDArray[np.float64] = self.values[nodes].mean(axis=1)
        return answers

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """To be stored, under names that begin with ``name``."""
        return {f"{name}/{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Self:
        """What ``arrays`` gave."""
        return cls(*(np.asarray(arrays[f"{name}/{field.name}"]) for field in fields(cls)))
