"""Fitted regressions as arrays, and weights that even a training set out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVR

from qc.graded.balance import BINS, bins_of
from semiqc.measuring.means import means_of_known

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Machine:
    """A fitted regression as plain arrays, which is all that predicting needs.

    Args:
        vectors: Support vectors, ``[V, n]``; none where one number fits all.
        weights: Their dual coefficients, ``[V]``.
        intercept: ``[1]``.
        gamma: Of the kernel, ``[1]``.
    """

    vectors: Array
    weights: Array
    intercept: Array
    gamma: Array

    def predict(self, given: Array) -> Array:
        """One number for each row of ``given [N, n]``: ``[N]``."""
        if not len(self.weights):
            return np.repeat(self.intercept, len(given))
        kernel = rbf_kernel(given, self.vectors, gamma=float(self.gamma[0]))
        return np.asarray(kernel @ self.weights + self.intercept)


def machine_of(regression: SVR) -> Machine:
    """What scikit-learn's fitted regression with an RBF kernel and a numeric gamma has learned."""
    return Machine(
        np.array(regression.support_vectors_, dtype=np.float64),
        np.array(regression.dual_coef_[0], dtype=np.float64),
        np.array(regression.intercept_, dtype=np.float64),
        np.array([regression.gamma], dtype=np.float64),
    )


def even_weights(dice: Array) -> Array:
    """Weight of each frame, of mean 1, that makes the bins of mean Dice ``[N, S]`` count alike."""
    of_bin = bins_of(means_of_known(dice, axis=1, unknown=0.0))
    weights = 1 / np.bincount(of_bin, minlength=BINS)[of_bin]
    return np.asarray(weights / weights.mean())
