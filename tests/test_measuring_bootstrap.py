import math

import numpy as np
import pytest

from semiqc.measuring.bootstrap import bootstrap_difference
from semiqc.measuring.statistics import interval_of_mean

RNG = np.random.default_rng(5)
STUDIES = RNG.normal(0.8, 0.1, size=(40, 1))


def test_what_studies_have_in_common_does_not_widen_the_interval():
    change = RNG.normal(0.02, 0.01, size=(40, 1))
    low, high = bootstrap_difference(STUDIES + change, STUDIES)

    assert (low, high) == pytest.approx(interval_of_mean(change[:, 0]), abs=1e-3)


def test_seeds_that_differ_widen_the_interval():
    of_seed = np.array([[-0.03, 0.0, 0.03]])
    alike = bootstrap_difference(np.repeat(STUDIES, 3, axis=1), STUDIES)
    apart = bootstrap_difference(STUDIES + of_seed, STUDIES)

    assert alike == pytest.approx((0, 0), abs=1e-9)
    # The mean of three seeds drawn with replacement has an SD of .0245 / sqrt(3).
    assert apart == pytest.approx((-0.028, 0.028), abs=0.003)


def test_seeds_are_drawn_for_each_condition_by_itself():
    of_seed = np.array([[-0.03, 0.0, 0.03]])
    low, high = bootstrap_difference(STUDIES + of_seed, STUDIES + of_seed)

    assert high - low > 0.05


def test_the_same_draws_give_the_same_interval():
    other = RNG.normal(0.8, 0.1, size=(40, 2))

    assert bootstrap_difference(STUDIES, other) == bootstrap_difference(STUDIES, other)
    assert bootstrap_difference(STUDIES, other, seed=1) != bootstrap_difference(STUDIES, other)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"of the same studies, got \(40, 1\), \(39, 1\)"):
        bootstrap_difference(STUDIES, STUDIES[1:])
    with pytest.raises(ValueError, match="a figure of every seed"):
        bootstrap_difference(np.where(STUDIES > 0.8, np.nan, STUDIES), STUDIES)
    assert all(map(math.isnan, bootstrap_difference(STUDIES[:1], STUDIES[:1])))
