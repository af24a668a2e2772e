from dataclasses import replace

import numpy as np
import pytest
import torch

from loops.repair import (
    REPAIRS,
    SurrogateSlices,
    TemporalConsistency,
    keep_better,
    motion,
    propagated,
)
from loops.repair.motion import carry
from loops.repair.temporal import outliers
from qc import Quality
from semiqc.schemes import (
    AORTA,
    TUMOUR,
    UNLABELLED,
    LabelScheme,
    Structure,
)
from semiqc.study import Prediction, Study, UncertaintyMaps

DISC = LabelScheme("disc", ("background", "wall", "disc"), (Structure("disc", (2,)),))
SPACING = (8.0, 3.0, 3.0)
FRAMES, SLICES, ROWS, COLUMNS = 8, 2, 40, 44
RADII = [9, 8, 7, 6, 5, 6, 7, 8]
"""In voxels, of each frame: a cycle that contracts once."""


def beating(*, modalities=1, drift=0):
    """Image and labels of a bright disc in a dark wall that contracts, on a fixed texture."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    labels = np.zeros((FRAMES, SLICES, ROWS, COLUMNS), np.int8)
    for frame, radius in enumerate(RADII):
        distance = np.hypot(y - 20, x - 22 - drift * (frame % 2))
        labels[frame, :, distance <= radius + 4] = 1
        labels[frame, :, distance <= radius] = 2
    noise = np.random.default_rng(0).normal(0, 0.02, (modalities, *labels.shape))
    image = np.array([0.4, 0.0, 1.0])[labels] + noise
    return image.astype(np.float32), labels


def prediction_of(labels, image=None, **fields):
    image = beating()[0] if image is None else image
    return Prediction("a", image, labels, SPACING, **fields)


def dice(found, truth, value=2):
    a, b = found == value, truth == value
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def told(slice_dice, score=0.5):
    return Quality("a", score, slice_dice={"disc": np.asarray(slice_dice, np.float64)})


def judged(bad=(), low=0.2):
    """Estimates that are high for all frames but some."""
    estimates = np.full((FRAMES, SLICES), 0.95)
    estimates[list(bad)] = low
    return told(estimates)


def uncertainty_of(shape):
    nothing = np.zeros((shape[0], 1))
    return UncertaintyMaps(np.zeros(shape), np.zeros(shape), nothing, nothing, nothing)


class Asked:
    """A judge with a score for each array of labels, which remembers what it was asked."""

    def __init__(self, *scores):
        self.scores = list(scores)
        self.asked = []

    def __call__(self, prediction):
        self.asked.append(prediction)
        return Quality(prediction.study, self.scores[len(self.asked) - 1])


def test_labels_move_with_the_image():
    image, truth = beating()

    (carried,) = carry(image, {0: truth[0]}, [4], SPACING)

    assert dice(truth[0], truth[4]) < 0.5
    assert dice(carried.labels, truth[4]) > 0.93
    assert dice(carried.labels, truth[4], value=1) > 0.85


def test_motions_follow_one_another_in_order(monkeypatch):
    links = [(0, 3), (0, 21), (3, 6), (9, 6), (12, 9), (15, 12), (18, 15), (21, 18)]

    def known(moving, fixed, **settings):
        found = torch.zeros(len(links), 2, *fixed.shape[-2:])
        found[links.index((0, 3)), 1] = -3
        found[links.index((3, 6)), 1] = torch.arange(fixed.shape[-1]) - 10.0
        return found

    monkeypatch.setattr(motion, "register_slices", known)
    labels = np.zeros((1, ROWS, COLUMNS), np.int8)
    labels[..., 5:10] = 1

    (carried,) = carry(np.zeros((1, 24, 1, ROWS, COLUMNS), np.float32), {0: labels}, [6], SPACING)

    # Column x comes from x + (x - 10) in frame 3, and that from 3 less in frame 0: 5 to 9.
    assert np.unique(np.nonzero(carried.labels)[2]).tolist() == [9, 10, 11]


def test_of_two_sources_the_nearer_one_weighs_more():
    image, truth = beating()
    still = np.broadcast_to(image[:, :1], image.shape)
    other = np.where(truth[0] == 2, 1, truth[0]).astype(np.int8)

    near_first, near_second = carry(still, {0: truth[0], 4: other}, [1, 3], SPACING)

    np.testing.assert_array_equal(near_first.labels, truth[0])
    np.testing.assert_array_equal(near_second.labels, other)
    # The way over the end of the cycle is as long as it is there: 7 is next to 0.
    (around,) = carry(still, {0: truth[0], 4: other}, [7], SPACING)
    np.testing.assert_array_equal(around.labels, truth[0])


def test_where_sources_disagree_is_told():
    image, truth = beating()
    still = np.broadcast_to(image[:, :1], image.shape)
    other = np.where(truth[0] == 2, 1, truth[0]).astype(np.int8)

    (carried,) = carry(still, {0: truth[0], 4: other}, [1], SPACING)

    np.testing.assert_array_equal(carried.is_agreed, truth[0] != 2)


def test_images_that_cannot_be_brought_together_are_unlike():
    image, truth = beating()
    image[:, 1, 1] = np.random.default_rng(1).normal(size=image.shape[3:])

    first, second = carry(image, {0: truth[0]}, [1, 2], SPACING)

    assert np.median(first.likeness[1]) < 0.3 < 0.8 < np.median(first.likeness[0])
    assert np.median(second.likeness) > 0.8


@pytest.mark.parametrize("bad", [(3,), (0, 7), (2, 3, 4, 5)])
def test_frames_judged_bad_are_derived_from_their_good_neighbours(bad):
    image, truth = beating()
    damaged = truth.copy()
    damaged[list(bad)] = np.roll(truth[list(bad)], 8, axis=-1)

    repaired = TemporalConsistency(DISC)(prediction_of(damaged, image), judged(bad))

    for frame in range(FRAMES):
        if frame in bad:
            assert dice(damaged[frame], truth[frame]) < 0.6
            assert dice(repaired.labels[frame], truth[frame]) > 0.9
        else:
            np.testing.assert_array_equal(repaired.labels[frame], truth[frame])


def test_a_frame_in_which_nothing_was_found_is_derived_anew():
    image, truth = beating()
    damaged = truth.copy()
    damaged[5] = 0

    repaired = TemporalConsistency(DISC)(prediction_of(damaged, image), judged())

    assert dice(repaired.labels[5], truth[5]) > 0.9


def test_the_prediction_and_its_labels_are_left_as_they_were():
    _, truth = beating()
    prediction = prediction_of(truth.copy())

    TemporalConsistency(DISC)(prediction, judged((3,)))

    np.testing.assert_array_equal(prediction.labels, truth)


@pytest.mark.parametrize("quality", [judged(), judged(range(FRAMES)), Quality("a", 0.1)])
def test_without_a_bad_or_without_a_good_frame_nothing_is_repaired(quality):
    prediction = prediction_of(beating()[1])

    assert TemporalConsistency(DISC)(prediction, quality) is prediction


def test_frames_of_which_nothing_is_known_are_not_bad():
    unknown = told(np.full((FRAMES, SLICES), np.nan))

    assert not TemporalConsistency(DISC).bad_frames(prediction_of(beating()[1]), unknown).any()


def test_a_frame_exactly_at_the_limit_is_good():
    repair = TemporalConsistency(DISC, min_slice_dice=0.75)
    estimates = np.full((FRAMES, SLICES), 0.75)
    estimates[2] = 0.74

    found = repair.bad_frames(prediction_of(beating()[1]), told(estimates))

    assert np.flatnonzero(found).tolist() == [2]


def test_error_maps_tell_bad_frames_too():
    _, truth = beating()
    errors = np.zeros(truth.shape, np.float32)
    errors[6] = truth[6] == 2
    quality = Quality("a", 0.5, error_maps={"disc": errors})

    found = TemporalConsistency(DISC).bad_frames(prediction_of(truth), quality)

    assert np.flatnonzero(found).tolist() == [6]


def moved(labels):
    return np.roll(labels, 12, axis=-1)


def shrunk(labels):
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.where(np.hypot(y - 20, x - 22) < 4, labels, 0)


@pytest.mark.parametrize("change", [moved, shrunk, np.zeros_like])
@pytest.mark.parametrize("frame", [0, 3, 7])
def test_without_estimates_a_frame_unlike_its_neighbours_is_bad(change, frame):
    _, truth = beating()
    assert not outliers(prediction_of(truth), DISC).any()

    truth[frame] = change(truth[frame])

    assert np.flatnonzero(outliers(prediction_of(truth), DISC)).tolist() == [frame]


def test_frames_that_agree_on_having_nothing_hide_no_outlier():
    _, truth = beating()
    truth[1:3] = 0
    truth[5] = moved(truth[5])

    assert np.flatnonzero(outliers(prediction_of(truth), DISC)).tolist() == [5]


def test_where_all_frames_differ_a_larger_difference_is_no_outlier():
    labels = np.zeros((8, 1, 3, 60), np.int8)
    # Of 20 columns, the nearer neighbour lies 2, 2, 4, 4, 6, 6, 2 and 2 away: 1 - Dice is .1 to
    # .3, the median .15 and 3 robust deviations .22.
    for frame, start in enumerate(np.cumsum([8, 2, 10, 4, 12, -6, -12, -2])):
        labels[frame, ..., start : start + 20] = 2

    assert not outliers(prediction_of(labels, labels[None].astype(np.float32)), DISC).any()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_of_few_frames_none_is_an_outlier(frames):
    image, truth = beating()
    truth[0] = 0
    prediction = prediction_of(truth[:frames], image[:, :frames])

    assert not outliers(prediction, DISC).any()
    assert TemporalConsistency(DISC)(prediction, Quality("a", 0.1)) is prediction


def test_a_prediction_of_nothing_is_left_as_it_is():
    prediction = prediction_of(np.zeros((FRAMES, SLICES, ROWS, COLUMNS), np.int8))

    for quality in (judged(range(FRAMES)), Quality("a", 0)):
        assert TemporalConsistency(DISC)(prediction, quality) is prediction
    # Frames judged bad among frames of nothing become nothing.
    some = TemporalConsistency(DISC)(prediction, judged((1,)))
    assert not np.any(some.labels)


def test_what_was_said_of_the_old_labels_is_left_out():
    image, truth = beating()
    prediction = prediction_of(truth, image, uncertainty=uncertainty_of(truth.shape))

    repaired = TemporalConsistency(DISC)(prediction, judged((3,)))

    assert repaired.uncertainty is None


@pytest.mark.parametrize(("scheme", "modalities"), [(TUMOUR, 4), (AORTA, 1)])
def test_any_scheme_is_repaired(scheme, modalities):
    image, truth = beating(modalities=modalities)
    image[: modalities - 1] = 0  # Motion is seen in any modality.
    image, truth = image[:, :, :1], np.minimum(truth[:, :1], 1)
    damaged = truth.copy()
    damaged[3] = 0

    repaired = TemporalConsistency(scheme)(prediction_of(damaged, image), Quality("a", 0.5))

    assert dice(repaired.labels[3], truth[3], value=1) > 0.95


def test_slices_judged_wrong_become_their_surrogates():
    _, truth = beating()
    estimates = np.full((FRAMES, SLICES), 0.9)
    estimates[2, 1] = 0.4
    surrogates = np.full_like(truth, 1)
    surrogates[..., 0] = UNLABELLED

    repaired = SurrogateSlices(DISC, lambda _: surrogates)(prediction_of(truth), told(estimates))

    expected = truth.copy()
    expected[2, 1, :, 1:] = 1
    np.testing.assert_array_equal(repaired.labels, expected)
    assert repaired.labels.dtype == np.int8


def test_a_slice_without_the_structure_gets_its_surrogate_where_others_have_it():
    _, truth = beating()
    damaged = truth.copy()
    damaged[4] = 0

    repaired = SurrogateSlices(DISC, lambda _: truth)(prediction_of(damaged), judged())

    np.testing.assert_array_equal(repaired.labels, truth)


@pytest.mark.parametrize("quality", [judged(), Quality("a", 0.1)])
def test_no_surrogate_is_asked_for_unless_a_slice_is_wrong(quality):
    prediction = prediction_of(beating()[1])

    def fail(prediction):
        raise AssertionError

    assert SurrogateSlices(DISC, fail)(prediction, quality) is prediction


def test_surrogates_of_another_shape_are_refused():
    repair = SurrogateSlices(DISC, lambda _: np.zeros((1, 1, 2, 3), np.int8))

    with pytest.raises(ValueError, match=r"a: surrogates have shape \(1, 1, 2, 3\)"):
        repair(prediction_of(beating()[1]), judged((0,)))


def test_the_quality_of_another_study_is_refused():
    for name, repair in REPAIRS.items():
        extra = {"surrogates": lambda p: p.labels} if name == "surrogate" else {}
        with pytest.raises(ValueError, match="a: the quality is of b"):
            repair(DISC, **extra)(prediction_of(beating()[1]), Quality("b", 0.5))


def test_the_better_of_two_predictions_is_kept():
    _, labels = beating()
    before, after = prediction_of(labels), prediction_of(labels)

    kept = keep_better(before, Quality("a", 0.4), after, Asked(0.6))
    assert kept.prediction is after
    assert kept.quality.score == 0.6
    assert kept.reason == "repaired: score 0.400 before and 0.600 after the repair"

    known = Quality("a", 0.6)
    for score in (0.4, 0.6):
        prediction, quality, reason = keep_better(before, known, after, Asked(score))
        assert prediction is before
        assert quality is known
        assert reason.startswith("left as it was: score 0.600 before")


def test_what_needs_no_repair_is_not_judged_again():
    prediction, known, judge = prediction_of(beating()[1]), Quality("a", 0.3), Asked()

    kept = keep_better(prediction, known, prediction, judge)

    assert kept == (prediction, known, "nothing to repair")
    assert judge.asked == []


def test_both_are_judged_by_what_both_carry():
    _, labels = beating()
    before = prediction_of(labels, uncertainty=uncertainty_of(labels.shape))
    after = prediction_of(labels)
    known, judge = Quality("a", 0.9), Asked(0.4, 0.5)

    kept = keep_better(before, known, after, judge)

    assert [one.uncertainty is None for one in judge.asked] == [True, True]
    assert kept.prediction is after

    left = keep_better(before, known, after, Asked(0.5, 0.4))
    assert left.prediction is before
    assert left.quality.score == 0.9


def test_predictions_of_two_studies_are_not_compared():
    before = prediction_of(beating()[1])

    with pytest.raises(ValueError, match="a: the repaired prediction is of b"):
        keep_better(before, Quality("a", 0.5), replace(before, study="b"), Asked())


def study_of(image, labels, frames):
    hidden = np.full_like(labels, UNLABELLED)
    hidden[list(frames)] = labels[list(frames)]
    return Study("a", image, hidden, SPACING)


def test_an_experts_frames_label_the_whole_study():
    image, truth = beating()
    study = study_of(image, truth, (0, 4))

    labelled = propagated(study)

    assert labelled.labelled_frames == tuple(range(FRAMES))
    for frame in range(FRAMES):
        known = labelled.labels[frame] != UNLABELLED
        assert known.mean() > 0.8
        assert (labelled.labels[frame] == truth[frame])[known].mean() > 0.98
    for frame in (0, 4):
        np.testing.assert_array_equal(labelled.labels[frame], truth[frame])
    assert study.labelled_frames == (0, 4)


def test_where_images_are_unlike_nothing_is_propagated():
    image, truth = beating()
    image[:, 2, 1] = np.random.default_rng(1).normal(size=image.shape[3:])

    labelled = propagated(study_of(image, truth, (0,)), min_likeness=0.5)

    is_known = (labelled.labels != UNLABELLED)[:, :, 8:32, 8:36].mean(axis=(-2, -1))
    assert is_known[2, 1] < 0.3 < 0.8 < is_known[2, 0]
    # Neither way to these frames leads through it.
    assert (is_known[[5, 6, 7]] > 0.8).all()


def test_where_two_sides_disagree_nothing_is_propagated():
    image, truth = beating()
    still = np.broadcast_to(image[:, :1], image.shape)
    labels = np.broadcast_to(truth[:1], truth.shape).copy()
    labels[4][labels[4] == 2] = 1

    labelled = propagated(study_of(still, labels, (0, 4)), min_likeness=-1)

    np.testing.assert_array_equal(labelled.labels[1] == UNLABELLED, truth[0] == 2)


def test_what_the_expert_left_out_stays_unlabelled():
    image, truth = beating()
    study = study_of(image, truth, (0,))
    study.labels[0, 1] = UNLABELLED

    labelled = propagated(study)

    assert (labelled.labels[:, 1] == UNLABELLED).all()
    assert (labelled.labels[:, 0] != UNLABELLED).mean() > 0.8


def test_a_study_of_background_is_propagated_as_background():
    image, _ = beating()
    labels = np.zeros((FRAMES, SLICES, ROWS, COLUMNS), np.int8)

    assert (propagated(study_of(image, labels, (3,))).labels[:] == 0).all()


def test_without_labels_or_with_one_frame_there_is_nothing_to_propagate():
    image, truth = beating()
    unlabelled = study_of(image, truth, ())
    single = study_of(image[:, :1], truth[:1], (0,))

    assert propagated(unlabelled) is unlabelled
    assert propagated(single) is single
