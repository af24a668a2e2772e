"""Conformal intervals beside those of MAPIE."""

import numpy as np
import pytest
from mapie.regression import SplitConformalRegressor
from sklearn.base import BaseEstimator, RegressorMixin

from qc.consensus.conformal import Conformal


class AsEstimated(RegressorMixin, BaseEstimator):
    """Predicts what it is given, so that MAPIE calibrates the estimates themselves."""

    n_features_in_ = 1

    def fit(self, X, y):  # noqa: N803
        return self

    def predict(self, X):  # noqa: N803
        return X[:, 0]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("subjects", [20, 37, 100])
def test_intervals_of_one_structure_are_those_of_mapie(level, subjects):
    generator = np.random.default_rng(subjects)
    true = generator.uniform(0.4, 0.6, subjects)
    estimated = true + generator.normal(0, 0.05, subjects)
    new = np.array([0.45, 0.5, 0.55])
    theirs = SplitConformalRegressor(AsEstimated(), confidence_level=level)
    theirs.conformalize(estimated[:, None], true)

    names = [str(number) for number in range(subjects)]
    ours = Conformal.of(estimated[:, None], true[:, None], names, level)

    _, expected = theirs.predict_interval(new[:, None])
    assert ours.intervals(new[:, None])[:, 0] == pytest.approx(expected[:, :, 0])
