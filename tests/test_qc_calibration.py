"""Calibration of estimates, and intervals that keep their promise."""

import math

import numpy as np
import pytest

from qc.base import Graded, Quality
from qc.consensus.calibration import calibration, dice_said, true_dice
from qc.consensus.conformal import Conformal, reach_of
from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.study import Prediction


def graded(study, labels, reference, dice=None):
    labels = np.asarray(labels, np.int8).reshape(len(labels), 1, 1, -1)
    reference = np.asarray(reference, np.int8).reshape(labels.shape)
    image = np.zeros((1, *labels.shape), np.float32)
    return Graded(Prediction(study, image, labels, (1.0, 1.0, 1.0)), reference, dice=dice)


def test_no_pairs_leave_estimates_as_they_are():
    unchanged = calibration([], [])

    assert unchanged([0.0, 0.3, 1.0]).tolist() == [0.0, 0.3, 1.0]
    assert np.isnan(unchanged(np.nan))


def test_few_pairs_teach_a_shift_drawn_to_nought():
    shifted = calibration([0.5, 0.6, 0.7], [0.7, 0.8, 0.9])

    # .2 of three pairs and nothing of one more.
    assert shifted(0.6) == pytest.approx(0.75)
    assert shifted(0.5) == pytest.approx(0.65)
    assert shifted(0.0) == 0


def test_steps_of_an_isotonic_fit_are_drawn_to_their_centres():
    estimated = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    true = [0.0, 0.1, 0.3, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85]

    curve = calibration(estimated, true)

    # .3 and .4 pool to .25 at .35; beyond the end the slope is 1.
    assert curve(0.35) == pytest.approx(0.25)
    assert curve(0.425) == pytest.approx((0.25 + 0.4) / 2)
    assert curve(1.0) == pytest.approx(0.9)
    assert curve(0.0) == 0


def test_a_calibration_never_falls_and_stays_in_range():
    rng = np.random.default_rng(0)
    estimated = rng.random(200)
    curve = calibration(estimated, np.clip(estimated**3 + rng.normal(0, 0.3, 200), 0, 1))

    found = curve(np.linspace(0, 1, 101))

    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_pairs_that_are_not_known_and_have_no_weight_teach_nothing():
    nan = float("nan")
    curve = calibration([0.5, nan, 0.5, 0.5], [0.7, 0.1, nan, 0.0], [1.0, 1.0, 1.0, 0.0])

    assert curve(0.5) == pytest.approx(0.6)


def test_doubt_draws_a_curve_to_the_estimates():
    estimated, true = np.linspace(0.1, 1, 10), np.linspace(0.1, 1, 10) / 2

    curve = calibration(estimated, true, np.full(10, 0.3), prior=1.0)

    # Pairs of weight 3 say .4 of .8, the doubt of weight 1 says .8.
    assert curve(0.8) == pytest.approx((3 * 0.4 + 0.8) / 4)


def test_truth_is_the_mean_over_frames_with_a_reference():
    half = graded("a", [[3, 3, 0], [3, 3, 0], [3, 3, 0]], [[3, 0, 0], [3, 3, 0], [-1, -1, -1]])
    lost = graded("b", [[0, 0, 0]], [[3, 1, 0]])
    verdict = Graded(half.prediction, is_good=True)
    known = graded("c", [[3, 3, 0]], [[3, 3, 0]], dice=np.array([[0.3, np.nan, 0.5]]))

    found = true_dice([half, lost, verdict, known], SHORT_AXIS)

    # Of LV 2/3 and 1; RV is missed in b; MYO is nowhere.
    np.testing.assert_allclose(
        found,
        [
            [5 / 6, np.nan, np.nan],
            [0, np.nan, 0],
            [np.nan] * 3,
            [0.3, np.nan, 0.5],
        ],
    )
    assert UNLABELLED == -1


def test_the_score_stands_in_for_a_dice_that_is_not_told():
    said = dice_said([Quality("a", 0.4, dice={"LV": 0.9}), None], SHORT_AXIS)

    np.testing.assert_array_equal(said, [[0.9, 0.4, 0.4], [np.nan] * 3])


def test_doubt_draws_a_curve_to_the_estimates_themselves():
    steps = 0.1 * np.arange(10)

    curve = calibration(0.5 * steps + 0.4, steps, prior=15.0)

    # .6 was .4 in truth: ten studies, against a doubt of fifteen.
    assert curve(0.6) == pytest.approx((10 * 0.4 + 15 * 0.6) / 25)


@pytest.mark.parametrize(
    ("count", "level", "expected"),
    [(9, 0.9, 9), (19, 0.9, 18), (10, 0.8, 9), (8, 0.9, math.inf), (0, 0.5, math.inf)],
)
def test_reach_is_the_finite_sample_quantile(count, level, expected):
    errors = np.arange(1.0, count + 1)

    # ceil((n + 1) level)-th smallest, and infinity where that is beyond the n-th.
    assert reach_of(errors, [f"{n}" for n in range(count)], level) == expected


def test_many_segmentations_of_a_subject_count_as_one():
    errors = [0.1] * 50 + [0.5]
    subjects = ["a"] * 50 + ["b"]

    # Masses of 1/3 for each subject: .1 covers one third, .5 two, infinity the rest.
    assert reach_of(errors, subjects, 0.3) == 0.1
    assert reach_of(errors, subjects, 0.6) == 0.5
    assert reach_of(errors, subjects, 0.7) == math.inf


def test_errors_that_are_not_known_are_left_out():
    assert reach_of([0.2, np.nan], ["a", "b"], 0.5) == 0.2


def column(*values):
    return np.array(values, dtype=float)[:, None]


def test_intervals_lie_around_the_estimate_and_within_the_range():
    fitted = Conformal.of(column(0.5, 0.6, 0.7), column(0.4, 0.6, 0.9), ["a", "b", "c"], 0.75)

    # The largest of three errors is .2.
    found = fitted.intervals(np.array([[0.5], [0.9]]))

    np.testing.assert_allclose(found[:, 0], [[0.3, 0.7], [0.7, 1.0]])


def test_too_few_subjects_promise_nothing_but_the_whole_range():
    fitted = Conformal.of(column(0.5), column(0.5), ["a"], 0.9)

    assert fitted.intervals(np.array([0.5])).tolist() == [[0, 1]]
    assert fitted.intervals(np.array([np.nan])).tolist() == [[0, 1]]


def test_a_one_sided_interval_ends_at_one_and_forgives_too_low_estimates():
    fitted = Conformal.of(
        column(0.5, 0.6, 0.7), column(0.9, 0.5, 0.65), ["a", "b", "c"], 0.75, one_sided=True
    )

    np.testing.assert_allclose(fitted.intervals(np.array([0.8])), [[0.7, 1.0]])


def test_a_scale_makes_intervals_of_what_is_harder_longer():
    fitted = Conformal.of(
        column(0.5, 0.5, 0.5), column(0.4, 0.3, 0.5), ["a", "b", "c"], 0.75,
        scale=column(0.1, 0.2, 0.1),
    )  # fmt: skip

    found = fitted.intervals(np.array([[0.5], [0.5]]), scale=column(0.1, 0.3))

    np.testing.assert_allclose(found[:, 0], [[0.4, 0.6], [0.2, 0.8]])


def test_a_group_has_its_own_interval_unless_it_is_too_small():
    true = column(0.5, 0.5, 0.5, 0.5, 0.5)
    estimated = column(0.6, 0.6, 0.6, 0.6, 0.9)
    subjects, groups = list("abcde"), ["DCM", "DCM", "DCM", "DCM", "HCM"]

    fitted = Conformal.of(estimated, true, subjects, 0.8, groups=groups)
    back = Conformal.from_arrays(fitted.arrays())

    # Five of six subjects are needed of all: .4; four of five of DCM: .1.
    assert back.small_groups == ("HCM",)
    estimate = np.array([0.5])
    np.testing.assert_allclose(back.intervals(estimate, group="DCM"), [[0.4, 0.6]])
    np.testing.assert_allclose(back.intervals(estimate, group="HCM"), [[0.1, 0.9]])
    np.testing.assert_allclose(back.intervals(estimate, group="new"), [[0.1, 0.9]])


def test_a_level_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"level must lie within 0 and 1, got 1\.0"):
        Conformal.of(column(0.5), column(0.5), ["a"], 1.0)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_the_promise_is_kept_for_new_subjects(level):
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(300):
        # Errors of 21 subjects, four segmentations each, alike within a subject.
        errors = rng.normal(0, 0.1, (21, 1)) + rng.normal(0, 0.03, (21, 4))
        true = np.full((21, 4), 0.5)
        names = np.repeat([f"{n}" for n in range(20)], 4).tolist()
        fitted = Conformal.of(
            (true + errors)[:20].reshape(-1, 1), true[:20].reshape(-1, 1), names, level
        )
        low, high = fitted.intervals((true + errors)[20].reshape(-1, 1))[:, 0].T
        covered.append(np.mean((low <= 0.5) & (high >= 0.5)))

    # 300 draws: two standard errors are at most .05.
    assert np.mean(covered) > level - 0.03
