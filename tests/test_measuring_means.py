import math

import numpy as np

from semiqc.measuring.means import mean_of_known, means_of_known


def test_the_mean_passes_over_nan():
    assert mean_of_known([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(mean_of_known([math.nan]))
    assert math.isnan(mean_of_known([]))


def test_means_along_an_axis_pass_over_nan():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])

    np.testing.assert_array_equal(means_of_known(values), [2.0, np.nan])
    np.testing.assert_array_equal(means_of_known(values, axis=1), [1.0, 3.0, np.nan])
    np.testing.assert_array_equal(means_of_known(values, axis=1, unknown=0.0), [1.0, 3.0, 0.0])
