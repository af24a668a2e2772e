"""Frames of a cine that are judged by turns, and what is said of those between."""

from dataclasses import dataclass

import numpy as np
import pytest

from qc.estimators.frame_estimator import FrameEstimator, Judged
from qc.turns import SHORTEST, Course, between
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction

CLASSES = len(SHORT_AXIS.classes)
FRAMES = 21


def beating(frames=FRAMES, smallest=8):
    """A heart of three rings in four slices that contracts until frame ``smallest``."""
    rows, columns = np.mgrid[:48, :48] - 24
    radius = np.hypot(rows, columns)
    labels = np.zeros((frames, 4, 48, 48), np.int8)
    for number in range(frames):
        reach = 10 + 0.5 * abs(number - smallest)
        for value, share in ((1, 1.2), (2, 1.0), (3, 0.6)):
            labels[number, :, radius < share * reach] = value
    return labels


def course(labels):
    return Course.of(labels, CLASSES)


def test_frames_are_spread_evenly_beside_the_largest_and_the_smallest_heart():
    judged = course(beating()).judged(5).tolist()

    assert judged == [0, 5, 8, 10, 15, 20]


def test_one_asks_for_each_frame_and_of_few_frames_each_is_judged():
    assert course(beating()).judged(1).tolist() == list(range(FRAMES))
    few = beating(frames=SHORTEST - 1)
    assert course(few).judged(5).tolist() == list(range(SHORTEST - 1))
    assert len(course(beating(frames=SHORTEST)).judged(5)) < SHORTEST


def test_where_a_segmentation_jumps_both_sides_are_judged():
    labels = beating()
    labels[13] = np.roll(labels[13], 12, axis=-1)

    judged = set(course(labels).judged(20).tolist())

    assert {12, 13, 14} <= judged
    assert len(judged) == 6


def steady(frames=FRAMES):
    """The course of a segmentation that never changes."""
    return Course(np.full((frames, 4, CLASSES), 50), np.full(frames - 1, 0.95))


@pytest.mark.parametrize("every", [1, 2, 3, 6, 7, 8, 19, 20, 50])
def test_judged_frames_are_never_further_apart_than_asked(every):
    judged = steady().judged(every)

    assert judged[[0, -1]].tolist() == [0, FRAMES - 1]
    assert np.diff(judged).max() <= every
    assert len(judged) <= -(-(FRAMES - 1) // every) + 1


def test_the_largest_heart_is_judged_wherever_it_is():
    uneven = steady()
    uneven.sizes[7, 2, 3] += 1
    uneven.sizes[13, 1, 1] -= 1
    # Background is nothing that is segmented.
    uneven.sizes[5, :, 0], uneven.sizes[16, :, 0] = 500, 0

    assert uneven.judged(20).tolist() == [0, 7, 13, 20]


def test_a_jump_is_a_tenth_less_alike_than_neighbours_are():
    jumping = steady()
    jumping.alike[4], jumping.alike[11] = 0.84, 0.86

    # The fifth of the pairs is of frames 4 and 5.
    assert jumping.judged(20).tolist() == [0, 4, 5, 20]


def test_frames_are_alike_where_each_class_is():
    labels = np.zeros((5, 1, 8, 8), np.int8)
    labels[1:3, 0, :4, :4], labels[3, 0, :4, :4] = 1, 2
    labels[2, 0, 2:4, :4] = 0
    labels[4, 0, :4, :4] = 2
    found = course(labels)

    # All appears; half goes; none of it is of the same class; nothing changes.
    assert found.alike == pytest.approx([0, 2 * 8 / (16 + 8), 0, 1])
    assert course(np.zeros_like(labels)).alike == pytest.approx([1] * 4)
    assert found.sizes[:, 0].tolist() == [
        [64, 0, 0, 0], [48, 16, 0, 0], [56, 8, 0, 0], [48, 0, 16, 0], [48, 0, 16, 0],
    ]  # fmt: skip


def test_nothing_segmented_is_a_course_like_others():
    judged = course(np.zeros((FRAMES, 4, 8, 8), np.int8)).judged(10).tolist()

    assert judged == [0, 10, 20]


def test_voxels_that_nobody_labelled_are_of_no_class():
    labels = beating()
    labels[:, 0] = -1

    assert not course(labels).sizes[:, 0].any()


def test_what_lies_between_is_on_a_straight_line():
    said = np.array([[0.0, np.nan], [1.0, 0.4], [0.5, np.nan]])

    found = between(np.array([0, 4, 6]), said, 7)

    assert found[:, 0] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5])
    # Of what only one neighbour knows, that is said; what was judged stays as it was.
    assert found[1:6, 1] == pytest.approx([0.4] * 5)
    assert np.isnan(found[[0, 6], 1]).all()


def test_maps_between_are_on_straight_lines_wherever_one_of_them_says_something():
    said = np.zeros((3, 2, 4, 5), np.float16)
    said[0, 1, 3, 4], said[1, 0, 1, 2], said[2, 0, 3, 1] = 0.5, 1, 0.25

    found = between(np.array([0, 4, 8]), said, 9)

    share = np.linspace(0, 1, 5)[:, None, None, None]
    expected = np.concatenate(
        [(1 - share) * said[:1] + share * said[1:2], ((1 - share) * said[1] + share * said[2])[1:]]
    )
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, atol=1e-3)


@dataclass(kw_only=True, eq=False, repr=False)
class BySize(FrameEstimator):
    """Says more of a heart the larger it is, and remembers which frames it was asked for."""

    def _learn(self, frames, observe):
        pass

    def _judge(self, frames):
        return [self._one(frame) for frame in frames]

    def _one(self, frame):
        number = int(frame.image[0, 0, 0, 0])
        self.asked_ = [*getattr(self, "asked_", []), number]
        of_slices = np.full((3, 4), number / 100)
        maps = np.full((3, *frame.labels.shape), number / 100, np.float16)
        dice = np.full(3, number / 100)
        told = (dice, dice / 2, of_slices, maps, (f"frame {number}",), of_slices, dice[:2])
        return Judged(*told, all_classes=np.array([number / 100, number / 200]))

    def _arrays(self):
        return {}

    def _take(self, arrays):
        self.rightly_absent_ = np.zeros(3)


def judge(labels, **settings):
    estimator = BySize(SHORT_AXIS, **settings)
    estimator.rightly_absent_ = np.zeros(3)
    image = np.zeros((1, *labels.shape), np.float32)
    image[0] += np.arange(len(labels))[:, None, None, None]
    (quality,) = estimator.predict([Prediction("a", image, labels, (8, 1, 1))])
    return estimator.asked_, quality


def test_a_cine_judged_by_turns_is_told_of_whole():
    asked, quality = judge(beating(), every=5)
    all_asked, whole = judge(beating(), every=1)

    assert asked == [0, 5, 8, 10, 15, 20]
    assert all_asked == list(range(FRAMES))
    assert quality.dice == pytest.approx(whole.dice)
    assert quality.nsd == pytest.approx(whole.nsd)
    assert quality.overall == pytest.approx(whole.overall)
    assert quality.overall_nsd == pytest.approx(whole.overall_nsd)
    assert set(quality.overall) == {"background", "foreground", "all classes"}
    assert quality.score == pytest.approx(whole.score)
    assert quality.slice_dice["LV"] == pytest.approx(whole.slice_dice["LV"])
    assert quality.slice_mvsf["LV"] == pytest.approx(whole.slice_mvsf["LV"])
    assert quality.error_maps["LV"].shape == (FRAMES, 4, 48, 48)
    assert quality.error_maps["LV"].dtype == np.float16
    assert quality.reasons == tuple(f"frame {number}" for number in asked)


def test_a_structure_that_a_frame_between_lacks_has_nothing_right_there():
    labels = beating()
    labels[labels == 3] = 2
    labels[np.arange(FRAMES) != 3, 1, 22:26, 22:26] = 3

    asked, quality = judge(labels, every=20)

    assert 3 not in asked
    whole = np.arange(FRAMES) / 100
    assert quality.dice["LV"] == pytest.approx((whole.sum() - 0.03) / FRAMES)
    assert quality.dice["RV"] == pytest.approx(whole.mean())


def test_of_a_frame_between_in_which_nothing_is_segmented_nothing_is_right():
    labels = beating()
    labels[3:6] = 0

    asked, quality = judge(labels, every=20)

    assert 4 not in asked
    assert {2, 3, 5, 6} <= set(asked)
    whole = np.arange(FRAMES) / 100
    assert quality.overall["all classes"] == pytest.approx((whole.sum() - 0.04) / FRAMES)
    assert quality.overall_nsd["all classes"] == pytest.approx((whole.sum() - 0.04) / FRAMES / 2)


def test_a_slice_between_that_lacks_what_its_neighbours_have_was_missed():
    labels = beating()
    labels[:, 1:3] = 0
    labels[np.arange(FRAMES) != 3, 1, 22:26, 22:26] = 3
    labels[8:, 2, 22:26, 22:26] = 3

    asked, quality = judge(labels, every=20)

    assert asked[:2] == [0, 8]
    assert quality.slice_dice["LV"][3, 1] == 0
    # From the base that a heart leaves, nothing may be missing.
    assert np.isnan(quality.slice_dice["LV"][[3, 6], 2]).all()
    # What was said of a judged frame stays.
    assert quality.slice_dice["LV"][0, 2] == 0
    assert quality.slice_dice["LV"][3, 0] == pytest.approx(0.03)
