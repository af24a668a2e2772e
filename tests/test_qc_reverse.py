"""Reverse classification: what references say of a segmentation, and how it gets to them."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from curve_builders import heart, prediction_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qc.base import Graded
from qc.estimators.reverse import atlas as atlas_module
from qc.estimators.reverse.atlas import Atlas
from qc.estimators.reverse.build import atlas_of
from qc.estimators.reverse.estimator import ReverseClassification, summary
from qc.estimators.reverse.references import chosen_references
from qc.estimators.reverse.transfer import AtlasTransfer, dice_with, lost
from qc.frames import Frame, by_image, frame_of, graded_frames
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED
from semiqc.study import Prediction

NAMES = [structure.name for structure in SHORT_AXIS.structures]


def shifted_hearts(count, shifts=(0, 4, 9), first=0):
    """Of each study one frame, segmented as it is and moved by so many columns."""
    graded = []
    for number in range(first, first + count):
        truth = heart(f"s{number}", frames=1)
        for shift in shifts:
            labels = np.roll(truth, shift, axis=-1)
            graded.append(Graded(prediction_of(f"s{number}", labels, truth=truth), truth))
    return graded


def small(scheme=SHORT_AXIS, **settings):
    return ReverseClassification(scheme, **{"size": 24, "references": 6, **settings})


GRADED = shifted_hearts(6)
PREDICTIONS = [one.prediction for one in GRADED]
UNSEEN = shifted_hearts(3, first=50)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(GRADED)


def dice_of(estimator, graded):
    found = estimator.predict([one.prediction for one in graded])
    return np.array([[quality.dice[name] for name in NAMES] for quality in found])


def true_dice(graded):
    return np.array([one.dice(SHORT_AXIS) for one in graded_frames(graded)])


@pytest.mark.parametrize("way", ["atlas", "forest"])
def test_quality_of_studies_never_seen_is_close(way):
    estimator = small(way=way, nearest=3).fit(GRADED)

    found = dice_of(estimator, UNSEEN)

    assert np.abs(found - true_dice(UNSEEN)).mean() < 0.12
    by_shift = found.mean(axis=1).reshape(-1, 3)
    assert (np.diff(by_shift, axis=1) < -0.1).all()


def test_pairwise_registration_agrees():
    pytest.importorskip("SimpleITK")
    estimator = small(way="pairwise", references=3).fit(GRADED[:9])

    found = dice_of(estimator, UNSEEN[:3]).mean(axis=1)

    assert (np.diff(found) < -0.1).all()
    one_slice = prediction_of("thin", heart("thin", frames=1)[:, :1])
    assert 0 <= estimator.predict([one_slice])[0].score <= 1


def test_the_pairwise_way_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)

    with pytest.raises(ImportError, match=r"pip install 'semiqc\[pairwise\]'"):
        small(way="pairwise").fit(GRADED)


@pytest.mark.parametrize("way", ["atlas", "forest"])
def test_no_frame_meets_a_reference_of_its_own_study(way):
    raw = small(way=way, calibrate=False)
    first, second = GRADED[0], GRADED[3]

    of_one = raw.fit([first]).predict([first.prediction, second.prediction])
    of_two = raw.fit([first, second]).predict([first.prediction, second.prediction])

    # Where the only reference is of the same study, nothing speaks for the segmentation.
    assert of_one[0].score == 0
    assert of_one[1].score > 0.6
    # Each meets the other's reference only: the same pair, so neither agrees with itself.
    assert all(0.5 < quality.score < 0.97 for quality in of_two)


def test_references_of_one_subject_teach_no_calibration():
    visits = [replace(one, subject="the same") for one in GRADED[:6]]
    calibrated = small().fit(visits)
    raw = small(calibrate=False).fit(visits)

    found = dice_of(calibrated, UNSEEN)

    # Calibrated by nothing, every segmentation would be as good as any other.
    np.testing.assert_array_equal(found, dice_of(raw, UNSEEN))
    assert (found[::3] > found[2::3]).all()
    back = small().with_arrays(calibrated.arrays())
    np.testing.assert_array_equal(found, dice_of(back, UNSEEN))


def test_without_calibration_the_best_dice_is_the_estimate(fitted):
    raw = clone(fitted).set_params(calibrate=False).fit(GRADED)

    found = dice_of(raw, UNSEEN)

    assert not np.array_equal(found, dice_of(fitted, UNSEEN))
    assert (found[::3] > found[2::3]).all()


def test_graded_frames_without_a_known_dice_are_enough_for_labels():
    truths = [Graded(replace(one.prediction), one.reference) for one in GRADED[::3]]

    found = dice_of(small(calibrate=False).fit(truths), UNSEEN[:1])

    assert (found > 0.6).all()


def test_each_study_gives_a_reference_before_any_gives_a_second():
    two_frames = [heart(name, frames=2) for name in "ab"]
    graded = [
        Graded(prediction_of(name, np.roll(labels, shift, -1), truth=labels), labels)
        for name, labels in zip("ab", two_frames, strict=True)
        for shift in (0, 3)
    ]

    chosen = chosen_references(graded_frames(graded), 3)

    assert [one.study for one in chosen] == ["a", "b", "a"]
    np.testing.assert_array_equal(chosen[0].labels, two_frames[0][0])
    np.testing.assert_array_equal(chosen[2].labels, two_frames[0][1])
    assert len(chosen_references(graded_frames(graded), 100)) == 4
    # Frames 0 and 1 of the two segmentations of a, then those of b.
    assert by_image(graded_frames(graded)) == [[0, 2], [1, 3], [4, 6], [5, 7]]


def test_references_without_any_structure_are_refused():
    nothing = np.zeros((1, 4, 40, 44), np.int8)
    graded = [Graded(prediction_of("none", heart("none", frames=1)), nothing)]

    with pytest.raises(ValueError, match="a reference with a structure"):
        small().fit(graded)


def test_the_space_is_found_wherever_the_image_shows_the_heart():
    truth = heart("lies", frames=1)[0]
    shown = prediction_of("lies", truth[None], truth=truth[None]).image[:, 0]
    atlas = atlas_of([frame.frame() for frame in graded_frames(GRADED[::3])], 24)
    way = AtlasTransfer(atlas, SHORT_AXIS)
    everyone = np.ones(6, np.bool_)
    far = ((0, 0), (0, 0), (30, 0), (0, 45))
    best = []
    for image, labels in (
        (shown, truth),
        (np.pad(shown, far, constant_values=0.2), np.pad(truth, far[1:])),
        (np.rot90(shown, axes=(2, 3)), np.rot90(truth, axes=(1, 2))),
    ):
        spacing = (10.0, 1.9, 1.9)
        frame = Frame("lies", np.ascontiguousarray(image), np.ascontiguousarray(labels), spacing)
        best.append(
            np.nanmax(way.prepare(frame, atlas.place(frame), everyone).overlaps(frame), axis=0)
        )

    assert (np.array(best) > 0.6).all()
    assert best[1] == pytest.approx(best[0], abs=0.1)


def test_the_registration_does_not_depend_on_the_segmentation(fitted):
    frame = graded_frames(UNSEEN)[0].frame()
    another = replace(frame, labels=np.zeros_like(frame.labels))

    fitted.atlas_.lately.clear()
    first = fitted.atlas_.place(frame)
    again = fitted.atlas_.place(another)
    fitted.atlas_.lately.clear()
    anew = fitted.atlas_.place(another)

    assert again is first
    np.testing.assert_array_equal(anew.points, first.points)


def test_dice_counts_only_what_a_reference_labels_and_what_is_lost():
    carried = np.array([[[3, 3, 2, 0]]], np.int8)
    references = np.array(
        [[[[3, 3, 2, 0]]], [[[3, 0, 0, 0]]], [[[3, UNLABELLED, UNLABELLED, 0]]], [[[0, 0, 0, 0]]]],
        np.int8,
    )

    found = dice_with(carried, np.zeros(3), references, SHORT_AXIS)

    # LV: 2 * 2 / 4; 2 * 1 / (2 + 1); all that is labelled agrees; missing. RV is nowhere.
    assert found[:, 0] == pytest.approx([1, 2 / 3, 1, 0])
    assert found[:, 1] == pytest.approx([1, 0, np.nan, 0], nan_ok=True)
    assert np.isnan(found[:, 2]).all()
    # One more voxel of LV, elsewhere: 2 * 2 / 5.
    lost_one = dice_with(carried, np.array([1.0, 0, 0]), references[:1], SHORT_AXIS)
    assert lost_one[0, 0] == pytest.approx(0.8)


def test_what_lies_beside_the_references_view_counts_as_lost(fitted):
    frame = graded_frames(UNSEEN)[0].frame()
    placed = fitted.atlas_.place(frame)
    far = ((0, 0), (0, 60), (0, 0))
    labels = np.pad(frame.labels, far)
    wide = replace(frame, image=np.pad(frame.image, ((0, 0), *far)), labels=labels)
    # The centre of the wide frame lies 30 rows further.
    there = placed.shift - [0, 30 * frame.spacing[1], 0]
    stray = labels.copy()
    stray[:, -10:, :20] = 1

    clean = lost(wide, placed.matrix, there, fitted.atlas_, SHORT_AXIS)
    spoilt = lost(replace(wide, labels=stray), placed.matrix, there, fitted.atlas_, SHORT_AXIS)

    assert clean == pytest.approx(
        lost(frame, placed.matrix, placed.shift, fitted.atlas_, SHORT_AXIS)
    )
    voxel = np.prod(frame.spacing) / np.prod(fitted.atlas_.spacing)
    voxel /= np.linalg.det(placed.matrix)
    added = round((spoilt - clean)[NAMES.index("RV")] / voxel)
    # 10 rows of 20 columns in each slice that the space reaches: at least two of four.
    assert added in (400, 600, 800)


def test_slices_before_and_after_the_references_are_not_lost():
    space = np.zeros((2, 10, 10), np.float32)
    atlas = Atlas((10.0, 2.0, 2.0), space, space[None], space[None, None], space[None], space)
    labels = np.zeros((6, 10, 30), np.int8)
    labels[:, 4, [0, 14]] = 3
    frame = Frame("any", labels[None].astype(np.float32), labels, (10.0, 2.0, 2.0))

    found = lost(frame, np.eye(3), np.zeros(3), atlas, SHORT_AXIS)
    larger = lost(frame, np.diag([1.0, 2, 4]), np.zeros(3), atlas, SHORT_AXIS)

    # Column 0 lies 29 mm from the centre, beyond 10 mm; 2 of the 6 slices are those of the space.
    assert found == pytest.approx([2, 0, 0])
    # Within 40 mm, where the space covers four times as many columns.
    assert larger == pytest.approx([0, 0, 0])
    # Slices are now half as thick in the space, which reaches 20 mm from the centre, to 4 of them.
    halved = lost(frame, np.diag([2.0, 1, 1]), np.zeros(3), atlas, SHORT_AXIS)
    assert halved == pytest.approx([4 / 2, 0, 0])


def test_a_summary_is_led_by_the_best():
    dice = np.array([[0.2, np.nan], [0.8, np.nan], [0.4, np.nan], [np.nan, np.nan]])
    likeness = np.array([0.9, 0.1, 0.5, -np.inf])

    found = summary(dice, likeness, nearest=2)

    # Best, 90 %, 75 % and 50 % of .2, .4, .8; then of the likest two, .2 and .4, mean and best.
    assert found[0::2] == pytest.approx([0.8, 0.72, 0.6, 0.4, 0.3, 0.4, 0.7])
    assert found[1::2] == pytest.approx(np.zeros(6))


def test_structures_that_were_not_predicted_have_quality_0(fitted):
    labels = heart("lost", frames=1)
    without = np.where(labels == 1, 0, labels).astype(np.int8)

    quality = fitted.predict([prediction_of("lost", without, truth=labels)])[0]

    assert quality.dice["RV"] == 0
    assert quality.dice["LV"] > 0.5


def odd_predictions():
    labels = heart("odd", frames=9)
    yield "nine frames", prediction_of("odd", labels, truth=labels)
    yield "one slice", prediction_of("odd", labels[:1, :1])
    yield "another size", prediction_of("odd", labels[:1, :, 3:-4, 2:], (6.0, 1.0, 1.1))
    image = np.full((1, 1, 4, 40, 44), np.nan, np.float32)
    yield "no numbers", Prediction("odd", image, labels[:1], (10.0, 2.0, 1.8))
    yield "tiny", prediction_of("odd", labels[:1, :2, 20:23, 20:22])


@pytest.mark.parametrize("way", ["atlas", "forest"])
@pytest.mark.parametrize("prediction", [pytest.param(p, id=kind) for kind, p in odd_predictions()])
def test_an_odd_prediction_is_judged(fitted, prediction, way):
    estimator = clone(fitted).set_params(way=way, nearest=2)
    estimator.with_arrays(fitted.arrays())

    assert 0 <= estimator.predict([prediction])[0].score <= 1


def test_frames_of_a_series_have_each_their_own_quality(fitted):
    truth = heart("cine", frames=8)
    labels = truth.copy()
    labels[5] = np.roll(labels[5], 9, axis=-1)
    bad = np.zeros(8)
    for t in range(8):
        one = np.tile(labels[t : t + 1], (8, 1, 1, 1))
        bad[t] = fitted.predict([prediction_of("cine", one, truth=truth)])[0].score
    together = fitted.predict([prediction_of("cine", labels, truth=truth)])[0].score

    assert bad.argmin() == 5
    assert bad.min() < together < bad.max()


@pytest.mark.parametrize(("frames", "everywhere"), [(2, 2), (4, 4), (5, 1), (8, 1)])
def test_in_a_longer_series_the_others_are_looked_for_where_the_first_was(
    fitted, frames, everywhere, monkeypatch
):
    labels = heart("long", frames=frames)
    searched = []
    looked = atlas_module.candidates
    monkeypatch.setattr(
        atlas_module, "candidates", lambda *given: searched.append(given) or looked(*given)
    )
    fitted.atlas_.lately.clear()

    (first,) = fitted.predict([prediction_of("long", labels, truth=labels)])
    (again,) = fitted.predict([prediction_of("long", labels, truth=labels)])

    assert len(searched) == everywhere
    assert len(fitted.atlas_.lately) == frames
    assert again.dice == first.dice


def test_a_place_that_was_followed_looks_as_much_like_the_references(fitted):
    labels = heart("long", frames=8)
    frames = [frame_of(prediction_of("long", labels, truth=labels), t) for t in range(8)]

    together = fitted.atlas_.place_all(frames)

    for followed, frame in zip(together, frames, strict=True):
        alone = fitted.atlas_.place(frame)
        assert followed.likeness.max() > alone.likeness.max() - 0.1
    # A place is that of the frame alone again where the frame is asked for by itself.
    assert fitted.atlas_.place(frames[1]) is not together[1]
    assert fitted.atlas_.place(frames[0]) is together[0]


def test_an_image_that_shows_something_else_is_looked_for_everywhere(fitted):
    labels = heart("long", frames=2)
    one, other = (frame_of(prediction_of("long", labels, truth=labels), t) for t in range(2))
    away = replace(other, image=np.roll(other.image, 14, axis=-1))

    _, found = fitted.atlas_.place_all([one, away])

    np.testing.assert_array_equal(found.points, fitted.atlas_.place(away).points)


def test_other_schemes_are_judged_alike():
    vessel = [(heart(name, frames=2)[:, :1] == 3).astype(np.int8) for name in "abcd"]
    graded = [
        Graded(prediction_of(name, np.roll(labels, shift, -1), truth=labels), labels)
        for name, labels in zip("abcd", vessel, strict=True)
        for shift in (0, 6)
    ]

    good, bad = small(AORTA).fit(graded[:6]).predict([one.prediction for one in graded[6:]])

    assert good.score > bad.score + 0.1


def test_several_modalities_and_nested_structures_are_judged():
    graded = []
    for name in "abc":
        labels = heart(name, frames=1)
        plain = prediction_of(name, labels, truth=labels)
        image = np.concatenate([plain.image, -plain.image, plain.image**2, 0 * plain.image])
        graded.append(Graded(replace(plain, image=image), labels))
    estimator = small(TUMOUR).fit(graded)

    quality = estimator.predict([graded[0].prediction])[0]

    assert set(quality.dice) == {"WT", "TC", "ET"}
    assert quality.score > 0.5
    with pytest.raises(ValueError, match="1 modalities, the references have 4"):
        estimator.predict([prediction_of("d", heart("d", frames=1))])


@pytest.mark.parametrize("way", ["atlas", "forest"])
def test_the_contract_of_estimators_holds(tmp_path, way):
    estimator = small(way=way, nearest=2, references=4)
    assert not [name for name in vars(estimator) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        estimator.predict(PREDICTIONS)
    with pytest.raises(NotFittedError):
        estimator.arrays()
    assert estimator.fit(GRADED[:6]) is estimator
    some = PREDICTIONS[:4]
    learned = {name: array.copy() for name, array in estimator.arrays().items()}
    scores = [quality.score for quality in estimator.predict(some)]

    save_estimator(estimator, tmp_path / "rca.safetensors")
    back = load_estimator(tmp_path / "rca.safetensors", {"rca": ReverseClassification}, SHORT_AXIS)

    assert [quality.score for quality in back.predict(some)] == scores
    assert back.get_params() == estimator.get_params() == clone(estimator).get_params()
    alone = [estimator.predict([one])[0].score for one in some[::-1]]
    assert alone[::-1] == pytest.approx(scores, abs=1e-6)
    for name, array in estimator.arrays().items():
        np.testing.assert_array_equal(array, learned[name])
    assert estimator.predict([]) == []
    empty = prediction_of("empty", np.zeros_like(heart("empty", frames=1)))
    assert estimator.predict([empty])[0].score == 0


def test_the_same_is_learned_again_and_random_numbers_of_the_caller_stay():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002

    np.random.seed(3)  # noqa: NPY002
    twice = [small(way=way, nearest=1).fit(GRADED[:6]) for way in ("forest", "forest")]

    assert np.random.rand() == expected  # noqa: NPY002
    for name, array in twice[0].arrays().items():
        np.testing.assert_array_equal(array, twice[1].arrays()[name])


def test_progress_is_told():
    told = []

    small(references=2).fit(GRADED[:6], observe=lambda done, total: told.append((done, total)))

    assert told == [(1, 2), (2, 2)]
    small(calibrate=False, references=2).fit(GRADED[:6], observe=lambda *parts: told.append(parts))
    assert told[2:] == [(1, 1)]
