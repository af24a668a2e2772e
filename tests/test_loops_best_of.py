"""Which of several segmentations of a study is kept."""

from dataclasses import replace

import numpy as np
import pytest
from builders import study_of

from loops.repair.best_of import Candidate, best_of, estimated, true
from qc import Quality
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction

LV = SHORT_AXIS.structure("LV").values[0]
NAMES = [structure.name for structure in SHORT_AXIS.structures]
STUDY = study_of("a", labelled=(0, 1))


def filled(value):
    """A segmentation that has one value everywhere."""
    labels = np.full(STUDY.labels.shape, value, np.int8)
    return Prediction("a", STUDY.image, labels, STUDY.spacing)


def by_value(*scores):
    """Scores a segmentation by the value that it has."""
    return lambda one: np.asarray(scores[int(one.labels[0, 0, 0, 0])])


FIRST, SECOND, THIRD = (filled(value) for value in (0, 1, 2))
OTHERS = [Candidate("second", SECOND), Candidate("third", THIRD)]


def test_the_usual_segmentation_stays_unless_another_is_better_by_the_margin():
    kept, why = best_of(FIRST, OTHERS, by_value(0.5, 0.5, 0.509), margin=0.01)

    assert kept is FIRST
    assert why == ""


def test_the_best_is_taken_and_it_is_said_from_where():
    kept, why = best_of(FIRST, OTHERS, by_value(0.5, 0.6, 0.7))

    assert (kept.labels[:] == 2).all()
    assert why == "third: all, score 0.500 before and 0.700 after"


def test_a_later_one_must_better_the_best_before_it_by_the_margin():
    kept, _ = best_of(FIRST, OTHERS, by_value(0.5, 0.6, 0.605))

    assert (kept.labels[:] == 1).all()


def test_each_frame_is_taken_from_where_it_is_best():
    scores = by_value([0.5, 0.5, np.nan], [0.9, 0.2, 0.9], [0.1, 0.8, np.nan])
    kept, why = best_of(FIRST, OTHERS, scores, unit="frame")

    assert kept.labels[:, 0, 0, 0].tolist() == [1, 2, 0]
    assert why.startswith("second: 1 of 3 frames, third: 1 of 3 frames, score 0.500 before")


def test_each_slice_is_taken_from_where_it_is_best():
    half = np.full((3, 2), 0.5)
    better = half + np.array([[0, 0.1], [0, 0], [0.2, 0]])
    kept, why = best_of(FIRST, OTHERS[:1], by_value(half, better), unit="slice")

    assert kept.labels[:, :, 0, 0].tolist() == [[0, 1], [0, 0], [1, 0]]
    assert "second: 2 of 6 slices" in why


def test_what_is_replaced_is_judged_without_uncertainty_and_carries_none():
    seen = []

    def judge(one):
        seen.append(one.uncertainty)
        return Quality(one.study, float(one.labels[0, 0, 0, 0]) / 2)

    first = replace(FIRST, uncertainty="maps")
    kept, _ = best_of(first, OTHERS, estimated(judge, SHORT_AXIS, "study"))

    assert seen == [None] * 3
    assert kept.uncertainty is None


def test_parts_are_scored_by_the_estimated_dice_of_their_structures():
    slices = np.arange(6).reshape(3, 2) / 10
    quality = Quality("a", 0.5, slice_dice=dict.fromkeys(NAMES, slices))
    score = estimated(lambda one: quality, SHORT_AXIS, "slice")

    np.testing.assert_allclose(score(filled(LV)), slices)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("study", 0.5),
        ("frame", [1.0, 0.0, np.nan]),
        ("slice", [[1.0, 1.0], [2 / 3, 2 / 3], [np.nan, np.nan]]),
    ],
)
def test_an_oracle_scores_by_the_labels_that_there_are(unit, expected):
    labels = np.array(STUDY.labels[:])
    labels[1] = 0
    prediction = Prediction("a", STUDY.image, labels, STUDY.spacing)

    found = true(STUDY, SHORT_AXIS, unit)(prediction)

    np.testing.assert_allclose(found, expected)
