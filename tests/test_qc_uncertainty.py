from dataclasses import replace

import numpy as np
import pytest
from curve_builders import heart, prediction_of, spoilt
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from uncertainty_builders import graded_hearts_with_uncertainty, with_uncertainty

from qc.base import Graded
from qc.estimators.agreement import Agreement, signals_of
from qc.estimators.mahalanobis import Mahalanobis, distance
from qc.estimators.uncertainty.estimator import THRESHOLDS, Uncertainty, error_overlaps
from qc.estimators.uncertainty.features import REACH_MM, TABLE, reaches_of, uncertainty_features
from qc.estimators.uncertainty.forest import ForestTables
from qc.frames import frame_of
from qc.isotonic import MonotoneCurve
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED
from semiqc.study import Prediction, UncertaintyMaps

KINDS = {
    "agreement": Agreement,
    "uncertainty": Uncertainty,
    "mahalanobis": Mahalanobis,
}
GRADED = graded_hearts_with_uncertainty(8, frames=4)
PREDICTIONS = [one.prediction for one in GRADED]
IS_GOOD = np.array([one.is_good for one in GRADED])
LV, MYO, RV = range(3)


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def fitted(kind):
    return blank(kind).fit(GRADED)


def blank(kind):
    return kind(SHORT_AXIS, **{"trees": 10} if kind is Uncertainty else {})


def scores(estimator, predictions):
    return [quality.score for quality in estimator.predict(predictions)]


def square(entropy, *, labels=None, spacing=(8.0, 2.0, 2.0), agreement=0.7, features=(1.0, -1.0)):
    """A frame with an LV of 4 x 4 voxels in the middle of one slice of 12 x 14."""
    if labels is None:
        labels = np.zeros((1, 1, 12, 14), np.int8)
        labels[0, 0, 4:8, 5:9] = 3
    entropy = np.broadcast_to(np.float32(entropy), labels.shape)
    uncertainty = UncertaintyMaps(
        entropy,
        np.zeros_like(entropy),
        np.full((1, 3), agreement),
        np.full((1, 3), 0.8),
        np.array([features]),
    )
    image = np.zeros((1, *labels.shape), np.float32)
    return Prediction("square", image, labels, spacing, uncertainty=uncertainty)


def test_the_constructor_only_stores_and_nothing_is_judged_before_fit(kind):
    estimator = blank(kind)

    assert vars(estimator) == estimator.get_params(deep=False)
    assert clone(estimator).get_params() == estimator.get_params()
    with pytest.raises(NotFittedError):
        estimator.predict(PREDICTIONS)
    with pytest.raises(NotFittedError):
        estimator.arrays()


def test_good_predictions_rank_above_erroneous_ones_also_of_unseen_studies(fitted):
    unseen = graded_hearts_with_uncertainty(4, first=200, frames=4)

    for graded, share in ((GRADED, 0.9), (unseen, 0.8)):
        found = np.array(scores(fitted, [one.prediction for one in graded]))
        is_good = np.array([one.is_good for one in graded])
        assert np.mean(np.greater.outer(found[is_good], found[~is_good])) > share


def test_a_score_is_the_same_alone_twice_and_in_another_order(fitted):
    together = scores(fitted, PREDICTIONS)

    assert fitted.predict([]) == []
    assert scores(fitted, PREDICTIONS[::-1])[::-1] == together
    assert [scores(fitted, [one])[0] for one in PREDICTIONS] == together


def test_what_was_learned_comes_back_from_a_file(fitted, kind, tmp_path):
    save_estimator(fitted, tmp_path / "e.safetensors")
    back = load_estimator(tmp_path / "e.safetensors", KINDS, SHORT_AXIS)

    assert back.get_params() == fitted.get_params()
    for one, other in zip(back.predict(PREDICTIONS), fitted.predict(PREDICTIONS), strict=True):
        assert (one.dice, one.nsd) == (other.dice, other.nsd)


def test_the_same_seed_learns_the_same(fitted):
    assert scores(clone(fitted).fit(GRADED), PREDICTIONS) == scores(fitted, PREDICTIONS)


def test_only_what_has_uncertainty_teaches_and_can_be_judged(fitted, kind):
    bare = [replace(one, prediction=replace(one.prediction, uncertainty=None)) for one in GRADED]

    assert scores(blank(kind).fit([*bare, *GRADED]), PREDICTIONS) == scores(fitted, PREDICTIONS)
    with pytest.raises(ValueError, match=rf"{kind.__name__} needs graded .* none in \d+ frames"):
        blank(kind).fit(bare)
    with pytest.raises(ValueError, match="at least one graded prediction"):
        blank(kind).fit([])
    with pytest.raises(ValueError, match=rf"study0: {kind.__name__} judges by the segmenters"):
        fitted.predict([PREDICTIONS[1], bare[0].prediction])


def odd_predictions():
    labels = heart("odd", frames=4)
    yield "one frame", prediction_of("odd", labels[:1])
    yield "one slice", prediction_of("odd", labels[:, :1])
    yield "another size", prediction_of("odd", labels[:, :, 3:-4, 2:], (6.0, 1.0, 1.1))
    yield "one structure everywhere", prediction_of("odd", np.full_like(labels, 3))


@pytest.mark.parametrize("odd", [pytest.param(p, id=name) for name, p in odd_predictions()])
def test_an_odd_prediction_is_judged(fitted, odd):
    (quality,) = fitted.predict([with_uncertainty(odd)])

    assert 0 < quality.score <= 1
    assert all(0 <= value <= 1 for value in (*quality.dice.values(), *quality.nsd.values()))


def test_nothing_segmented_is_worth_nothing(fitted):
    labels = heart("odd", frames=4)
    blind = prediction_of("odd", np.zeros_like(labels))

    assert scores(fitted, [with_uncertainty(blind), with_uncertainty(blind, labels)]) == [0, 0]


@pytest.mark.parametrize("scheme", [TUMOUR, AORTA], ids=lambda scheme: scheme.name)
def test_other_schemes_are_judged(kind, scheme):
    rng = np.random.default_rng(0)
    graded = []
    for number in range(6):
        truth = np.zeros((1, 1 if scheme is AORTA else 5, 20, 24), np.int8)
        truth[..., 4:14, 4:16] = 1
        truth[..., 6:11, 6:12] = len(scheme.classes) - 1
        labels = truth if number % 2 else np.roll(truth, 5, axis=3)
        image = rng.normal(size=(4, *truth.shape)).astype(np.float32)
        prediction = Prediction(f"s{number}", image, labels, (3.0, 1.0, 1.0))
        graded.append(Graded(with_uncertainty(prediction, truth, scheme=scheme), truth))
    judge = kind(scheme).fit(graded)
    qualities = judge.predict([one.prediction for one in graded])

    assert [list(quality.dice) for quality in qualities] == [
        [s.name for s in scheme.structures]
    ] * 6
    assert min(q.score for q in qualities[1::2]) >= max(q.score for q in qualities[::2])


def test_a_monotone_curve_pools_what_breaks_the_order_and_is_level_beyond():
    # .4 and .6 come in the wrong order: both become their mean.
    curve = MonotoneCurve.of(
        np.array([0, 1, 2, 3, np.nan]), np.array([0.1, 0.6, 0.4, 0.9, 1]), rising=True
    )

    np.testing.assert_allclose(
        curve(np.array([-5, 0, 1, 2, 2.5, 9])), [0.1, 0.1, 0.5, 0.5, 0.7, 0.9]
    )
    falling = MonotoneCurve.of(np.array([0.0, 1]), np.array([0.8, 0.2]), rising=False)
    assert falling(np.array([0.5]))[0] == pytest.approx(0.5)
    assert (
        MonotoneCurve.of(np.array([np.nan]), np.array([1.0]), rising=True)(np.array([7.0]))[0] == 0
    )


def test_agreement_reads_dice_off_its_signals():
    truth = heart("a", frames=6)
    quality = np.linspace(0.2, 0.9, 6)
    prediction = with_uncertainty(prediction_of("a", truth))
    uncertainty = replace(
        prediction.uncertainty,
        agreement=np.repeat(quality[:, None], 3, axis=1),
        confidence=np.repeat(1 - quality[:, None], 3, axis=1),
    )
    graded = Graded(
        replace(prediction, uncertainty=uncertainty),
        truth,
        dice=np.repeat(quality[:, None] / 2, 3, axis=1),
        nsd=np.repeat(quality[:, None], 3, axis=1),
    )
    (by_dice,) = (
        Agreement(SHORT_AXIS, signals=("pairwise",)).fit([graded]).predict([graded.prediction])
    )
    both = Agreement(SHORT_AXIS, signals=("pairwise", "confidence")).fit([graded])
    (by_both,) = both.predict(
        [replace(graded.prediction, uncertainty=_last(uncertainty), **_one(truth))]
    )

    # Dice is half the agreement, of which the mean is .55; NSD is the agreement.
    assert by_dice.score == pytest.approx(0.55 / 2)
    assert by_dice.nsd["LV"] == pytest.approx(0.55)
    # Confidence falls as Dice rises: the best rising curve is level at the mean.
    assert by_both.dice["RV"] == pytest.approx((0.9 / 2 + 0.55 / 2) / 2)


def _last(uncertainty):
    return UncertaintyMaps(*(getattr(uncertainty, name)[-1:] for name in vars(uncertainty)))


def _one(truth):
    return {"labels": truth[-1:], "image": np.zeros((1, *truth[-1:].shape), np.float32)}


def test_the_signals_of_a_frame_are_those_of_its_structures():
    entropy = np.zeros((1, 1, 12, 14))
    entropy[0, 0, 4:8, 5:9] = 0.3
    entropy[0, 0, 3, 4] = 0.6  # A corner of the ring around the LV.
    frame = frame_of(square(entropy), 0)
    found = signals_of(frame, SHORT_AXIS, ("entropy", "pairwise", "confidence"))

    # The LV and the ring around it are 6 x 6 voxels.
    np.testing.assert_allclose(found[LV], [(16 * 0.3 + 0.6) / 36, 0.7, 0.8])
    assert np.isnan(found[[MYO, RV]]).all()


def test_unknown_signals_are_refused():
    for signals in ((), ("variance",)):
        with pytest.raises(ValueError, match="signals must be some of pairwise, confidence, ent"):
            Agreement(SHORT_AXIS, signals=signals).fit(GRADED)


def test_the_distance_is_the_root_mean_square_of_the_deviations():
    assert distance(frame_of(square(0, features=(3.0, 4.0)), 0)) == pytest.approx(np.sqrt(25 / 2))
    with pytest.raises(ValueError, match="square: the uncertainty has no features"):
        distance(frame_of(square(0, features=()), 0))


def test_uncertainty_and_error_overlap_is_their_dice_at_each_threshold():
    """Errors: a column of the LV. Uncertain: that column at .5, another at .2, one far at 1."""
    prediction = square(0)
    entropy = np.zeros((1, 1, 12, 14), np.float32)
    entropy[0, 0, 4:8, 5], entropy[0, 0, 4:8, 6], entropy[0, 0, 0, 0] = 0.5, 0.2, 1
    prediction = replace(prediction, uncertainty=replace(prediction.uncertainty, entropy=entropy))
    reference = prediction.labels[0].copy()
    reference[0, 4:8, 5] = 0
    unknown = reference.copy()
    unknown[0, 4:6, 5] = UNLABELLED
    frame = frame_of(replace(prediction, spacing=(8.0, 5.0, 5.0)), 0)
    found = error_overlaps(frame, reference, SHORT_AXIS)[LV]

    # The corner is four rows and five columns away, beyond 10 mm at 5 mm a voxel.
    low, middle, high = (np.isclose(THRESHOLDS, t) for t in (0.15, 0.3, 0.5))
    assert found[low] == pytest.approx(2 * 4 / (8 + 4))
    assert found[middle] == 1
    assert found[high] == 0
    assert error_overlaps(frame, unknown, SHORT_AXIS)[LV][low] == pytest.approx(2 * 2 / (6 + 2))
    # Without a structure its errors may be anywhere: the corner counts, and there is no error.
    assert error_overlaps(frame, reference, SHORT_AXIS)[RV][high] == 0


def test_error_maps_show_what_is_uncertain_at_the_best_threshold():
    graded = [one for one in GRADED if not one.is_good][:4]
    judge = Uncertainty(SHORT_AXIS, trees=1).fit(graded)
    (quality,) = judge.predict([graded[2].prediction])
    frame = frame_of(graded[2].prediction, 3)
    entropy = frame.uncertainty.entropy[0]

    assert set(np.unique(quality.error_maps["MYO"])) == {0, 1}
    assert quality.error_maps["MYO"].shape == graded[2].prediction.labels.shape
    shown = quality.error_maps["MYO"][3] > 0
    assert (entropy[shown] > judge.thresholds_[MYO]).all()
    overlaps = [
        np.nan_to_num(error_overlaps(frame_of(one.prediction, 3), one.reference[3], SHORT_AXIS))
        for one in graded
    ]
    wanted = np.mean(overlaps, axis=0)
    got = [wanted[part, np.isclose(THRESHOLDS, judge.thresholds_[part])][0] for part in range(3)]
    assert np.all(got >= wanted.max(axis=1) - 0.05)


def all_features(prediction, threshold):
    frame = frame_of(prediction, 0)
    return uncertainty_features(frame, reaches_of(frame, SHORT_AXIS), np.full(3, threshold))


def feature(prediction, name, threshold=0.25, part=LV):
    found = all_features(prediction, threshold)
    return found[part, [row.name for row in TABLE].index(name)]


def test_first_order_features_are_those_of_the_map_in_reach():
    inside = np.zeros((1, 1, 12, 14))
    inside[0, 0, 4:8, 5:9] = 0.4
    inside[0, 0, 4:8, 5] = 0.8
    prediction = square(inside)

    # 4 voxels at .8 and 12 at .4 inside; all 168 voxels but the corners are within 10 mm.
    assert feature(prediction, "inside") == pytest.approx((4 * 0.8 + 12 * 0.4) / 16)
    assert feature(prediction, "worst slice") == pytest.approx(0.5)
    assert feature(prediction, "sum") == pytest.approx(0.5)
    assert feature(prediction, "outside") == 0
    assert feature(square(0.3), "mean") == pytest.approx(0.3)
    assert feature(square(0.3), "spread") == pytest.approx(0, abs=1e-6)
    assert feature(square(0.3), "high") == feature(square(0.3), "energy") == pytest.approx(0.3)


def test_shape_features_are_in_mm():
    entropy = np.zeros((1, 1, 12, 14))
    entropy[0, 0, 4:8, 5] = 0.8
    entropy[0, 0, 5, 8] = 0.8
    prediction = square(entropy)

    assert feature(prediction, "volume") == pytest.approx(16 * 8 * 2 * 2 / 1000)
    assert feature(prediction, "uncertain") == pytest.approx(5 * 8 * 2 * 2 / 1000)
    assert feature(prediction, "ratio") == feature(prediction, "core") == pytest.approx(5 / 16)
    assert feature(prediction, "clump") == pytest.approx(4 / 5)
    # All of it is at the edge, one voxel from the outside.
    assert feature(prediction, "depth") == feature(prediction, "deepest") == pytest.approx(2)
    deep = entropy.copy()
    deep[0, 0, 5, 6] = 0.8
    assert feature(square(deep), "deepest") == pytest.approx(4)
    assert feature(square(entropy), "ratio", threshold=0.9) == 0


def test_features_are_finite_and_zero_for_an_absent_structure():
    full = square(0.5, labels=np.full((1, 2, 5, 6), 3, np.int8))
    found = all_features(full, 0.25)

    assert np.isfinite(found).all()
    assert (found[[MYO, RV]] == 0).all()
    assert feature(full, "depth") == REACH_MM


def test_the_tables_of_a_forest_predict_as_the_forest():
    rng = np.random.default_rng(0)
    given, targets = rng.integers(6, size=(80, 5)).astype(float), rng.random((80, 2))
    forest = RandomForestRegressor(7, random_state=0, min_samples_leaf=2).fit(given, targets)
    tables = ForestTables.of(forest)
    # Thresholds lie halfway between whole numbers, so some of these meet them.
    new = rng.integers(12, size=(30, 5)) / 2

    np.testing.assert_allclose(tables.predict(new), forest.predict(new), rtol=1e-12)
    back = ForestTables.from_arrays(tables.arrays("f"), "f")
    np.testing.assert_array_equal(back.predict(new), tables.predict(new))
    assert ForestTables.constant(np.array([0.3, 0.4])).predict(new).tolist() == [[0.3, 0.4]] * 30


def test_a_worse_segmentation_of_the_same_study_gets_a_lower_estimate(fitted):
    truth = heart("new", frames=8)
    right = with_uncertainty(prediction_of("new", truth), truth)
    wrong = with_uncertainty(prediction_of("new", spoilt(truth, 2)), truth)

    better, worse = fitted.predict([right, wrong])
    assert better.dice["LV"] > worse.dice["LV"] + 0.1
