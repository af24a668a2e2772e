import csv
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from qc import Graded, Quality, QualityEstimator
from qc.consensus.blend import Blend
from qc.consensus.panel import Panel
from qc.evaluation import (
    aurc,
    between_grades,
    bootstrap,
    correction_effect,
    detection,
    error_map_dice,
    errors_around_half,
    evaluate,
    excess_aurc,
    failure_auroc,
    kolmogorov_smirnov,
    learning_curve,
    r_squared,
    relative_volume_error,
    risk_coverage,
    share_within,
)
from qc.evaluation.agreement import absolute_error
from qc.evaluation.markdown import markdown_of
from semiqc.images.frames import prediction_of_frame
from semiqc.schemes import UNLABELLED, LabelScheme, Structure
from semiqc.study import Prediction

NAN = float("nan")
SCHEME = LabelScheme("two", ("background", "a", "b"), (Structure("A", (1,)), Structure("B", (2,))))
TRUE = np.array([0.2, 0.4, 0.8, 1.0, NAN, 0.9])
PREDICTED = np.array([0.3, 0.4, 0.6, 0.9, 0.5, NAN])
# Errors of the four pairs: .1, 0, -.2, -.1.


def graded_of(study, a=4, b=4, **fields):
    """One frame of [2, 5, 6]: of the 4 voxels of A and B, a and b are found, as many elsewhere.

    So that Dice is a / 4 and b / 4; None where neither segmentation has the structure.
    """
    reference = np.zeros((1, 2, 5, 6), dtype=np.int8)
    labels = np.zeros_like(reference)
    for value, found, slice_ in ((1, a, 0), (2, b, 1)):
        if found is not None:
            reference[0, slice_, 1, :4] = value
            labels[0, slice_, 1, :found] = value
            labels[0, slice_, 3, : 4 - found] = value
    image = np.zeros((1, *labels.shape), dtype=np.float32)
    return Graded(Prediction(study, image, labels, (8.0, 1.5, 1.25)), reference, **fields)


class Told(QualityEstimator):
    """Says of each study what it was told to."""

    def __init__(self, scheme, qualities):
        self.scheme = scheme
        self.qualities = qualities

    def fit(self, graded):
        return self

    def predict(self, predictions):
        return [
            replace(self.qualities[prediction.study], study=prediction.study)
            for prediction in predictions
        ]

    def arrays(self):
        return {}

    def with_arrays(self, arrays):
        return self


def told(dice, **fields):
    """An estimator that says the same Dice of both structures of a study."""
    return Told(
        SCHEME,
        {
            study: Quality(study, value, dice={"A": value, "B": value}, **fields)
            for study, value in dice.items()
        },
    )


def row_of(rows, **wanted):
    if "quality" not in wanted:
        rows = [row for row in rows if row.quality != "multi_class"]
    (found,) = [r for r in rows if all(getattr(r, k) == v for k, v in wanted.items())]
    return found


def test_the_absolute_error_has_mean_and_spread_over_known_pairs():
    found = absolute_error(TRUE, PREDICTED)

    assert found.n == 4
    assert found.mean == pytest.approx((0.1 + 0 + 0.2 + 0.1) / 4)
    # Deviations from .1: 0, -.1, .1, 0.
    assert found.sd == pytest.approx(np.sqrt((0.01 + 0.01) / 3))


def test_errors_are_parted_at_a_true_quality_of_a_half():
    below, above = errors_around_half(TRUE, PREDICTED)

    assert (below.n, below.mean) == (2, pytest.approx(0.05))
    assert (above.n, above.mean) == (2, pytest.approx(0.15))
    assert errors_around_half(np.array([0.5]), np.array([0.5]))[1].n == 1


def test_r_squared_compares_with_the_mean_as_estimate():
    # Squared errors .01 + 0 + .04 + .01; around the mean .6: .16 + .04 + .04 + .16.
    assert r_squared(TRUE, PREDICTED) == pytest.approx(1 - 0.06 / 0.40)
    assert np.isnan(r_squared(np.array([0.5, 0.5]), np.array([0.1, 0.2])))


def test_the_share_within_a_tolerance_counts_errors_of_just_that_size():
    assert share_within(TRUE, PREDICTED, 0.1) == pytest.approx(3 / 4)
    assert share_within(np.array([0.9, 0.5]), np.array([0.85, 0.56])) == pytest.approx(1 / 2)


def test_detection_calls_good_what_reaches_the_threshold():
    true = np.array([0.7, 0.8, 0.9, 0.6, 0.5])
    predicted = np.array([0.9, 0.7, 0.6, 0.8, 0.1])

    found = detection(true, predicted, 0.7)

    assert found.accuracy == pytest.approx(3 / 5)
    assert found.tpr == pytest.approx(2 / 3)
    assert found.fpr == pytest.approx(1 / 2)


def test_rates_of_what_does_not_occur_are_undefined():
    good, poor = np.array([0.9, 0.8]), np.array([0.1, 0.2])

    assert np.isnan(detection(good, good, 0.7).fpr)
    assert np.isnan(detection(poor, poor, 0.7).tpr)
    assert np.isnan(failure_auroc(good, good, 0.7))
    assert np.isnan(failure_auroc(poor, poor, 0.7))


def test_auroc_is_the_share_of_pairs_in_which_the_failure_ranks_lower():
    true = np.array([0.1, 0.5, 0.8, 0.9])
    predicted = np.array([0.2, 0.6, 0.4, 0.6])

    # Of (.2 < .4), (.2 < .6), (.6 > .4), (.6 = .6): 1 + 1 + 0 + half.
    assert failure_auroc(true, predicted, 0.7) == pytest.approx(2.5 / 4)


def test_risk_is_the_mean_of_what_is_accepted_so_far():
    true = np.array([0.9, 0.5, 0.7])
    predicted = np.array([0.8, 0.6, 0.2])

    curve = risk_coverage(true, predicted)

    assert curve.coverage == pytest.approx([1 / 3, 2 / 3, 1])
    risks = [0.1, (0.1 + 0.5) / 2, (0.1 + 0.5 + 0.3) / 3]
    assert curve.risk == pytest.approx(risks)
    assert aurc(true, predicted) == pytest.approx(sum(risks) / 3)
    best = [0.1, (0.1 + 0.3) / 2, 0.3]
    assert excess_aurc(true, predicted) == pytest.approx((sum(risks) - sum(best)) / 3)


def test_the_order_of_equal_scores_does_not_matter():
    true, same = np.array([0.9, 0.5, 0.7]), np.full(3, 0.4)

    # Every choice from equals has the mean risk, 1 - .7.
    assert risk_coverage(true, same).risk == pytest.approx([0.3] * 3)
    assert aurc(true, same) == aurc(true[::-1], same)


def test_a_perfect_ranking_has_no_excess_whatever_its_scale():
    true = np.random.default_rng(0).uniform(size=20)

    assert excess_aurc(true, true**3) == pytest.approx(0)


def test_error_map_dice_compares_the_map_cut_at_a_half_with_where_both_differ():
    predicted = np.array([[[1, 1, 0, 0, 1]]], dtype=bool)
    reference = np.array([[[1, 0, 1, 0, 0]]], dtype=bool)
    known = np.array([[[1, 1, 1, 1, 0]]], dtype=bool)
    error_map = np.array([[[0.6, 0.5, 0.4, 0.1, 0.9]]], dtype=np.float16)

    # Shown: voxels 0 and 1; wrong: 1 and 2; the last is not known.
    assert error_map_dice(error_map, predicted, reference, known) == pytest.approx(2 * 1 / (2 + 2))
    nothing = np.zeros_like(error_map)
    assert error_map_dice(nothing, predicted, reference, known) == 0
    assert np.isnan(error_map_dice(nothing, reference, reference, known))


def test_the_kolmogorov_smirnov_distance_by_hand():
    # After 2, all of the first sample and a third of the second lie at or below.
    found = kolmogorov_smirnov(np.array([1.0, 2.0, NAN]), np.array([2.0, 3.0, 4.0]))

    assert found.n == (2, 3)
    assert found.statistic == pytest.approx(1 - 1 / 3)
    # Of the 10 ways to deal 5 distinct values to 2 and 3, 2 part them altogether.
    apart = kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    assert apart.p == pytest.approx(2 / 10)
    assert np.isnan(kolmogorov_smirnov(np.array([NAN]), np.array([1.0])).statistic)


def test_every_two_grades_are_compared():
    predicted = np.array([0.9, 0.8, 0.2, 0.1, 0.5])

    found = between_grades(predicted, ["QC 1", "QC 1", "QC 3", "QC 3", "QC 2"])

    assert list(found) == [("QC 1", "QC 3"), ("QC 1", "QC 2"), ("QC 3", "QC 2")]
    assert found["QC 1", "QC 3"].statistic == 1
    with pytest.raises(ValueError, match="5 predicted qualities, but 1 grades"):
        between_grades(predicted, ["QC 1"])


def test_correction_makes_good_what_damage_did_to_volumes():
    true = np.array([100.0, 200.0, 50.0, 0.0])
    before = np.array([95.0, 220.0, 50.0, 3.0])
    damaged = np.array([50.0, 100.0, 25.0, 0.0])
    corrected = np.array([95.0, 220.0, 50.0, 0.0])

    found = correction_effect(true, before, damaged, corrected)

    assert relative_volume_error(true, before)[:3] == pytest.approx([0.05, 0.1, 0])
    assert np.isnan(relative_volume_error(true, before)[3])
    assert (found.before.n, found.before.mean) == (3, pytest.approx(0.05))
    assert found.damaged.mean == pytest.approx(0.5)
    assert (found.damage.statistic, found.repair.statistic) == (1, 0)
    assert found.repair.p == pytest.approx(1)


def test_intervals_are_those_of_studies_not_of_items():
    rng = np.random.default_rng(0)
    true = rng.uniform(size=8)
    error = rng.normal(0, 0.1, 8)
    studies = [f"s{number}" for number in range(8)]

    once = bootstrap(true, true + error, studies)
    often = bootstrap(*(np.tile(v, 50) for v in (true, true + error)), studies * 50)

    # Fifty copies of the same studies tell nothing new.
    assert often.mae == pytest.approx(once.mae)
    assert often.pearson == pytest.approx(once.pearson)
    mae = np.abs(error).mean()
    assert once.mae[0] < mae < once.mae[1]


def test_the_interval_of_two_studies_reaches_from_one_to_the_other():
    true = np.array([0.1, 0.5, 0.9, 0.2, 0.3, 0.4])
    predicted = np.array([0.2, 0.4, 0.5, 0.2, 0.7, 0.5])
    studies = ["a"] * 3 + ["b"] * 3

    found = bootstrap(true, predicted, studies)

    # A quarter of the draws is a alone, a quarter b alone, the rest both.
    draws = [slice(0, 3), slice(3, 6), slice(0, 6)]
    r = [np.corrcoef(true[one], predicted[one])[0, 1] for one in draws]
    mae = [np.abs(true[one] - predicted[one]).mean() for one in draws]
    assert found.pearson == pytest.approx((min(r), max(r)))
    assert found.mae == pytest.approx((min(mae), max(mae)))


def test_one_call_gives_the_figures_of_all_estimators():
    graded = [graded_of("s1", a=1, b=3), graded_of("s2", a=4, b=4), graded_of("s3", a=4, b=2)]
    exact = told({"s1": 0.5, "s2": 1.0, "s3": 0.75})
    off = told({"s1": 0.6, "s2": 0.9, "s3": 0.85})

    rows = evaluate({"exact": exact, "off": off}, graded, SCHEME).table()

    # Mean true Dice: (1 + 3) / 8, 1, (4 + 2) / 8.
    assert row_of(rows, estimator="exact", structure="all").mae == pytest.approx(0)
    assert row_of(rows, estimator="exact", structure="all").pearson == pytest.approx(1)
    assert row_of(rows, estimator="off", structure="all").mae == pytest.approx(0.1)
    # Of A: |.6 - .25|, |.9 - 1|, |.85 - 1|.
    assert row_of(rows, estimator="off", structure="A").mae == pytest.approx(0.6 / 3)
    assert row_of(rows, estimator="off", structure="A").bias == pytest.approx(0.1 / 3)
    assert {row.structure for row in rows} == {"all", "A", "B"}
    assert {row.studies for row in rows} == {3}


def test_true_qualities_that_the_set_brings_along_are_not_worked_out_again():
    known = replace(
        graded_of("s1"),
        dice=np.array([[0.1, 0.3]]),
        nsd=np.array([[0.5, 0.7]]),
        multi_class_dice=np.array([0.4]),
    )
    estimator = told({"s1": 0.2}, nsd={"A": 0.6, "B": 0.6})

    judgements = evaluate({"e": estimator}, [known], SCHEME).judgements

    assert [j.true_dice for j in judgements] == pytest.approx([0.2, 0.1, 0.3])
    assert [j.true_nsd for j in judgements] == pytest.approx([0.6, 0.5, 0.7])
    assert judgements[0].true_multi_class == pytest.approx(0.4)


def test_the_mean_is_also_compared_with_the_dice_of_all_classes_at_once():
    # Of A one voxel of 4 is found and 3 are elsewhere, of B all, and B is taken for A in none.
    graded = [graded_of("s1", a=1, b=4), graded_of("s2", a=4, b=None)]
    estimator = told({"s1": 0.5, "s2": 0.9})

    rows = evaluate({"e": estimator}, graded, SCHEME).table()

    row = row_of(rows, quality="multi_class")
    assert row.structure == "all"
    # (1 + 4) / 8, and A alone of the other.
    assert row.mae == pytest.approx((abs(0.5 - 5 / 8) + abs(0.9 - 1)) / 2)
    assert "Dice of all at once" in markdown_of(rows)


def test_a_single_structure_is_not_compared_twice():
    scheme = LabelScheme("one", ("background", "a"), (Structure("A", (1,)),))

    rows = evaluate({"e": told({"s1": 0.5})}, [graded_of("s1", b=None)], scheme).table()

    assert {row.quality for row in rows} == {"dice"}


def test_surface_dice_is_judged_where_it_is_estimated():
    # Half of each structure lies two rows, 3 mm, away: beyond the tolerance of 2 mm.
    graded = [graded_of("s1", a=4, b=None), graded_of("s2", a=0, b=None)]
    estimator = told({"s1": 0.9, "s2": 0.1}, nsd={"A": 0.5})

    row = row_of(evaluate({"e": estimator}, graded, SCHEME).table(), quality="nsd", structure="A")

    assert row.mae == pytest.approx((abs(0.5 - 1) + abs(0.5 - 0)) / 2)


def test_a_structure_in_neither_segmentation_is_in_no_mean():
    graded = [graded_of("s1", a=2, b=None), graded_of("s2", a=4, b=None)]
    estimator = told({"s1": 0.5, "s2": 1.0})

    rows = evaluate({"e": estimator}, graded, SCHEME).table()

    assert row_of(rows, structure="all").mae == pytest.approx(0)
    assert (row_of(rows, structure="B").n, row_of(rows, structure="B").missing) == (0, 0)
    assert np.isnan(row_of(rows, structure="B").mae)


def test_predictions_without_an_estimate_are_counted():
    graded = [graded_of("s1"), graded_of("s2", b=0)]
    estimator = told({"s1": 0.9, "s2": 0.9})
    estimator.qualities["s2"] = Quality("s2", 0.0, dice={"A": 0.5, "B": NAN})

    rows = evaluate({"e": estimator}, graded, SCHEME).table()

    row = row_of(rows, structure="B")
    assert (row.n, row.missing) == (1, 1)
    # What it says of A alone is compared with A alone.
    assert row_of(rows, structure="all").mae == pytest.approx((0.1 + 0.5) / 2)


def test_a_score_alone_is_judged_by_its_ranks_against_the_mean_dice():
    graded = [graded_of(f"s{n}", a=n, b=n) for n in (1, 2, 3, 4)]
    scores = {"s1": 0.01, "s2": 0.02, "s3": 0.05, "s4": 0.03}
    estimator = Told(SCHEME, {study: Quality(study, score) for study, score in scores.items()})

    (row,) = evaluate({"curve": estimator}, graded, SCHEME).table()

    assert (row.quality, row.structure, row.n) == ("score", "all", 4)
    # Ranks 1 2 4 3 against 1 2 3 4: 1 - 6 (1 + 1) / (4 * 15).
    assert row.spearman == pytest.approx(1 - 12 / 60)
    assert row.auroc == 1
    assert np.isnan([row.mae, row.pearson, row.accuracy, row.r2]).all()


def test_rows_are_parted_by_group_and_by_the_name_of_the_source():
    graded = [
        graded_of("s1", group="DCM", source="forest-depth2"),
        graded_of("s2", group="DCM", source="forest-depth4"),
        graded_of("s3", group="HCM", source="noise-1"),
        graded_of("s4"),
    ]
    estimator = told({"s1": 0.9, "s2": 0.8, "s3": 0.5, "s4": 1.0})

    rows = evaluate({"e": estimator}, graded, SCHEME).table()

    found = {
        (r.by, r.stratum): (r.n, round(r.mae, 9))
        for r in rows
        if r.structure == "all" and r.quality == "dice"
    }
    assert found == {
        ("all", ""): (4, 0.2),
        ("group", "DCM"): (2, 0.15),
        ("group", "HCM"): (1, 0.5),
        ("source", "forest"): (2, 0.15),
        ("source", "noise"): (1, 0.5),
    }


def test_a_threshold_may_differ_between_structures():
    graded = [graded_of("s1", a=2, b=2)]
    estimator = told({"s1": 0.6})

    rows = evaluate({"e": estimator}, graded, SCHEME, threshold={"A": 0.4, "B": 0.7}).table()

    assert row_of(rows, structure="A").tpr == 1
    assert row_of(rows, structure="B").fpr == 0
    assert row_of(rows, structure="all").threshold == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ({"A": 0.5}, "threshold needs A, B and may have all, got A"),
        ({"A": 0.5, "B": 0.5, "C": 0.5}, "got A, B, C"),
        (1.5, r"threshold must lie in \[0, 1\], got 1.5"),
    ],
)
def test_a_wrong_threshold_is_refused(threshold, message):
    with pytest.raises(ValueError, match=message):
        evaluate({"e": told({"s1": 0.5})}, [graded_of("s1")], SCHEME, threshold=threshold)


def test_error_maps_are_judged_over_what_the_reference_labels():
    graded = graded_of("s1", a=2, b=4)
    graded.reference[0, :, 4] = UNLABELLED
    wrong = np.zeros((1, 2, 5, 6), dtype=np.float16)
    # A: two of four missed, two found elsewhere; the map shows those two, and an unknown voxel.
    wrong[0, 0, 3, :2] = 1
    wrong[0, 0, 4, 0] = 1
    estimator = told({"s1": 0.5}, error_maps={"A": wrong, "B": np.zeros_like(wrong)})

    rows = evaluate({"e": estimator}, [graded], SCHEME).table()

    assert row_of(rows, structure="A").error_map_dice == pytest.approx(2 * 2 / (2 + 4))
    assert row_of(rows, structure="B").n_maps == 0
    assert row_of(rows, structure="all").error_map_dice == pytest.approx(4 / 6)


def test_verdicts_of_readers_are_compared_where_there_are_any():
    graded = [graded_of("s1", is_good=True), graded_of("s2", is_good=False), graded_of("s3")]
    estimator = told({"s1": 0.9, "s2": 0.2, "s3": 0.5})

    row = row_of(evaluate({"e": estimator}, graded, SCHEME).table(), structure="all")

    assert row.verdict_ks == 1


def test_a_verdict_without_a_reference_gives_no_true_quality():
    prediction = graded_of("s1").prediction
    graded = [Graded(prediction, None, is_good=True), graded_of("s2")]
    unlabelled = Graded(prediction, np.full((1, 2, 5, 6), UNLABELLED, np.int8))

    rows = evaluate({"e": told({"s1": 0.5, "s2": 0.5})}, [*graded, unlabelled], SCHEME).table()

    assert row_of(rows, structure="all").n == 1


def test_constant_and_single_predictions_give_no_correlation_and_no_warning():
    one = [graded_of("s1")]
    same = [graded_of("s1"), graded_of("s2"), graded_of("s3")]
    estimator = told({"s1": 0.8, "s2": 0.8, "s3": 0.8})

    of_one = row_of(evaluate({"e": estimator}, one, SCHEME).table(), structure="all")
    of_same = row_of(evaluate({"e": estimator}, same, SCHEME).table(), structure="all")

    assert np.isnan([of_one.mae_low, of_one.pearson, of_same.pearson, of_same.r2]).all()
    assert of_same.mae_low == pytest.approx(0.2)
    assert of_same.mae == pytest.approx(0.2)


def test_an_empty_set_and_no_estimator_are_refused():
    with pytest.raises(ValueError, match="a graded prediction, got 1 and 0"):
        evaluate({"e": told({})}, [], SCHEME)
    with pytest.raises(ValueError, match="got 0 and 1"):
        evaluate({}, [graded_of("s1")], SCHEME)


def test_time_is_that_of_the_estimator():
    class Slow(Told):
        def predict(self, predictions):
            end = time.perf_counter() + 0.02
            while time.perf_counter() < end:
                pass
            return super().predict(predictions)

    quick, slow = told({"s1": 0.5}), Slow(SCHEME, told({"s1": 0.5}).qualities)

    rows = evaluate({"quick": quick, "slow": slow}, [graded_of("s1")], SCHEME).table()

    assert row_of(rows, estimator="slow", structure="all").ms >= 20
    assert row_of(rows, estimator="quick", structure="all").ms < 20


def test_time_is_told_of_images_that_are_new_to_the_estimator():
    first, second = graded_of("s1"), graded_of("s1", a=2)
    cine = Prediction("s2", np.zeros((1, 2, 2, 5, 6)), np.zeros((2, 2, 5, 6)), (8.0, 1.5, 1.25))
    frames = [
        Graded(prediction_of_frame(cine, frame), dice=np.full((1, 2), 0.5)) for frame in (0, 1, 1)
    ]
    said = [Quality("", 0.5, dice={"A": 0.5, "B": 0.5})] * 6
    graded = [first, second, *frames, Graded(cine, dice=np.full((2, 2), 0.5))]
    blend = Blend(SCHEME).fit({"e": said, "f": said}, graded)
    both = {name: told({"s1": 0.5, "s2": 0.5}) for name in ("e", "f")}

    found = evaluate(Panel(both, blend), graded, SCHEME)

    ms = {
        name: np.array([row.ms for row in found.judgements if row.estimator == name])[::3]
        for name in ("e", "f", "consensus")
    }
    is_new = [True, False, True, True, False, False]
    assert all(np.isfinite(times).tolist() == is_new for times in ms.values())
    assert (ms["consensus"][is_new] >= (ms["e"] + ms["f"])[is_new]).all()
    assert row_of(found.table(), estimator="e", structure="all").ms == np.median(ms["e"][is_new])


def test_an_image_that_only_another_could_judge_is_new():
    class Later(Told):
        def can_judge(self, prediction):
            return prediction.labels.any()

    qualities = told({"s1": 0.5}).qualities
    nothing = replace(graded_of("s1").prediction, labels=np.zeros((1, 2, 5, 6)))
    empty = Graded(nothing, is_good=True)

    found = evaluate({"e": Later(SCHEME, qualities)}, [empty, graded_of("s1")], SCHEME)

    assert all(np.isfinite(row.ms) for row in found.judgements)


def test_an_observer_is_told_of_every_prediction():
    told_of = []
    graded = [graded_of("s1"), graded_of("s2")]

    evaluate(
        {"e": told({"s1": 0.5, "s2": 0.5})},
        graded,
        SCHEME,
        observe=lambda done, total: told_of.append((done, total)),
    )

    assert told_of == [(1, 2), (2, 2)]


class Counting(QualityEstimator):
    """The more studies it learns from, the nearer it comes to a Dice of 1."""

    def __init__(self, scheme):
        self.scheme = scheme

    def fit(self, graded):
        self.learned_ = sorted(one.prediction.study for one in graded)
        return self

    def predict(self, predictions):
        dice = 1 - 1 / len(set(self.learned_))
        return [Quality(p.study, dice, dice={"A": dice, "B": dice}) for p in predictions]

    def arrays(self):
        return {}

    def with_arrays(self, arrays):
        return self


def test_a_learning_curve_takes_ever_more_whole_studies():
    train = [graded_of(f"s{n}") for n in range(8) for _ in range(2)]
    made = []

    def make():
        made.append(Counting(SCHEME))
        return made[-1]

    rows = learning_curve(make, train, [graded_of("t1"), graded_of("t2")], SCHEME, (0.25, 1, 0.5))

    of_all = [row for row in rows if row.structure == "all"]
    assert [(r.share, r.studies, r.predictions) for r in of_all] == [
        (0.25, 2, 4),
        (0.5, 4, 8),
        (1, 8, 16),
    ]
    assert [row.mae for row in of_all] == pytest.approx([1 / 2, 1 / 4, 1 / 8])
    assert {(row.n, row.test_studies) for row in of_all} == {(2, 2)}
    few, more, _ = (set(one.learned_) for one in made)
    assert few < more


def test_a_learning_curve_refuses_to_test_on_what_was_learned():
    both = [graded_of("s1"), graded_of("s2")]

    with pytest.raises(ValueError, match="s2: a subject to learn from and to test on"):
        learning_curve(lambda: Counting(SCHEME), both, both[1:], SCHEME)
    with pytest.raises(ValueError, match="to learn from and to test on"):
        learning_curve(lambda: Counting(SCHEME), [], both, SCHEME)
    with pytest.raises(ValueError, match=r"shares must lie in \(0, 1\], got 0"):
        learning_curve(lambda: Counting(SCHEME), both[:1], both[1:], SCHEME, (0, 1))


def test_all_is_written_to_a_folder(tmp_path):
    graded = [graded_of(f"s{n}", a=n, group="D|M", source="forest-1") for n in (0, 2, 4)]
    evaluation = evaluate({"e": told({"s0": 0.4, "s2": 0.8, "s4": 0.9})}, graded, SCHEME)

    evaluation.write(tmp_path / "new")

    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {
        "figures.csv",
        "judgements.csv",
        "table.md",
        "scatter_dice.png",
        "errors_dice.png",
        "risk_coverage.png",
        "balance.png",
        "calibration.csv",
        "calibration.png",
    }
    with (tmp_path / "new" / "judgements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3
    assert [r["true_dice"] for r in rows if r["structure"] == "A"] == ["0.0", "0.5", "1.0"]
    table = (tmp_path / "new" / "table.md").read_text()
    # Mean true Dice .5, .75, 1: errors of .1, .05 and .1.
    assert "0.083 (0.029)" in table
    assert r"D\|M" in table


def test_it_is_counted_how_often_the_truth_lies_in_the_intervals():
    # Dice of A is .25, .75 and 1, that of B always 1.
    graded = [graded_of("a", 1), graded_of("b", 3), graded_of("c")]
    sure = told({"a": 0.5, "b": 0.5, "c": 0.5}, interval={"A": (0.2, 0.8), "B": (0.9, 1.0)})
    silent = told({"a": 0.5, "b": 0.5, "c": 0.5})

    rows = evaluate({"sure": sure, "silent": silent}, graded, SCHEME).table()

    of_a = row_of(rows, estimator="sure", quality="dice", structure="A", by="all")
    of_all = row_of(rows, estimator="sure", quality="dice", structure="all", by="all")
    assert (of_a.covered, of_a.length) == pytest.approx((2 / 3, 0.6))
    assert (of_all.covered, of_all.length) == pytest.approx((5 / 6, 0.35))
    nobody = row_of(rows, estimator="silent", quality="dice", structure="all", by="all")
    assert math.isnan(nobody.covered)
    assert math.isnan(nobody.length)
    assert "| In interval | Interval length |" in markdown_of(rows)
