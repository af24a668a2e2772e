"""Rules of physiology: what they say, and what it costs to break them."""

import numpy as np
import pytest
from curve_builders import graded_hearts, heart, prediction_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qc.base import Graded
from qc.estimators.physiology.bounds import Bounds, learned_costs
from qc.estimators.physiology.estimator import Physiology
from qc.estimators.physiology.findings import findings
from qc.estimators.physiology.rules import FRAME_RULES, STUDY_RULES, minima
from qc.frames import graded_frames
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED

SPACING = (10.0, 1.0, 2.0)
RV, MYO, LV = 1, 2, 3
LV_ROW, MYO_ROW, RV_ROW = 0, 1, 2
GRADED = graded_hearts(10)
PREDICTIONS = [one.prediction for one in GRADED]


@pytest.fixture(scope="module")
def fitted():
    return Physiology(SHORT_AXIS).fit(GRADED)


def squares(*, slices=4):
    """One frame: LV of 4 x 4 voxels in a wall one voxel wide, RV of 4 x 3 beside it."""
    labels = np.zeros((1, slices, 20, 24), np.int8)
    labels[:, :, 5:11, 9:15] = MYO
    labels[:, :, 6:10, 10:14] = LV
    labels[:, :, 6:10, 6:9] = RV
    return labels


def rule_value(labels, name, structure, scheme=SHORT_AXIS):
    found = findings(labels, scheme, SPACING)
    for rules, values in ((FRAME_RULES, found.frames[0]), (STUDY_RULES, found.course)):
        for row, rule in enumerate(rules):
            if rule.name == name:
                return values[row, structure]
    raise KeyError(name)


def test_a_sound_heart_keeps_the_rules_on_shape():
    labels = squares()

    assert rule_value(labels, "parts", LV_ROW) == 1
    assert rule_value(labels, "strays", RV_ROW) == 0
    assert rule_value(labels, "holes", MYO_ROW) == 0
    assert rule_value(labels, "gaps", MYO_ROW) == 0
    assert rule_value(labels, "area jump", LV_ROW) == 0
    assert rule_value(labels, "centre jump", LV_ROW) == 0
    assert rule_value(labels, "overlap", LV_ROW) == 100
    assert rule_value(squares(slices=1), "parts", LV_ROW) == 1


def test_parts_are_counted_in_the_slice_that_has_most():
    labels = squares()
    labels[0, 2, 0, 0] = LV
    labels[0, 2, 18, 20] = LV

    assert rule_value(labels, "parts", LV_ROW) == 3
    row = [rule.name for rule in FRAME_RULES].index("parts")
    assert findings(labels, SHORT_AXIS, SPACING).slices[0, row, LV_ROW] == 2


def test_voxels_outside_the_largest_part_are_a_share():
    labels = squares()
    labels[0, 2, 0, :16] = LV

    # Four slices of 16 voxels hang together, another 16 lie apart.
    assert rule_value(labels, "strays", LV_ROW) == pytest.approx(100 * 16 / 80)


def test_a_cavity_is_no_hole_of_its_wall_but_background_is():
    labels = squares()
    labels[0, 1, 7, 11:13] = 0

    assert rule_value(labels, "holes", LV_ROW) == pytest.approx(100 * 2 / 14)
    # The ring has 36 - 16 voxels.
    assert rule_value(labels, "holes", MYO_ROW) == pytest.approx(100 * 2 / 20)


def test_a_slice_missing_between_others_is_a_gap():
    labels = squares()
    labels[0, 1:3][labels[0, 1:3] == RV] = 0

    assert rule_value(labels, "gaps", RV_ROW) == 2


def test_jumps_between_slices_have_units():
    labels = squares()
    labels[0, 3][labels[0, 3] == RV] = 0
    labels[0, 3, 7:11, 6:9] = RV
    labels[0, 3, 6:8, 10:14] = MYO

    # RV moves by one row of 1 mm and keeps three of four rows; LV halves.
    assert rule_value(labels, "centre jump", RV_ROW) == pytest.approx(1.0)
    assert rule_value(labels, "overlap", RV_ROW) == pytest.approx(75)
    assert rule_value(labels, "area jump", LV_ROW) == 0, "8 voxels are too few to compare"


def test_the_wall_encloses_one_cavity_and_touches_the_other():
    labels = squares()

    assert rule_value(labels, "wall", LV_ROW) == 100
    # Of 4 + 4 + 3 + 3 sides, the four at the right face the wall.
    assert rule_value(labels, "wall", RV_ROW) == pytest.approx(100 * 4 / 14)
    assert np.isnan(rule_value(labels, "wall", MYO_ROW))


def test_sizes_are_in_ml_or_mm2():
    labels = squares()
    aorta = (labels == LV).astype(np.int8)[:, :1]

    # 64 voxels of 20 mm3; and 16 of 2 mm2.
    assert rule_value(labels, "volume", LV_ROW) == pytest.approx(1.28)
    assert rule_value(aorta, "area", 0, AORTA) == pytest.approx(32)


def test_rules_on_the_curve_are_silent_in_a_single_frame():
    found = findings(squares(), SHORT_AXIS, SPACING)

    assert np.isnan(found.course).all()


def test_a_mass_that_changes_and_an_ejection_are_told_of_two_frames():
    labels = np.concatenate([squares(), squares()])
    labels[1][labels[1] == LV] = 0
    labels[1, :, 6:10, 10] = LV

    # 64 and 16 voxels of LV; the wall has 80 in both.
    assert rule_value(labels, "ejection", LV_ROW) == pytest.approx(75)
    assert rule_value(labels, "mass change", MYO_ROW) == 0


def test_a_lost_frame_stands_out():
    labels = np.repeat(squares(), 9, axis=0)
    labels[4][labels[4] == LV] = 0

    assert rule_value(labels, "size jump", LV_ROW) == 100
    assert rule_value(labels, "frame overlap", LV_ROW) == 0
    assert rule_value(labels, "size jump", RV_ROW) == 0


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([10, 8, 5, 2, 4, 7, 9, 10], 1),
        ([5, 2, 4, 7, 9, 10, 10, 8], 1),
        ([10, 4, 8, 3, 6, 9, 10, 10], 2),
        ([10, 5, 5.5, 2, 4, 7, 9, 10], 1),
        ([3, 3, 3, 3], 0),
    ],
)
def test_minima_of_a_cycle_are_counted_where_they_are_deep(sizes, expected):
    assert minima(np.array(sizes, dtype=float)) == expected


def test_bounds_are_quantiles_widened_where_references_are_few():
    rule = next(rule for rule in FRAME_RULES if rule.name == "length")
    values = np.array([50.0, 60.0, 70.0, 80.0]).reshape(4, 1, 1)

    bounds = Bounds.of([rule], values)

    # Quantiles .02 and .98 lie .06 steps of 10 mm inside; four references double the width.
    assert bounds.middle.item() == 65
    assert bounds.high.item() == pytest.approx(65 + 2 * (79.4 - 65))
    assert bounds.low.item() == pytest.approx(65 - 2 * (65 - 50.6))


def test_without_references_the_bounds_are_those_of_the_rules():
    bounds = Bounds.of(FRAME_RULES, np.zeros((0, len(FRAME_RULES), 1)))

    for row, rule in enumerate(FRAME_RULES):
        assert bounds.low[row, 0] == rule.low
        assert bounds.high[row, 0] == (rule.high if rule.high < rule.limit else np.inf)


def test_costs_are_never_negative_and_the_prior_stands_where_nothing_tells():
    given = np.array([[1.0, 0.0, 0.0]] * 50 + [[0.0, 1.0, 0.0]] * 50)
    losses = np.array([0.4] * 50 + [-0.2] * 50)

    costs = learned_costs(given, losses, np.array([0.05, 0.05, 0.05]))

    # 50 of .4 and one of .05; below nought; and nothing but the prior.
    assert costs == pytest.approx([(50 * 0.4 + 0.05) / 51, 0, 0.05], abs=1e-6)


def test_reasons_name_structure_value_place_and_bound(fitted):
    labels = heart("reasons")[:1].copy()
    labels[0, 1, 2, 2] = labels[0, 1, 37, 40] = LV

    reasons = fitted.predict([prediction_of("reasons", labels)])[0].reasons

    assert "LV has 3 parts in slice 1 (at most 1)" in reasons


def test_reasons_name_the_frame_of_a_cine(fitted):
    labels = heart("cine").copy()
    labels[5, 1, 2, 2] = LV

    reasons = fitted.predict([prediction_of("cine", labels)])[0].reasons

    assert "LV has 2 parts in slice 1 of frame 5 (at most 1)" in reasons


def test_a_sound_heart_has_few_reasons_and_much_quality(fitted):
    quality = fitted.predict([prediction_of("sound", heart("sound"))])[0]

    assert quality.score > 0.9
    assert len(quality.reasons) <= 2


def test_an_absent_structure_has_dice_nought(fitted):
    labels = heart("absent")
    labels = np.where(labels == RV, np.int8(0), labels)

    quality = fitted.predict([prediction_of("absent", labels)])[0]

    assert quality.dice["RV"] == 0
    assert quality.dice["LV"] > 0.5
    assert "RV is absent" in quality.reasons


def test_nothing_segmented_scores_nought(fitted):
    quality = fitted.predict([prediction_of("no", np.zeros_like(heart("no")))])[0]

    assert quality.score == 0
    assert quality.reasons == ("nothing is segmented",)


def test_good_predictions_never_seen_rank_above_erroneous_ones(fitted):
    unseen = graded_hearts(6, first=200)
    scores = np.array([q.score for q in fitted.predict([one.prediction for one in unseen])])
    is_good = np.array([one.is_good for one in unseen])

    assert np.mean(np.greater.outer(scores[is_good], scores[~is_good])) > 0.8


def single_frames(graded):
    for one in graded:
        for frame in range(0, one.prediction.frames, 3):
            yield Graded(
                prediction_of(one.prediction.study, one.prediction.labels[frame : frame + 1]),
                one.reference[frame : frame + 1],
            )


def test_it_learns_from_single_frames_and_judges_cines():
    estimator = Physiology(SHORT_AXIS).fit(list(single_frames(GRADED)))

    scores = np.array([quality.score for quality in estimator.predict(PREDICTIONS)])

    is_good = np.array([one.is_good for one in GRADED])
    assert np.mean(np.greater.outer(scores[is_good], scores[~is_good])) > 0.8


def test_a_cine_with_a_frame_that_jumps_loses_though_training_was_of_single_frames():
    estimator = Physiology(SHORT_AXIS).fit(list(single_frames(GRADED)))
    labels = heart("jump")
    jumping = labels.copy()
    jumping[7] = np.roll(labels[7], 6, axis=1)

    sound, broken = estimator.predict(
        [prediction_of("sound", labels), prediction_of("jump", jumping)]
    )

    assert broken.score < sound.score
    assert any("from the frame before" in reason for reason in broken.reasons)


@pytest.mark.parametrize(("scheme", "shape"), [(TUMOUR, (1, 4, 16, 18)), (AORTA, (12, 1, 16, 18))])
def test_other_schemes_are_judged(scheme, shape):
    rng = np.random.default_rng(0)
    truth = np.zeros(shape, np.int8)
    for value in range(1, len(scheme.classes)):
        truth[:, :, 2 + value : 14 - value, 3 + value : 15 - value] = value
    graded = [
        Graded(prediction_of(f"a{n}", np.where(rng.random(shape) < n / 9, 0, truth)), truth)
        for n in range(8)
    ]

    estimator = Physiology(scheme).fit(graded)

    first, *_, last = estimator.predict([one.prediction for one in graded])
    assert first.score > last.score
    assert set(first.dice) == {structure.name for structure in scheme.structures}


def test_a_reference_that_is_labelled_in_part_sets_no_bounds():
    labels = squares()
    reference = labels.copy()
    reference[0, 1] = UNLABELLED

    estimator = Physiology(SHORT_AXIS).fit([Graded(prediction_of("a", labels), reference)])

    row = [rule.name for rule in FRAME_RULES].index("length")
    assert estimator.bounds_[0].high[row].tolist() == [150] * 3


def test_dice_without_references_teaches_what_breaking_a_rule_costs():
    told = [
        Graded(one.prediction, dice=np.stack([f.dice(SHORT_AXIS) for f in graded_frames([one])]))
        for one in GRADED
    ]
    unseen = graded_hearts(6, first=200)

    estimator = Physiology(SHORT_AXIS).fit(told)

    row = [rule.name for rule in FRAME_RULES].index("length")
    assert estimator.bounds_[0].high[row].tolist() == [150] * 3
    scores = np.array([q.score for q in estimator.predict([one.prediction for one in unseen])])
    is_good = np.array([one.is_good for one in unseen])
    assert np.mean(np.greater.outer(scores[is_good], scores[~is_good])) > 0.8


def test_what_was_learned_comes_back_from_a_file(fitted, tmp_path):
    save_estimator(fitted, tmp_path / "a.safetensors")

    back = load_estimator(tmp_path / "a.safetensors", {"physiology": Physiology}, SHORT_AXIS)

    for mine, theirs in zip(fitted.predict(PREDICTIONS), back.predict(PREDICTIONS), strict=True):
        assert (mine.score, mine.reasons) == (theirs.score, theirs.reasons)


def test_it_is_an_estimator_as_others(fitted):
    blank = Physiology(SHORT_AXIS)

    assert not [name for name in vars(blank) if name.endswith("_")]
    assert clone(fitted).fit(GRADED).predict(PREDICTIONS[:2])[1].score == pytest.approx(
        fitted.predict(PREDICTIONS[:2])[1].score
    )
    assert fitted.predict([]) == []
    with pytest.raises(NotFittedError):
        blank.predict(PREDICTIONS)
    with pytest.raises(NotFittedError):
        blank.arrays()
    with pytest.raises(ValueError, match="at least one graded prediction"):
        blank.fit([])
