"""The estimator that compares with another segmenter."""

from dataclasses import replace

import numpy as np
import pytest
from curve_builders import graded_hearts, heart, prediction_of
from segmenter_builders import bright_square

from qc.base import Graded
from qc.estimators.second_opinion.comparing import Others, OtherSegmentation, slices_by_turns
from qc.estimators.second_opinion.estimator import SecondOpinion
from qc.estimators.second_opinion.learning import folds_of, studies_of
from qc.frames import Frame, frame_of, graded_frames
from qc.saving import load_estimator, save_estimator
from segmenters import PlainUNet
from semiqc.images.crop import CropBox
from semiqc.measuring.masks import masks
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.measuring.surfaces import surface_dice
from semiqc.schemes import SHORT_AXIS
from semiqc.study import PHANTOM_SOURCE, Geometry

TRUTH = heart("other", frames=1)
MOVED = np.roll(TRUTH, 3, axis=-1)
IMPORTED = Geometry(np.eye(4), (44, 40, 4), source="patient.nii.gz")
SMALL = {"channels": (4, 8), "steps": 2, "batch_size": 2, "patch": (32, 32)}


class Certain:
    """A segmenter that gives every frame the labels of ``TRUTH``, surely or not."""

    scheme = SHORT_AXIS

    def __init__(self, sure=1.0):
        self.sure = sure

    def where(self, study):
        return None

    def predict_within(self, study, box):
        classes = np.arange(len(SHORT_AXIS.classes))[:, None, None, None]
        shown = (TRUTH[0] == classes).astype(np.float32)
        for _ in range(study.frames):
            yield self.sure * shown + (1 - self.sure) / len(classes)


def frame_with(labels):
    return Frame("one", np.zeros((1, *labels.shape[1:]), np.float32), labels[0], (10.0, 2.0, 1.8))


def compared(labels, sure=1.0):
    frame = frame_with(labels)
    return OtherSegmentation.of(Certain(sure), frame, None).compared_with(frame)


def test_whoever_says_the_same_agrees_wholly():
    found = compared(TRUTH)

    np.testing.assert_allclose(found.dice(), 1)
    np.testing.assert_allclose(found.nsd(), 1)
    assert not found.errors().any()


def test_agreement_is_dice_with_the_other_as_the_reference():
    first, second = masks(MOVED[0], SHORT_AXIS), masks(TRUTH[0], SHORT_AXIS)
    sizes = first.sum((1, 2, 3)) + second.sum((1, 2, 3))

    found = compared(MOVED)

    expected = 2 * (first & second).sum((1, 2, 3)) / sizes
    np.testing.assert_allclose(found.dice(), np.stack([expected, expected], axis=1), rtol=1e-6)
    assert (expected < 0.95).all()
    np.testing.assert_array_equal(found.errors() > 0.5, first != second)
    whole = surface_dice(first, second, (10.0, 2.0, 1.8), NSD_TOLERANCE_MM)
    np.testing.assert_allclose(found.nsd(), whole)


def test_whoever_is_unsure_agrees_less_and_calls_nothing_right():
    found = compared(TRUTH, sure=0.6)

    np.testing.assert_allclose(found.dice()[:, 0], 1)
    assert (found.dice()[:, 1] < 0.8).all()
    np.testing.assert_allclose(found.errors().max(), 0.3, atol=2 / 255)


def test_what_neither_has_is_unknown_and_what_one_has_is_0():
    bare = np.where(TRUTH == 1, 0, TRUTH)
    frame = frame_with(bare)
    right = SHORT_AXIS.structures[-1].name
    assert right == "RV"

    assert (compared(bare).dice()[-1] == 0).all()
    other = OtherSegmentation.of(Certain(), frame, None)
    empty = replace(other, labels=np.zeros_like(other.labels))
    found = empty.compared_with(frame_with(np.zeros_like(TRUTH)))
    assert np.isnan(found.dice()).all()
    assert np.isnan(found.nsd()).all()


def test_what_was_made_of_an_image_is_remembered(monkeypatch):
    monkeypatch.setattr("qc.estimators.second_opinion.comparing.REMEMBERED", 2)
    frames = [frame_with(TRUTH)] * 2
    frames += [replace(frames[0], image=frames[0].image + n) for n in (1, 2, 1)]
    asked = []

    class Asked(Certain):
        def predict_within(self, study, box):
            asked.append(float(np.max(study.image[:])))
            return super().predict_within(study, box)

    others = Others(Asked())
    first, again, *_ = [others.of(frame, None) for frame in frames]

    assert first is again
    assert asked == [0, 1, 2]
    others.of(frames[0], None)
    assert asked == [0, 1, 2, 0]
    elsewhere = CropBox(np.arange(4), (1, 1), (16, 16))
    assert others.of(frames[0], elsewhere) is not others.of(frames[0], None)


def test_each_slice_that_is_looked_at_whole_is_of_a_frame_by_turns():
    image = np.zeros((2, 12, 4, 3, 3), np.float32)
    image += np.arange(12)[:, None, None, None] + 100 * np.arange(2)[:, None, None, None, None]

    still = slices_by_turns(image)

    assert still.shape == (2, 1, 4, 3, 3)
    assert still[:, 0, :, 1, 1].tolist() == [[0, 4, 8, 0], [100, 104, 108, 100]]
    np.testing.assert_array_equal(slices_by_turns(image[:, 3:4]), image[:, 3:4])


def test_a_heart_is_looked_for_once_in_a_cine_whichever_frames_are_judged():
    labels = heart("other", frames=12)
    image = np.zeros((1, *labels.shape), np.float32) + np.arange(12)[:, None, None, None]
    cine = replace(prediction_of("other", labels), image=image)
    asked = []

    class Somewhere(Certain):
        def where(self, study):
            asked.append(study.image.shape)
            return CropBox(np.arange(4), (1, 1), (32, 32))

        def predict_within(self, study, box):
            assert box.start == (1, 1)
            return super().predict_within(study, box)

    others = Others(Somewhere())
    for number in (0, 7, 11):
        others.of(frame_of(cine, number), others.place_in(frame_of(cine, number)))

    assert asked == [(1, 1, *TRUTH.shape[1:])]


def test_what_is_kept_is_only_where_something_is_seen():
    other = OtherSegmentation.of(Certain(), frame_with(TRUTH), None)

    assert other.likely[0].size < TRUTH[0].size
    np.testing.assert_array_equal(other.found, masks(TRUTH[0], SHORT_AXIS))
    np.testing.assert_array_equal(other.probabilities, masks(TRUTH[0], SHORT_AXIS))


def test_a_reason_says_how_a_structure_differs_from_the_others():
    names = [one.name for one in SHORT_AXIS.structures]
    larger = np.where(TRUTH == 1, 1, 3)
    bad, good = np.full(3, 0.3), np.full(3, 0.9)

    assert compared(MOVED).reasons(bad, names) == tuple(
        f"{name} lies elsewhere than a second segmenter finds it" for name in names
    )
    assert compared(larger).reasons(bad, names) == (
        "LV is larger than a second segmenter finds it",
        "RV lies elsewhere than a second segmenter finds it",
    )
    smaller = np.where(np.arange(TRUTH.shape[-1]) < 26, TRUTH, 0)
    assert "LV is smaller than a second segmenter finds it" in compared(smaller).reasons(
        bad, names
    )
    assert compared(MOVED).reasons(good, names) == ()


def test_each_image_teaches_once_however_many_segmentations_of_it_are_graded():
    labels = heart("a", frames=2)
    graded = [
        Graded(prediction_of("a", np.roll(labels, shift, -1), truth=labels), labels)
        for shift in (0, 2, 4)
    ]

    found = studies_of(graded_frames(graded))

    assert [study.name for study in found] == ["a, frame 0", "a, frame 1"]
    np.testing.assert_array_equal(found[1].labels[0], labels[1])


def test_no_subject_lies_in_two_folds():
    subjects = ["a", "b", "a", "c", "b", "d", "a"]

    folds = folds_of(subjects, 2)

    assert sorted(at for fold in folds for at in fold) == list(range(7))
    whose = [{subjects[at] for at in fold} for fold in folds]
    assert not whose[0] & whose[1]
    assert len(folds_of(subjects, 9)) == 4
    assert folds_of(["a", "a"], 2) == []


def test_curves_are_learned_from_networks_that_saw_other_subjects(monkeypatch):
    learned, asked = [], []

    def fit(self, studies, **_):
        learned.append({study.subject for study in studies})
        self.number = len(learned) - 1
        return self

    def of(segmenter, frame, place):
        asked.append((segmenter.number, frame.study))
        return other(Certain(), frame, place)

    other = OtherSegmentation.of
    monkeypatch.setattr(PlainUNet, "fit", fit)
    monkeypatch.setattr(PlainUNet, "where", Certain.where)
    monkeypatch.setattr(OtherSegmentation, "of", staticmethod(of))
    graded = graded_hearts(3)
    SecondOpinion(SHORT_AXIS, **SMALL).fit(graded)

    everyone = {one.whose for one in graded}
    assert learned[0] == everyone
    assert learned[1] | learned[2] == everyone
    assert asked
    assert not any(study in learned[number] for number, study in asked)


def test_with_one_subject_alone_agreement_is_told_as_it_is():
    graded = [replace(one, subject="the same") for one in graded_hearts(1)]

    fitted = SecondOpinion(SHORT_AXIS, **SMALL).fit(graded)

    assert all(
        (curve(np.array([0.3, 0.8])) == [0.3, 0.8]).all() for curve in fitted.curves_.values()
    )


def test_without_calibration_agreement_is_told_as_it_is():
    fitted = SecondOpinion(SHORT_AXIS, **SMALL, calibrate=False).fit(graded_hearts(2))

    (prediction,) = [one.prediction for one in graded_hearts(1, first=7)[:1]]
    found = fitted.set_params(every=1).predict([prediction])[0]
    frames = [frame_of(prediction, number) for number in range(len(prediction.labels))]
    others = Others(fitted.segmenter_)
    place = others.place_in(frames[0])
    agreement = [others.of(frame, place).compared_with(frame).dice() for frame in frames]
    expected = np.nan_to_num(np.mean(agreement, axis=(0, 2)))
    np.testing.assert_allclose([found.dice[one.name] for one in SHORT_AXIS.structures], expected)


def test_weights_are_taken_as_they_are_and_all_frames_teach_the_curves(tmp_path):
    file = tmp_path / "weights.safetensors"
    blank = SecondOpinion(SHORT_AXIS, **SMALL)
    blank.fit(graded_hearts(2)).segmenter_.save(file)

    taken = SecondOpinion(SHORT_AXIS, **SMALL | {"steps": 0}, start=str(file)).fit(
        graded_hearts(2)
    )

    for name, weight in taken.segmenter_.network_.state_dict().items():
        np.testing.assert_array_equal(weight, blank.segmenter_.network_.state_dict()[name])
    assert max(len(curve.signals) for curve in taken.curves_.values()) > 1


def test_no_steps_without_weights_are_refused():
    blank = SecondOpinion(SHORT_AXIS, **SMALL | {"steps": 0}, start="scratch")

    with pytest.raises(ValueError, match="steps: 0 needs weights to start from"):
        blank.check()
    with pytest.raises(ValueError, match="steps: 0 needs weights to start from"):
        blank.fit(graded_hearts(2))


def test_frames_without_a_reference_teach_no_network():
    known = [Graded(one.prediction, dice=np.full((16, 3), 0.7)) for one in graded_hearts(2)]

    with pytest.raises(ValueError, match=r"learns from references, got none in \d+"):
        SecondOpinion(SHORT_AXIS, **SMALL).fit(known)


def test_patients_let_it_start_from_the_weights_of_phantoms_and_phantoms_do_not():
    patient = replace(bright_square(), geometry=IMPORTED)
    phantom = replace(patient, geometry=replace(IMPORTED, source=PHANTOM_SOURCE))
    blank = SecondOpinion(SHORT_AXIS)

    assert blank.suited_to([patient]).start == "phantom"
    assert blank.suited_to([patient, phantom]).start == "scratch"
    assert blank.suited_to([]).start == "auto"
    assert SecondOpinion(SHORT_AXIS, **SMALL).suited_to([patient]).start == "scratch"
    assert SecondOpinion(SHORT_AXIS, start="here.safetensors").suited_to([patient]).start == (
        "here.safetensors"
    )
    assert blank.suited_to([patient]).steps == blank.steps


def test_other_weights_to_start_from_are_another_fit(tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"first")
    blank = SecondOpinion(SHORT_AXIS, start=str(file))
    before = blank.starts_from()
    file.write_bytes(b"second")

    assert before != blank.starts_from()
    assert SecondOpinion(SHORT_AXIS, start="scratch").starts_from() == {"start": ""}


def test_a_network_without_levels_is_refused():
    with pytest.raises(ValueError, match=r"channels must be of two levels at least, got \(8,\)"):
        SecondOpinion(SHORT_AXIS, channels=(8,)).check()


def weights_of(estimator):
    network = estimator.segmenter_.network_
    return {name: one.detach().clone() for name, one in network.named_parameters()}


def apart(first, second):
    """Largest difference of two networks' weights."""
    other = weights_of(second)
    return max(float((one - other[name]).abs().max()) for name, one in weights_of(first).items())


@pytest.fixture
def judge():
    return SecondOpinion(SHORT_AXIS, **SMALL, learning_rate=1e-9, calibrate=False).fit(
        graded_hearts(2)
    )


def test_finetuning_goes_on_from_the_weights_and_leaves_them(judge):
    studies = studies_of(graded_frames(graded_hearts(1, first=5)))
    before = weights_of(judge)

    still = judge.finetuned(studies, steps=1, seed=1)
    moved = judge.set_params(learning_rate=1e-2).finetuned(studies, steps=3)

    assert apart(judge, still) < 1e-3 < apart(judge, moved)
    assert all((one == before[name]).all() for name, one in weights_of(judge).items())
    assert (moved.steps, moved.start) == (3, judge.start)
    assert moved.curves_ is judge.curves_


def test_finetuning_is_repeated_by_its_seed_and_told(judge):
    studies, told = studies_of(graded_frames(graded_hearts(1, first=5))), []
    judge.set_params(learning_rate=1e-2)

    first = judge.finetuned(studies, steps=2, seed=3, observe=lambda *parts: told.append(parts))

    assert apart(first, judge.finetuned(studies, steps=2, seed=3)) == 0
    assert apart(first, judge.finetuned(studies, steps=2, seed=4)) > 0
    assert told[-1] == (2, 2)


def test_a_finetuned_judge_judges_the_same_once_it_is_loaded(judge, tmp_path):
    studies = studies_of(graded_frames(graded_hearts(1, first=5)))
    tuned = judge.set_params(learning_rate=1e-2).finetuned(studies, steps=2)

    save_estimator(tuned, tmp_path / "a.safetensors")
    loaded = load_estimator(
        tmp_path / "a.safetensors", {"second_opinion": SecondOpinion}, SHORT_AXIS
    )

    asked = [graded_hearts(1, first=7)[0].prediction]
    assert loaded.predict(asked)[0].dice == tuned.predict(asked)[0].dice
