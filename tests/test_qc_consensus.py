"""Blending what several estimators say, and estimators that judge together."""

from dataclasses import replace

import numpy as np
import pytest
from curve_builders import graded_hearts, heart, prediction_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qc.absence import absent_structures
from qc.base import ALL_CLASSES, Graded, Quality
from qc.consensus.blend import Blend
from qc.consensus.cross_fitting import Consensus
from qc.consensus.error_maps import MeanVoxels
from qc.consensus.stacking import folds_of, member_weights, weighed
from qc.estimators.physiology.estimator import Physiology
from qc.estimators.registry import ESTIMATORS
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction

NAMES = ("LV", "MYO", "RV")


def graded_of(study, dice):
    labels = np.ones((1, 1, 2, 3), np.int8)
    prediction = Prediction(study, labels[None].astype(np.float32), labels, (1.0, 1.0, 1.0))
    return Graded(prediction, labels, dice=np.asarray(dice, dtype=float)[None])


def quality_of(study, dice, **fields):
    return Quality(
        study, float(np.mean(dice)), dice=dict(zip(NAMES, map(float, dice), strict=True)), **fields
    )


def judged(subjects=20, each=4, seed=0, noise=None):
    """Truth, and what estimators of a certain error say of it."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.3, 1, (subjects * each, 3))
    names = np.repeat([f"s{seed}-{n}" for n in range(subjects)], each)
    graded = [graded_of(name, dice) for name, dice in zip(names, true, strict=True)]
    said = {
        member: [
            quality_of(name, np.clip(dice + rng.normal(0, sigma, 3), 0, 1))
            for name, dice in zip(names, true, strict=True)
        ]
        for member, sigma in (noise or {"sure": 0.05, "fair": 0.08, "wild": 0.5}).items()
    }
    return said, graded, true


@pytest.fixture(scope="module")
def blend():
    said, graded, _ = judged()
    return Blend(SHORT_AXIS).fit(said, graded)


def of_row(said, row):
    return {name: of_one[row] for name, of_one in said.items()}


def test_the_better_an_estimator_the_more_it_weighs(blend):
    weights = dict(zip(blend.members_, blend.stack_.weights.mean(axis=1), strict=True))

    assert weights["sure"] > weights["fair"] > weights["wild"]
    np.testing.assert_allclose(blend.stack_.weights.sum(axis=0), 1)


def judged_at_once(seed, told=("sure", "wild")):
    """As ``judged``, and what some estimators say of all classes at once, with its truth."""
    said, graded, _ = judged(seed=seed)
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.3, 1, len(graded))
    graded = [
        replace(one, multi_class_dice=np.array([dice]))
        for one, dice in zip(graded, true, strict=True)
    ]
    for member in told:
        errors = rng.normal(0, {"sure": 0.05, "wild": 0.4}[member], len(true))
        said[member] = [
            replace(one, overall={ALL_CLASSES: dice}, overall_nsd={ALL_CLASSES: dice / 2})
            for one, dice in zip(said[member], np.clip(true + errors, 0, 1), strict=True)
        ]
    return said, graded, true


def test_all_classes_at_once_are_blended_by_those_who_tell_them(tmp_path):
    said, graded, _ = judged_at_once(0)
    fitted = Blend(SHORT_AXIS).fit(said, graded)
    said, _, true = judged_at_once(1)
    combined = [fitted.combine(of_row(said, row)) for row in range(len(true))]

    found = np.array([one.overall[ALL_CLASSES] for one in combined])
    of_member = {
        name: np.array([one.overall[ALL_CLASSES] for one in said[name]])
        for name in ("sure", "wild")
    }
    errors = {name: np.abs(told - true).mean() for name, told in of_member.items()}
    assert np.abs(found - true).mean() < 1.05 * errors["sure"] < errors["wild"] / 2
    weights = fitted.all_classes_.stack.weights[[1, 2], 0]
    expected = (weights @ np.stack([of_member["sure"], of_member["wild"]])) / weights.sum() / 2
    surfaces = [one.overall_nsd[ALL_CLASSES] for one in combined]
    np.testing.assert_allclose(surfaces, expected, atol=1e-6)
    save_estimator(fitted, tmp_path / "blend.safetensors")
    kept = load_estimator(tmp_path / "blend.safetensors", {"consensus": Blend}, SHORT_AXIS)
    assert kept.combine(of_row(said, 3)).overall == combined[3].overall
    # One who tells it is enough, and without any nothing is told.
    assert ALL_CLASSES in fitted.combine({"wild": said["wild"][0]}).overall
    assert not fitted.combine({"fair": said["fair"][0]}).overall


def test_where_nobody_tells_all_classes_at_once_the_blend_does_not(blend):
    said, graded, _ = judged_at_once(0, told=())

    for fitted in (blend, Blend(SHORT_AXIS).fit(said, graded)):
        assert fitted.all_classes_.stack is None
        quality = fitted.combine(of_row(said, 0))
        assert (quality.overall, quality.overall_nsd) == ({}, {})


def test_the_blend_errs_less_than_the_best_member_on_new_subjects(blend):
    said, _, true = judged(seed=1)
    combined = [blend.combine(of_row(said, row)) for row in range(len(true))]

    found = np.array([[quality.dice[name] for name in NAMES] for quality in combined])

    sure = np.array([[quality.dice[name] for name in NAMES] for quality in said["sure"]])
    assert np.abs(found - true).mean() < 0.95 * np.abs(sure - true).mean()


def test_intervals_hold_the_truth_of_new_subjects(blend):
    said, _, true = judged(seed=2)
    inside = []
    for row, dice in enumerate(true):
        interval = blend.combine(of_row(said, row)).interval
        inside += [
            interval[name][0] <= value <= interval[name][1]
            for name, value in zip(NAMES, dice, strict=True)
        ]

    assert np.mean(inside) > 0.87


def test_a_missing_estimator_leaves_its_weight_to_the_others(blend):
    said, _, true = judged(seed=3)
    errors = [
        blend.combine({"fair": said["fair"][row], "sure": None}).score - true[row].mean()
        for row in range(len(true))
    ]

    assert np.mean(np.abs(errors)) < 0.07


def test_an_estimator_it_never_met_is_left_out(blend):
    said, _, _ = judged(seed=4)
    known = of_row(said, 0)

    with_stranger = blend.combine({**known, "stranger": quality_of("a", [0, 0, 0])})

    assert with_stranger.dice == blend.combine(known).dice


def test_where_nobody_judged_nothing_is_known(blend):
    quality = blend.combine({"sure": None})

    assert quality.score == 0
    assert quality.dice == {}
    assert quality.interval == dict.fromkeys(NAMES, (0.0, 1.0))
    assert quality.reasons == ("no estimator judged it",)


def test_an_absent_structure_has_dice_nought(blend):
    said, _, _ = judged(seed=5)

    quality = blend.combine(of_row(said, 0), absent=("RV",))

    assert quality.dice["RV"] == 0
    assert quality.interval["RV"] == (0, 0)
    assert quality.score == pytest.approx(np.mean(list(quality.dice.values())))


def test_with_nothing_to_learn_from_all_count_alike():
    blend = Blend(SHORT_AXIS).fit({"a": [], "b": []}, [])

    quality = blend.combine(
        {"a": quality_of("x", [0.2, 0.4, 0.6]), "b": quality_of("x", [0.4, 0.6, 0.8])}
    )

    assert quality.dice == pytest.approx({"LV": 0.3, "MYO": 0.5, "RV": 0.7})
    assert quality.interval["LV"] == (0, 1)


def test_a_score_that_is_no_dice_is_calibrated_all_the_same():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.2, 1, 15)
    graded = [graded_of(f"s{n}", [dice] * 3) for n, dice in enumerate(true)]
    scores = [Quality(f"s{n}", float(dice**4)) for n, dice in enumerate(true)]

    blend = Blend(SHORT_AXIS).fit({"rank": scores}, graded)

    assert blend.combine({"rank": Quality("new", 0.5**4)}).dice["LV"] == pytest.approx(
        0.5, abs=0.05
    )


def test_disagreement_beyond_that_of_the_training_is_a_reason():
    said, graded, _ = judged(noise={"cnn": 0.05, "svr": 0.05})
    blend = Blend(SHORT_AXIS).fit(said, graded)

    alike = {"svr": quality_of("a", [0.8] * 3), "cnn": quality_of("a", [0.79] * 3)}
    apart = {"svr": quality_of("a", [0.9] * 3, reasons=("LV has 3 parts",)),
             "cnn": quality_of("a", [0.4] * 3)}  # fmt: skip

    assert blend.combine(alike).reasons == ()
    said_of_it, kept = blend.combine(apart).reasons
    assert said_of_it.startswith("estimators disagree: cnn 0.4")
    assert ", svr 0." in said_of_it
    assert kept == "LV has 3 parts"


def test_a_member_that_never_counted_may_disagree(blend):
    wild = {"sure": quality_of("a", [0.8] * 3), "wild": quality_of("a", [0.0] * 3)}

    assert blend.combine(wild).reasons == ()


def test_maps_slices_and_surface_dice_are_means_of_those_who_tell_them():
    blend = Blend(SHORT_AXIS).fit({"a": [], "b": [], "c": []}, [])
    ones, zeros = np.ones((1, 2, 3, 4), np.float16), np.zeros((1, 2, 3, 4), np.float16)
    nan = float("nan")
    a = quality_of("x", [0.5] * 3, nsd={"LV": 0.2}, error_maps={"LV": ones, "RV": ones},
                   slice_dice={"LV": np.array([[0.2, nan]])})  # fmt: skip
    b = quality_of("x", [0.5] * 3, nsd={"LV": 0.6}, error_maps={"LV": zeros},
                   slice_dice={"LV": np.array([[0.4, 0.8]])})  # fmt: skip

    quality = blend.combine({"a": a, "b": b, "c": quality_of("x", [0.5] * 3)})

    assert quality.nsd == pytest.approx({"LV": 0.4})
    np.testing.assert_allclose(quality.slice_dice["LV"], [[0.3, 0.8]])
    assert quality.error_maps["RV"] is ones
    assert quality.error_maps["LV"].shape == (1, 2, 3, 4)
    np.testing.assert_array_equal(quality.error_maps["LV"][0, 1], np.full((3, 4), 0.5))


def test_error_maps_are_those_of_the_member_whose_maps_were_best():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, (1, 2, 6, 6)).astype(np.int8)
    labels = np.where(rng.random(truth.shape) < 0.3, 3 - truth, truth).astype(np.int8)
    image = np.zeros((1, *truth.shape), np.float32)
    graded = Graded(Prediction("a", image, labels, (8.0, 1.0, 1.0)), truth)
    errors = {
        part.name: (part.mask(labels) ^ part.mask(truth)).astype(np.float16)
        for part in SHORT_AXIS.structures
    }
    faint = {name: one * np.float16(0.8) for name, one in errors.items()}
    wrong = {name: 1 - one for name, one in errors.items()}
    said = {
        "faint": quality_of("a", [0.1] * 3, error_maps=faint),
        "none": quality_of("a", [0.5] * 3),
        "wrong": quality_of("a", [0.5] * 3, error_maps=wrong),
    }

    blend = Blend(SHORT_AXIS).fit({name: [one] for name, one in said.items()}, [graded])
    back = Blend(SHORT_AXIS).with_arrays(blend.arrays())

    np.testing.assert_allclose(blend.map_dice_, [1, np.nan, 0])
    assert back.combine(said).error_maps["RV"] is faint["RV"]
    del said["faint"]
    assert back.combine(said).error_maps["RV"] is wrong["RV"]


def test_dice_of_slices_is_read_as_that_of_the_whole_is():
    rng = np.random.default_rng(0)
    names = [f"s{number}" for number in range(60)]
    true = rng.uniform(0.2, 1, 60)
    # Says half of what is true, as one does that compares with an imperfect surrogate.
    said = [quality_of(name, [dice / 2] * 3) for name, dice in zip(names, true, strict=True)]
    labels = np.zeros((1, 1, 2, 2), np.int8)
    graded = [
        Graded(
            Prediction(name, np.zeros((1, 1, 1, 2, 2)), labels, (1.0, 1.0, 1.0)),
            dice=np.full((1, 3), dice),
        )
        for name, dice in zip(names, true, strict=True)
    ]
    blend = Blend(SHORT_AXIS).fit({"half": said}, graded)
    one = quality_of("x", [0.4] * 3, slice_dice={"LV": np.array([[0.0, 0.3, 0.45]])})

    found = blend.combine({"half": one}).slice_dice["LV"]

    np.testing.assert_allclose(found, [[0, 0.6, 0.9]], atol=0.1)


def test_mean_voxels_read_only_what_is_indexed():
    mean = MeanVoxels([np.full((2, 3), 1.0), np.full((2, 3), 0.0)], [0.25, 0.75])

    assert mean[1].tolist() == [0.25, 0.25, 0.25]
    assert mean.dtype == mean[0].dtype


def test_a_blend_comes_back_from_a_file(blend, tmp_path):
    said, _, _ = judged(seed=6)
    save_estimator(blend, tmp_path / "blend.safetensors")

    back = load_estimator(tmp_path / "blend.safetensors", {"blend": Blend}, SHORT_AXIS)

    for row in range(5):
        mine, theirs = blend.combine(of_row(said, row)), back.combine(of_row(said, row))
        assert (mine.dice, mine.interval, mine.reasons) == (
            theirs.dice, theirs.interval, theirs.reasons
        )  # fmt: skip


def test_a_blend_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="at least one estimator"):
        Blend(SHORT_AXIS).fit({}, [])
    with pytest.raises(ValueError, match="svr has 0 qualities, graded are 1"):
        Blend(SHORT_AXIS).fit({"svr": []}, [graded_of("a", [1, 1, 1])])
    with pytest.raises(NotFittedError):
        Blend(SHORT_AXIS).combine({})


def test_weights_are_equal_where_nothing_is_known_and_ones_where_a_member_is_right():
    true = np.linspace(0, 1, 50)
    said = np.column_stack([true, 1 - true])

    assert member_weights(said, np.full(50, np.nan), np.ones(50)).tolist() == [0.5, 0.5]
    assert member_weights(said, true, np.ones(50)) == pytest.approx([1, 0], abs=1e-2)


def test_saying_nothing_of_some_predictions_costs_no_weight():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.2, 1, 400)
    said = true[:, None] + rng.normal(0, 0.1, (400, 2))
    said[::2, 1] = np.nan

    # Where both speak they are alike, elsewhere the weights do not matter.
    assert member_weights(said, true, np.ones(400)) == pytest.approx([0.5, 0.5], abs=0.1)


def test_a_mean_leaves_out_who_said_nothing():
    said = np.array([[[0.2], [np.nan], [0.8]], [[np.nan]] * 3])

    found = weighed(said, np.array([[0.25], [0.5], [0.25]]))

    assert found[0, 0] == pytest.approx(0.5)
    assert np.isnan(found[1, 0])


def test_folds_never_part_a_subject_and_hold_out_each_once():
    subjects = np.array(list("aabbccdde"))

    folds = list(folds_of(subjects, 3))

    assert np.sum(folds, axis=0).tolist() == [1] * 9
    for held in folds:
        assert not set(subjects[held]) & set(subjects[~held])
    assert len(list(folds_of(subjects, 20))) == 5
    assert list(folds_of(np.array(["a", "a"]), 3)) == []


def test_structures_in_no_frame_are_absent():
    labels = np.zeros((2, 1, 2, 3), np.int8)
    labels[1, 0, 0, 0] = 3

    assert absent_structures(prediction_of("a", labels), SHORT_AXIS) == ("MYO", "RV")


def thinned(one):
    """Every third frame, which are those with a reference."""
    labels, reference = one.prediction.labels[::3], one.reference[::3]
    return Graded(prediction_of(one.prediction.study, labels), reference)


GRADED = [thinned(one) for one in graded_hearts(8)]
PREDICTIONS = [one.prediction for one in GRADED]


class Pessimist(Physiology):
    """Halves every Dice."""

    def predict(self, predictions):
        found = super().predict(predictions)
        halves = [{name: dice / 2 for name, dice in one.dice.items()} for one in found]
        return [Quality(q.study, q.score / 2, dice=d) for q, d in zip(found, halves, strict=True)]


PAIR = ("physiology", "pessimist")


@pytest.fixture(scope="module", autouse=True)
def more_estimators():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ESTIMATORS, "physiology", Physiology)
        patch.setitem(ESTIMATORS, "pessimist", Pessimist)
        yield


@pytest.fixture(scope="module")
def fitted(more_estimators):
    return Consensus(SHORT_AXIS, members=PAIR).fit(GRADED)


def scores(estimator, predictions=PREDICTIONS):
    return [quality.score for quality in estimator.predict(predictions)]


def test_a_consensus_ranks_good_above_erroneous_never_seen(fitted):
    unseen = graded_hearts(6, first=200)
    found = np.array(scores(fitted, [one.prediction for one in unseen]))
    is_good = np.array([one.is_good for one in unseen])

    assert np.mean(np.greater.outer(found[is_good], found[~is_good])) > 0.8


class Recorder(Physiology):
    """Remembers what it learned from, and refuses to judge that while weights are learned."""

    learned: list[set[str]] = []  # noqa: RUF012
    judged: list[tuple[set[str], str]] = []  # noqa: RUF012

    def fit(self, graded, *, observe=None):
        self.studies_ = {one.prediction.study for one in graded}
        Recorder.learned.append(self.studies_)
        return super().fit(graded)

    def predict(self, predictions):
        Recorder.judged += [(self.studies_, one.study) for one in predictions]
        return super().predict(predictions)


@pytest.fixture
def recorder(monkeypatch):
    Recorder.learned, Recorder.judged = [], []
    monkeypatch.setitem(ESTIMATORS, "recorder", Recorder)
    return Recorder


def test_no_member_teaches_weights_by_a_study_it_learned_from(recorder):
    Consensus(SHORT_AXIS, members=("recorder",), folds=3).fit(GRADED)

    assert {study for _, study in recorder.judged} == {p.study for p in PREDICTIONS}
    assert not [study for learned, study in recorder.judged if study in learned]
    assert [len(studies) for studies in recorder.learned] == [5, 5, 6, 8]


def test_one_fold_holds_out_a_share_and_fits_members_once(recorder):
    estimator = Consensus(SHORT_AXIS, members=("recorder",), folds=1, holdout=0.25).fit(GRADED)

    assert [len(studies) for studies in recorder.learned] == [6]
    assert len({study for _, study in recorder.judged}) == 2
    assert estimator.members_["recorder"].studies_ == recorder.learned[0]


def test_a_single_study_teaches_members_but_no_weights():
    estimator = Consensus(SHORT_AXIS, members=PAIR).fit(GRADED[:2])

    quality = estimator.predict(PREDICTIONS[:1])[0]

    assert quality.interval["LV"] == (0, 1)
    np.testing.assert_allclose(estimator.blend_.stack_.weights, 0.5)


def test_arguments_and_seed_reach_the_members():
    few = [replace(one, nsd=np.ones((one.prediction.frames, 3))) for one in GRADED[:4]]
    estimator = Consensus(
        SHORT_AXIS, members=("svr",), arguments={"svr": {"c": 3.0}}, folds=1, seed=5
    ).fit(few)

    assert estimator.members_["svr"].c == 3.0
    assert estimator.members_["svr"].seed == 5


def test_progress_is_told_of_every_fit():
    seen = []

    Consensus(SHORT_AXIS, members=("physiology",), folds=2).fit(
        GRADED[:8], observe=lambda done, total: seen.append((done, total))
    )

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_consensus_comes_back_from_a_file(fitted, tmp_path):
    save_estimator(fitted, tmp_path / "a.safetensors")

    back = load_estimator(tmp_path / "a.safetensors", {"consensus": Consensus}, SHORT_AXIS)

    assert back.get_params() == fitted.get_params()
    assert scores(back) == scores(fitted)


@pytest.mark.slow
def test_a_consensus_is_an_estimator_as_others(fitted):
    blank = Consensus(SHORT_AXIS)

    assert vars(blank) == blank.get_params(deep=False)
    assert scores(clone(fitted).fit(GRADED)) == scores(fitted)
    assert scores(fitted, PREDICTIONS[::-1])[::-1] == pytest.approx(scores(fitted), abs=1e-6)
    assert fitted.predict([]) == []
    with pytest.raises(NotFittedError):
        blank.predict(PREDICTIONS)
    with pytest.raises(NotFittedError):
        blank.arrays()
    with pytest.raises(ValueError, match="at least one graded prediction"):
        blank.fit([])
    with pytest.raises(ValueError, match="unknown member 'nobody'"):
        Consensus(SHORT_AXIS, members=("nobody",)).fit(GRADED)


def test_an_empty_prediction_scores_nought(fitted):
    empty = prediction_of("empty", np.zeros_like(heart("empty")))

    assert scores(fitted, [empty]) == [0]
