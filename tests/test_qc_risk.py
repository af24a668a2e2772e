import numpy as np
import pytest

from qc.base import Quality
from qc.gates import Calibration, RiskControlled, mean_lower_bound, needed_subjects


def admitted(decisions):
    return {decision.study for decision in decisions if decision.admitted}


def test_the_bound_of_equal_values_is_where_the_money_has_grown_tenfold():
    bound = mean_lower_bound([0.9] * 20, 0.1)

    growth = 0.9 / bound - 1
    money = 0.8 * (1 + growth) ** 20 + 0.1 * (1 + growth / 2) ** 20 + 0.1 * (1 + growth / 5) ** 20
    assert money == pytest.approx(10, rel=1e-6)


def test_more_values_and_less_surety_bring_the_bound_nearer():
    values = [0.8, 0.9, 1.0, 0.85]

    bounds = [mean_lower_bound(values * times, 0.1) for times in (1, 4, 16, 64)]
    assert bounds == sorted(bounds)
    assert bounds[-1] < np.mean(values)
    assert mean_lower_bound(values, 0.05) < bounds[0] < mean_lower_bound(values, 0.2)


def test_the_order_of_values_is_of_no_account():
    values = np.random.default_rng(0).uniform(0.5, 1, 15)

    assert mean_lower_bound(values, 0.1) == pytest.approx(mean_lower_bound(values[::-1], 0.1))


@pytest.mark.parametrize("values", [[], [0.0], [0.0, 0.0]])
def test_nothing_speaks_for_nothing(values):
    assert mean_lower_bound(values, 0.1) == pytest.approx(0, abs=1e-9)


def test_one_failure_does_not_end_all_hope():
    assert mean_lower_bound([0.9] * 60 + [0.0], 0.1) > 0.6


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.beta(8, 2, n),
        lambda rng, n: (rng.random(n) < 0.8).astype(float),
        lambda rng, n: np.where(rng.random(n) < 0.1, 0.0, 8 / 9),
    ],
)
def test_the_bound_lies_above_the_mean_no_oftener_than_promised(draw):
    rng = np.random.default_rng(0)

    # Each of the distributions has mean .8; of 300 trials at alpha = .1, 30 may fail.
    failures = sum(mean_lower_bound(draw(rng, 12), 0.1) > 0.8 for _ in range(300))

    assert failures <= 30 + 2 * np.sqrt(300 * 0.1 * 0.9)


def test_the_subjects_needed_are_the_fewest_that_would_do():
    needed = needed_subjects(1.0, 0.8, 0.1)

    # .8 * 1.25^n >= 10 needs n >= log(12.5) / log(1.25) = 11.3, less what the small bets add.
    assert needed == 12 or needed == 11
    assert mean_lower_bound([1.0] * needed, 0.1) >= 0.8
    assert mean_lower_bound([1.0] * (needed - 1), 0.1) < 0.8


def test_a_promise_that_is_too_large_for_any_number_needs_none():
    assert needed_subjects(0.8, 0.8, 0.1) == 0


def test_too_few_subjects_admit_nothing_and_tell_how_many_it_takes():
    gate = RiskControlled(Calibration([0.9] * 8, [1.0] * 8), target=0.85, alpha=0.1)

    decisions = gate([Quality("a", 1.0), Quality("b", 0.2)])

    needed = needed_subjects(1.0, 0.85, 0.1)
    assert not admitted(decisions)
    assert {d.reason for d in decisions} == {
        "mean Dice of at least 0.85 with probability 0.9 needs at least"
        f" {needed} calibration subjects at Dice 1, has 8"
    }
    assert needed == 16


def test_a_calibration_of_nobody_admits_nothing():
    gate = RiskControlled(Calibration([], []))

    assert gate([Quality("a", 1.0)])[0].reason.endswith("at Dice 1, has 0")
    assert np.isnan(gate.promise.mean_dice)
    assert gate([]) == []


def test_all_is_admitted_where_all_is_good():
    scores = np.linspace(0.5, 0.9, 40)
    gate = RiskControlled(Calibration(scores.tolist(), [0.95] * 40), target=0.8)

    decisions = gate([Quality("a", 0.5), Quality("b", 0.49)])

    assert gate.promise.threshold == pytest.approx(0.5)
    assert gate.promise.subjects == 40
    assert admitted(decisions) == {"a"}
    assert decisions[1].reason == (
        "score 0.490 is below 0.500; mean Dice of at least 0.8 with probability 0.9, for"
        " 40 calibration subjects reach it with 0.950"
    )


def test_the_threshold_falls_while_the_bound_is_kept_and_no_further():
    scores = np.linspace(1.0, 0.01, 100)
    dice = np.where(np.arange(100) < 50, 0.95, 0.0)
    gate = RiskControlled(Calibration(scores.tolist(), dice.tolist()), target=0.8, first_share=0.4)

    promise = gate.promise

    # The first is passed with .95 throughout; beyond the fiftieth each takes a Dice of 0 more.
    reached = dice[: promise.subjects]
    assert promise.threshold == pytest.approx(scores[promise.subjects - 1])
    assert 50 <= promise.subjects < 60
    assert mean_lower_bound(reached, 0.1) >= 0.8
    assert mean_lower_bound(dice[: promise.subjects + 1], 0.1) < 0.8


def test_a_good_few_are_not_found_again_behind_a_threshold_that_failed():
    dice = [0.5] * 20 + [1.0] * 80
    calibration = Calibration(np.linspace(1, 0.01, 100).tolist(), dice)

    # All 100 have .9, but the 20 that come first have .5.
    assert RiskControlled(calibration, first_share=0.2).promise.threshold is None
    assert RiskControlled(calibration, first_share=1.0).promise.threshold == pytest.approx(0.01)


def test_the_first_threshold_is_reached_by_as_many_as_any_promise_takes():
    scores = np.linspace(1, 0.01, 100).tolist()
    gate = RiskControlled(Calibration(scores, [1.0] * 100), target=0.8, first_share=0.05)

    # Five subjects could not speak for .8 even at Dice 1.
    assert gate.promise.threshold == pytest.approx(0.01)


def test_enough_subjects_of_too_low_dice_are_told_apart_from_too_few():
    low = RiskControlled(Calibration([0.9] * 30, [0.7] * 30), target=0.8)
    few = RiskControlled(Calibration([0.9] * 14, [0.9] * 14), target=0.8)

    assert low.promise.words.endswith("the best 30 calibration subjects have 0.700")
    enough = needed_subjects(0.9, 0.8, 0.1)
    assert few.promise.words.endswith(f"; about {enough} like these would do")
    assert mean_lower_bound([0.9] * enough, 0.1) >= 0.8


def test_studies_of_one_subject_count_as_one():
    scores, dice = [0.9] * 40, [1.0] * 40
    subjects = [f"s{number % 4}" for number in range(40)]

    promise = RiskControlled(Calibration(scores, dice, subjects)).promise

    assert promise.threshold is None
    assert promise.words.endswith("has 4")


def test_a_subject_has_the_mean_of_its_studies_that_reach_a_threshold():
    calibration = Calibration([0.9, 0.5, 0.7], [1.0, 0.4, 0.6], ["x", "x", "y"])

    found = [(threshold, means.tolist()) for threshold, means in calibration.by_threshold()]

    assert found == [(0.9, [1.0]), (0.7, [1.0, 0.6]), (0.5, [0.7, 0.6])]


def test_the_promise_is_kept_as_often_as_promised():
    rng = np.random.default_rng(1)
    target, alpha, kept = 0.8, 0.2, 0

    for _ in range(100):
        # True Dice is about the score; the mean above a score s is (1 + s) / 2.
        scores = rng.random(60)
        dice = np.clip(scores + rng.uniform(-0.1, 0.1, 60), 0, 1)
        gate = RiskControlled(
            Calibration(scores.tolist(), dice.tolist()), target, alpha, first_share=0.3
        )
        threshold = gate.promise.threshold
        kept += threshold is None or (1 + threshold) / 2 >= target - 0.005

    assert kept >= 100 * (1 - alpha)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Calibration([0.5], []), "got 1 scores, 0 Dice and 0 subjects"),
        (lambda: Calibration([0.5], [0.5], ["a", "b"]), "got 1 scores, 1 Dice and 2 subjects"),
        (lambda: Calibration([0.5], [float("nan")]), r"a Dice must lie in \[0, 1\], got nan"),
        (lambda: Calibration([1.5], [0.5]), r"a score must lie in \[0, 1\], got 1.5"),
        (lambda: RiskControlled(Calibration([], []), target=1), r"target must lie in \(0, 1\)"),
        (lambda: RiskControlled(Calibration([], []), alpha=0), r"alpha must lie in \(0, 1\)"),
        (lambda: RiskControlled(Calibration([], []), first_share=0), "first_share must lie"),
    ],
)
def test_a_senseless_setting_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
