"""A fitted support vector regression as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVR

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedSVR:
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


def fitted_svr(regression: SVR) -> FittedSVR:
    """What scikit-learn's fitted regression with an RBF kernel and a numeric gamma has learned."""
    return FittedSVR(
        np.array(regression.support_vectors_, dtype=np.float64),
        np.array(regression.dual_coef_[0], dtype=np.float64),
        np.array(regression.intercept_, dtype=np.float64),
        np.array([regression.gamma], dtype=np.float64),
    )
