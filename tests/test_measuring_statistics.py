import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from semiqc.measuring.bootstrap import gap_closed
from semiqc.measuring.statistics import (
    agree,
    compare,
    holm,
    interval_of_mean,
    pearson,
    separation_p,
    spearman,
    summarise,
)

NAN = math.nan
BEFORE = {"a": 0.70, "b": 0.80, "c": 0.75, "d": 0.60, "e": 0.90, "f": 0.82, "g": 0.71}
AFTER = {"a": 0.74, "b": 0.81, "c": 0.80, "d": 0.68, "e": 0.89, "f": 0.85, "g": 0.73}


def test_a_comparison_is_paired_by_study_not_by_order():
    found = compare(dict(reversed(AFTER.items())), BEFORE)
    a, b = np.array(list(AFTER.values())), np.array(list(BEFORE.values()))
    assert found.n == 7
    assert found.mean_difference == pytest.approx((a - b).mean())
    assert found.t_p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(a - b).pvalue)
    assert found.interval == pytest.approx(stats.ttest_rel(a, b).confidence_interval(0.95))


def test_an_interval_holds_zero_exactly_when_the_t_test_is_not_significant():
    for shift in np.linspace(-0.05, 0.05, 21):
        found = compare({k: v + shift for k, v in AFTER.items()}, BEFORE)
        assert (found.interval[0] <= 0 <= found.interval[1]) == (found.t_p >= 0.05)


def test_studies_without_a_partner_are_left_out_and_counted():
    found = compare(AFTER | {"g": NAN, "only after": 0.5}, BEFORE | {"f": math.inf})
    assert (found.n, found.missing) == (5, 3)
    assert math.isfinite(found.mean_difference)


def test_a_study_that_is_missing_on_both_sides_is_no_loss():
    assert compare(AFTER | {"x": NAN}, BEFORE | {"x": NAN}).missing == 0


@pytest.mark.parametrize(
    ("after", "before", "note"),
    [
        ({}, {}, "no study has both values"),
        ({"a": 0.5}, {"b": 0.5}, "no study has both values"),
        ({"a": 0.5}, {"a": 0.25}, "only one study"),
        (BEFORE, BEFORE, "no study differs"),
        (
            {name: value + 0.1 for name, value in BEFORE.items()},
            BEFORE,
            "every study differs by the same amount",
        ),
    ],
)
def test_what_cannot_be_tested_is_nan_with_a_reason(after, before, note):
    found = compare(after, before)
    assert math.isnan(found.t_p)
    assert found.note == note


def test_few_pairs_are_said_to_limit_the_wilcoxon_test():
    names = ("a", "b", "c", "d")
    found = compare({n: AFTER[n] for n in names}, {n: BEFORE[n] for n in names})
    assert found.wilcoxon_p == pytest.approx(2.0**-3)
    assert "0.12" in found.note


def test_a_summary_leaves_out_what_is_not_finite_and_counts_it():
    found = summarise([1.0, NAN, 3.0, math.inf])
    assert (found.n, found.missing, found.mean) == (2, 2, 2.0)
    assert found.sd == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("values", [[], [1.0], [NAN, 1.0]])
def test_fewer_than_two_values_have_no_interval(values):
    assert all(math.isnan(end) for end in interval_of_mean(values))


def test_intervals_of_normal_samples_hold_the_true_mean_nineteen_times_in_twenty():
    samples = np.random.default_rng(0).normal(3, 2, size=(2000, 6))
    held = [low <= 3 <= high for low, high in map(interval_of_mean, samples)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_holm_multiplies_the_smallest_most_and_never_reverses_the_order():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_holm_does_not_count_what_could_not_be_tested():
    adjusted = holm([NAN, 0.02])
    assert math.isnan(adjusted[0])
    assert adjusted[1] == pytest.approx(0.02)


@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_holm_agrees_with_statsmodels(number):
    p_values = np.random.default_rng(number).uniform(0, 0.2, number).tolist()
    _, expected, *_ = multipletests(p_values, method="holm")
    assert holm(p_values) == pytest.approx(expected.tolist())


def test_agreement_has_the_sign_of_automatic_less_manual():
    manual = {"a": 100.0, "b": 150.0, "c": 125.0}
    found = agree({"a": 103.0, "b": 152.0, "c": 126.0}, manual)
    assert found.bias == pytest.approx(2)
    assert found.limits == pytest.approx((2 - 1.96, 2 + 1.96))
    assert found.mean_absolute_error == pytest.approx(2)
    assert found.correlation > 0.99


def test_a_measure_that_failed_is_counted_as_missing():
    found = agree({"a": 103.0, "b": NAN}, {"a": 100.0, "b": 150.0})
    assert (found.n, found.missing) == (1, 1)
    assert math.isnan(found.correlation)


def test_correlations_follow_value_and_rank():
    x, y = [1.0, 2.0, 3.0, 4.0, NAN], [1.0, 4.0, 9.0, 100.0, 5.0]
    assert spearman(x, y).coefficient == pytest.approx(1)
    assert pearson(x, y).coefficient == pytest.approx(stats.pearsonr(x[:4], y[:4]).statistic)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [3.0, 3.0, 3.0]])
def test_too_few_or_constant_values_have_no_correlation(values):
    assert math.isnan(pearson(values, list(range(len(values)))).coefficient)


def test_separation_needs_two_groups_that_differ_somewhere():
    assert math.isnan(separation_p([], [1.0]))
    assert math.isnan(separation_p([1.0, 1.0], [1.0]))
    assert separation_p([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, NAN]) < 0.1


def test_the_share_of_the_gap_is_of_the_means():
    low = BEFORE
    high = {name: value + 0.1 + 0.01 * i for i, (name, value) in enumerate(low.items())}
    half = {name: (low[name] + high[name]) / 2 for name in low}
    found = gap_closed(half, low, high)
    assert found.mean == pytest.approx(0.5)
    assert found.interval == pytest.approx((0.5, 0.5))
    assert gap_closed(AFTER, low, high) == gap_closed(AFTER, low, high)


def test_there_is_no_share_of_a_gap_that_is_not_clear():
    assert math.isfinite(gap_closed(AFTER, BEFORE, AFTER).mean)
    assert math.isnan(gap_closed(AFTER, BEFORE, BEFORE).mean)
    assert math.isnan(gap_closed(AFTER, AFTER, BEFORE).mean)
    assert math.isnan(gap_closed({}, {}, {}).mean)


def test_the_interval_of_the_share_is_the_percentiles_of_means_of_drawn_studies():
    high = {name: value + 0.1 + 0.02 * (i % 3) for i, (name, value) in enumerate(BEFORE.items())}
    rows = np.array([[AFTER[name], BEFORE[name], high[name]] for name in BEFORE])
    times = np.random.default_rng(3).multinomial(7, np.full(7, 1 / 7), size=2000)
    drawn = times @ rows / 7
    shares = (drawn[:, 0] - drawn[:, 1]) / (drawn[:, 2] - drawn[:, 1])

    found = gap_closed(AFTER, BEFORE, high, seed=3)

    assert found.interval == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=1e-12)
    assert found.sd == pytest.approx(shares.std(ddof=1), abs=1e-12)


def test_ties_and_studies_that_do_not_differ_are_no_trouble():
    before = dict.fromkeys("abcdefgh", 0.5)
    after = before | {"a": 0.75, "b": 0.75, "c": 0.25}
    found = compare(after, before)
    assert 0 < found.wilcoxon_p <= 1
    assert 0 < found.t_p <= 1


def test_what_differs_by_rounding_alone_is_constant():
    values = [0.1 + 0.2, 0.3, 0.3, 0.3]
    assert math.isnan(pearson(values, [1.0, 2.0, 3.0, 4.0]).coefficient)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("studies", [6, 8])
def test_wilcoxons_p_with_ties_and_zeros_is_that_of_scipy(studies, seed):
    generator = np.random.default_rng(seed)
    differences = generator.integers(-3, 6, studies) / 8
    differences[:2] = 0.0, 0.25
    values = {str(n): float(one) for n, one in enumerate(differences)}

    found = compare(values, dict.fromkeys(values, 0.0))

    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-12)
