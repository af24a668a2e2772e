import numpy as np
import pytest

from qc.estimators.curve.threshold import weighted_youden


def cut(good, erroneous, weight):
    scores = np.array([*good, *erroneous])
    is_good = np.array([True] * len(good) + [False] * len(erroneous))
    return weighted_youden(scores, is_good, weight)


def test_separable_scores_are_cut_halfway():
    found = cut([0.8, 0.9], [0.1, 0.4], 0.5)

    assert found.threshold == pytest.approx(0.6)
    assert (found.sensitivity, found.specificity, found.auc) == (1, 1, 1)


def test_the_weight_decides_between_missing_an_error_and_a_false_alarm():
    # Cutting below .5 misses one of two errors; cutting above .7 calls two of four good ones.
    good, erroneous = [0.5, 0.6, 0.8, 0.9], [0.1, 0.7]

    balanced = cut(good, erroneous, 0.3)
    sensitive = cut(good, erroneous, 0.75)

    assert (balanced.sensitivity, balanced.specificity) == (0.5, 1)
    assert balanced.threshold == pytest.approx(0.3)
    assert (sensitive.sensitivity, sensitive.specificity) == (1, 0.5)
    assert sensitive.threshold == pytest.approx(0.75)
    # Of the 8 pairs, an error ranks below a good one in 4 + 2.
    assert sensitive.auc == balanced.auc == pytest.approx(6 / 8)


def test_among_equals_the_most_sensitive_cut_wins():
    # A cut at .3 (half, all) and one at .7 (all, half) both have J = .5.
    found = cut([0.5, 0.8], [0.1, 0.6], 0.5)

    assert (found.sensitivity, found.specificity) == (1, 0.5)


def test_the_figures_are_those_of_the_rule_that_a_score_below_is_erroneous():
    rng = np.random.default_rng(0)
    good, erroneous = rng.beta(4, 2, 60).round(2), rng.beta(2, 3, 40).round(2)

    for weight in (0.1, 0.5, 0.9):
        found = cut(good, erroneous, weight)
        assert found.sensitivity == pytest.approx((erroneous < found.threshold).mean())
        assert found.specificity == pytest.approx((good >= found.threshold).mean())


def test_equal_scores_are_never_parted():
    found = cut([0.5, 0.5], [0.5], 0.75)

    assert (found.sensitivity, found.specificity) == (1, 0)
    assert 0.5 < found.threshold <= 1


@pytest.mark.parametrize("is_good", [True, False])
def test_one_kind_alone_has_no_threshold(is_good):
    with pytest.raises(ValueError, match="needs good and erroneous predictions"):
        weighted_youden(np.array([0.2, 0.3]), np.array([is_good, is_good]), 0.5)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_weight_that_forgets_one_side_is_refused(weight):
    with pytest.raises(ValueError, match=r"sensitivity_weight must lie in \(0, 1\)"):
        cut([0.9], [0.1], weight)
