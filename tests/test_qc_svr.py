"""Support vector regression on features: what it learns, and from how little."""

from dataclasses import replace

import numpy as np
import pytest
from curve_builders import graded_hearts, heart, prediction_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVR

from qc.base import Graded
from qc.estimators.fitted_svr import fitted_svr
from qc.estimators.svr.estimator import FeatureSVR
from qc.graded.balance import even_weights
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import AORTA, SHORT_AXIS, UNLABELLED
from semiqc.study import Prediction

NAMES = [structure.name for structure in SHORT_AXIS.structures]


def graded_by_shift(name, shifts, frames=2):
    """Predictions that are a reference moved by so many columns, on an image that shows it."""
    reference = heart(name, frames=frames)
    image = np.choose(reference, [0.0, 0.8, 0.3, 1.0]).astype(np.float32)
    noise = np.random.default_rng(len(name)).normal(0, 0.05, image.shape)
    found = []
    for shift in shifts:
        labels = np.roll(reference, shift, axis=-1)
        one = Prediction(name, (image + noise).astype(np.float32)[None], labels, (10.0, 2.0, 1.8))
        dice = true_dice(labels, reference)
        found.append(Graded(one, reference, nsd=dice**2))
    return found


def true_dice(labels, reference):
    """Of each frame and structure, ``[T, S]``."""
    pairs = [
        [
            (labels[t] == part.values[0], reference[t] == part.values[0])
            for part in SHORT_AXIS.structures
        ]
        for t in range(len(labels))
    ]
    return np.array([[2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in row] for row in pairs])


SHIFTS = range(-8, 9)
GRADED = [one for name in ("a", "bb", "ccc", "dddd") for one in graded_by_shift(name, SHIFTS)]


@pytest.fixture(scope="module")
def fitted():
    return FeatureSVR(SHORT_AXIS).fit(GRADED)


def estimates(estimator, graded, kind="dice"):
    found = estimator.predict([one.prediction for one in graded])
    return np.array([[getattr(quality, kind)[name] for name in NAMES] for quality in found])


def test_dice_and_surface_dice_of_studies_never_seen_are_close(fitted):
    unseen = graded_by_shift("eeeee", SHIFTS)
    dice = np.array(
        [true_dice(one.prediction.labels, one.reference).mean(axis=0) for one in unseen]
    )

    assert np.abs(estimates(fitted, unseen) - dice).mean() < 0.08
    assert np.corrcoef(estimates(fitted, unseen).ravel(), dice.ravel())[0, 1] > 0.95
    assert np.abs(estimates(fitted, unseen, "nsd") - dice**2).mean() < 0.1


@pytest.mark.parametrize("weighted", [True, False])
def test_stored_arrays_predict_what_scikit_learn_predicts(weighted):
    rng = np.random.default_rng(0)
    given, other = rng.normal(size=(60, 7)), rng.normal(size=(9, 7))
    weights = rng.uniform(0.1, 3, 60) if weighted else None
    regression = SVR(C=2.0, epsilon=0.03, gamma=0.2).fit(given, np.tanh(given[:, 0]), weights)

    found = fitted_svr(regression).predict(other)

    np.testing.assert_allclose(found, regression.predict(other), rtol=1e-10, atol=1e-12)


def test_settings_reach_the_regression(fitted):
    vectors = len(fitted.machines_["dice/LV"].weights)
    loose = FeatureSVR(SHORT_AXIS, epsilon=0.3).fit(GRADED)
    stiff = FeatureSVR(SHORT_AXIS, c=0.01).fit(GRADED)

    assert len(loose.machines_["dice/LV"].weights) < vectors
    # Each is bounded by c times the weight of its frame, which is above 1 in the rarer bins.
    assert 0.011 < np.abs(stiff.machines_["dice/LV"].weights).max() < 0.2
    assert FeatureSVR(SHORT_AXIS, gamma=2.1).fit(GRADED[:4]).machines_[
        "dice/LV"
    ].gamma == pytest.approx(0.05)


def test_each_bin_of_mean_dice_weighs_the_same():
    dice = np.array([[0.91, 0.93], [0.97, np.nan], [0.95, 0.95], [0.1, 0.14], [np.nan, np.nan]])

    # Bins 9, 9, 9, 1 and, where nothing is known, 0; weights 1/3, 1/3, 1/3, 1, 1 of mean 3/5.
    assert even_weights(dice) == pytest.approx(np.array([1, 1, 1, 3, 3]) / 3 / (3 / 5))


def test_a_structure_that_was_not_found_has_quality_0(fitted):
    reference = heart("lost", frames=2)
    labels = np.where(reference == 1, 0, reference).astype(np.int8)

    quality = fitted.predict([prediction_of("lost", labels)])[0]

    assert quality.dice["RV"] == quality.nsd["RV"] == 0
    assert quality.dice["LV"] > 0


def test_a_structure_nobody_predicted_in_training_is_not_trusted():
    without = [
        Graded(
            prediction_of(name, np.where(heart(name) == 1, 0, heart(name)).astype(np.int8)),
            heart(name),
        )
        for name in ("a", "b")
    ]

    quality = FeatureSVR(SHORT_AXIS).fit(without).predict([prediction_of("c", heart("c"))])[0]

    assert quality.dice["RV"] == 0
    assert quality.dice["LV"] == pytest.approx(1, abs=0.03)


def test_a_prediction_without_a_structure_teaches_nothing_of_it():
    whole = graded_by_shift("whole", (0,))[0]
    labels = np.where(whole.reference == 1, 0, whole.reference).astype(np.int8)
    lost = replace(whole, prediction=replace(whole.prediction, labels=labels))

    found = FeatureSVR(SHORT_AXIS).fit([whole, lost])

    # Where the RV was found its Dice is 1, so one number fits all; the Dice of 0 does not count.
    assert not len(found.machines_["dice/RV"].weights)


@pytest.mark.parametrize(("intercept", "expected"), [(9.0, 1.0), (-9.0, 0.0)])
def test_no_estimate_leaves_0_to_1(fitted, intercept, expected):
    arrays = fitted.arrays()
    arrays |= {name: np.array([intercept]) for name in arrays if name.endswith("intercept")}
    far = FeatureSVR(SHORT_AXIS).with_arrays(arrays)

    assert (estimates(far, GRADED[:2]) == expected).all()
    assert (estimates(far, GRADED[:2], "nsd") == expected).all()


def test_odd_intensities_do_not_hide_what_the_shape_tells(fitted):
    centred, moved = graded_by_shift("odd", (0, 8))
    glaring = [
        replace(one, prediction=replace(one.prediction, image=one.prediction.image * 1e6))
        for one in (centred, moved)
    ]

    found = estimates(fitted, glaring)

    assert found[0].mean() > found[1].mean()


def test_no_more_frames_teach_than_may():
    single = FeatureSVR(SHORT_AXIS, most_frames=1).fit(GRADED)

    # Of one frame nothing has a spread.
    np.testing.assert_array_equal(single.scales_, 1)


def test_unknown_targets_are_left_out():
    some = graded_by_shift("aa", (0, 4, 8))
    unknown = graded_by_shift("b", (3,))[0]
    nothing = Graded(unknown.prediction, unknown.reference, nsd=np.full((2, 3), np.nan))

    found = FeatureSVR(SHORT_AXIS).fit([*some, nothing])

    assert np.isfinite(estimates(found, some, "nsd")).all()
    assert len(found.machines_["nsd/LV"].weights) <= 6


@pytest.mark.parametrize("shifts", [(0,), (0, 0, 0), (2, 9)])
def test_a_handful_of_frames_or_of_one_quality_is_enough(shifts):
    few = graded_by_shift("few", shifts, frames=1)

    found = estimates(FeatureSVR(SHORT_AXIS).fit(few), few)

    expected = [true_dice(one.prediction.labels, one.reference)[0] for one in few]
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found, expected, atol=0.25)


def test_only_labelled_frames_teach():
    reference = heart("sparse", frames=3)
    reference[1:] = UNLABELLED
    labels = np.concatenate([heart("sparse", frames=1), np.zeros((2, 4, 40, 44), np.int8)])

    found = FeatureSVR(SHORT_AXIS).fit([Graded(prediction_of("sparse", labels), reference)])

    assert found.means_[0] > 0
    np.testing.assert_array_equal(found.scales_, 1)


def test_of_many_frames_as_many_are_drawn_as_may_be_and_rare_ones_first():
    common, rare = (
        graded_by_shift("common", (0,) * 8, frames=1),
        graded_by_shift("rare", (5,), frames=1),
    )
    drawn = [
        FeatureSVR(SHORT_AXIS, most_frames=2, seed=seed).fit([*common, *rare])
        for seed in range(12)
    ]

    # The eight of one bin weigh as much as the one of another: it is drawn in most pairs.
    assert sum(one.scales_.max() > 1.0 or one.scales_.min() < 1.0 for one in drawn) > 6
    again = FeatureSVR(SHORT_AXIS, most_frames=2, seed=3).fit([*common, *rare])
    np.testing.assert_array_equal(again.means_, drawn[3].means_)


def test_the_contract_of_estimators_holds(tmp_path):
    graded = [replace(one, nsd=np.ones((one.prediction.frames, 3))) for one in graded_hearts(4)]
    predictions = [one.prediction for one in graded]
    estimator = FeatureSVR(SHORT_AXIS)
    with pytest.raises(NotFittedError):
        estimator.predict(predictions)
    with pytest.raises(NotFittedError):
        estimator.arrays()
    estimator.fit(graded)
    scores = [quality.score for quality in estimator.predict(predictions)]

    save_estimator(estimator, tmp_path / "svr.safetensors")
    back = load_estimator(tmp_path / "svr.safetensors", {"svr": FeatureSVR}, SHORT_AXIS)

    assert [quality.score for quality in back.predict(predictions)] == scores
    assert back.get_params() == estimator.get_params() == clone(estimator).get_params()
    alone = [estimator.predict([one])[0].score for one in predictions[::-1]]
    assert alone[::-1] == pytest.approx(scores, abs=1e-9)
    assert estimator.predict([]) == []
    empty = prediction_of("empty", np.zeros_like(heart("empty")))
    assert estimator.predict([empty])[0].score == 0


def test_random_numbers_of_the_caller_are_left_alone():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002

    np.random.seed(3)  # noqa: NPY002
    FeatureSVR(SHORT_AXIS).fit(GRADED[:3])

    assert np.random.rand() == expected  # noqa: NPY002


def test_other_schemes_are_judged_alike():
    reference = (heart("vessel", frames=2)[:, :1] == 3).astype(np.int8)
    graded = [
        Graded(
            prediction_of("vessel", np.roll(reference, shift, axis=-1)),
            reference,
            nsd=np.ones((2, 1)),
        )
        for shift in (0, 3, 6)
    ]

    quality = FeatureSVR(AORTA).fit(graded).predict([graded[0].prediction])[0]

    assert set(quality.dice) == {"aorta"}
