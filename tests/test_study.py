import pickle

import numpy as np
import pytest
from builders import SPACING, study_of

from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    UNLABELLED,
    LabelScheme,
    Structure,
)
from semiqc.study import OnlyFrames, Prediction, Study


def test_labelled_frames_are_those_with_a_labelled_voxel():
    assert study_of(labelled=(0, 2)).labelled_frames == (0, 2)


def test_a_frame_of_background_alone_is_labelled():
    study = study_of(labelled=())
    study.labels[2] = 0

    assert study.labelled_frames == (2,)


def test_a_subject_is_by_default_the_study():
    assert study_of("a").subject == "a"
    assert study_of("a", subject="b").subject == "b"


@pytest.mark.parametrize(
    ("image", "labels", "spacing", "message"),
    [
        ((3, 2, 5, 6), (3, 2, 5, 6), SPACING, r"a: image must have axes \[M, T, Z, Y, X\]"),
        ((1, 3, 2, 5, 6), (3, 2, 6, 5), SPACING, r"a: labels have shape \(3, 2, 6, 5\)"),
        ((1, 3, 2, 5, 6), (3, 2, 5, 6), (8.0, 0.0, 1.0), "a: spacing must be positive mm"),
        ((1, 3, 2, 5, 6), (3, 2, 5, 6), (8.0, float("nan"), 1.0), "a: spacing must be positive"),
    ],
)
def test_a_study_that_cannot_be_is_refused_by_name(image, labels, spacing, message):
    with pytest.raises(ValueError, match=message):
        Study("a", np.zeros(image, np.float32), np.zeros(labels, np.int8), spacing)


def test_hidden_frames_read_as_unlabelled_however_they_are_indexed():
    study = study_of(labelled=(0, 1, 2))
    only = study.keeping((1,)).labels
    expected = np.full_like(study.labels, UNLABELLED)
    expected[1] = study.labels[1]

    for key in (
        slice(None),
        0,
        1,
        -2,
        (1, 0),
        (2, 1),
        (slice(1, 3), 0),
        Ellipsis,
        (Ellipsis, 2),
        (slice(None, None, 2), slice(None), 1),
        np.int64(1),
    ):
        np.testing.assert_array_equal(only[key], expected[key], err_msg=str(key))


def test_hiding_labels_leaves_the_study_as_it_was():
    study = study_of(labelled=(0, 1))
    before = study.labels.copy()
    hidden = study.without_labels()
    hidden.labels[:][:] = 7

    assert hidden.labelled_frames == ()
    np.testing.assert_array_equal(study.labels, before)


def test_a_frame_without_labels_does_not_become_labelled_by_being_kept():
    assert study_of(labelled=(1,)).keeping((0, 1)).labelled_frames == (1,)


def test_frames_cannot_be_read_by_a_list():
    with pytest.raises(IndexError, match="by number or slice"):
        OnlyFrames(study_of().labels, (1,))[[0, 1]]


def test_a_structure_is_the_union_of_its_values():
    labels = np.array([[0, 1, 2], [3, 2, UNLABELLED]], np.int8)

    whole = Structure("whole", (1, 3)).mask(labels)

    assert whole.tolist() == [[False, True, False], [True, False, False]]


@pytest.mark.parametrize("scheme", [SHORT_AXIS, AORTA])
def test_a_scheme_written_and_read_is_the_same(scheme):
    assert LabelScheme.from_json(scheme.to_json()) == scheme
    assert pickle.loads(pickle.dumps(scheme)) == scheme


@pytest.mark.parametrize(
    ("structures", "message"),
    [
        ((Structure("a", (2,)),), "values .2,., known are 1 to 1"),
        ((Structure("a", ()),), "known are 1 to 1"),
        ((Structure("a", (0,)),), "known are 1 to 1"),
        ((Structure("a", (1,)), Structure("a", (1,))), "share a name"),
    ],
)
def test_a_scheme_that_contradicts_itself_is_refused(structures, message):
    with pytest.raises(ValueError, match=message):
        LabelScheme("s", ("background", "x"), structures)


def test_an_unknown_structure_is_named_with_the_known():
    with pytest.raises(KeyError, match="unknown structure 'Lv'; known: LV, MYO, RV"):
        SHORT_AXIS.structure("Lv")


def test_a_prediction_must_cover_the_image():
    study = study_of()
    with pytest.raises(ValueError, match="a: predicted labels have shape"):
        Prediction("a", study.image, study.labels[:2], SPACING)
