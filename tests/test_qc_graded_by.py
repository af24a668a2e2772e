"""Estimators that learn from what another says."""

import numpy as np
import pytest
from curve_builders import heart, prediction_of
from sklearn.exceptions import NotFittedError

from qc import (
    CNNRegression,
    Consensus,
    FeatureSVR,
    ReverseClassification,
    graded_by,
)
from qc.base import Graded
from qc.consensus.panel import Panel
from qc.estimators.registry import make_estimator
from qc.evaluation.judging import judge
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import SHORT_AXIS

SHIFTS = (0, 3, 6, 10)


def shifted(names, frames=1):
    """Hearts segmented ever further from where they are."""
    for name in names:
        truth = heart(name, frames=frames)
        for shift in SHIFTS:
            yield Graded(prediction_of(name, np.roll(truth, shift, -1), truth=truth), truth)


@pytest.fixture(scope="module")
def teacher():
    """Knows the labels of three studies, and no Dice."""
    known = list(shifted("abc"))[:: len(SHIFTS)]
    blank = ReverseClassification(SHORT_AXIS, size=24, references=3, calibrate=False)
    return blank.fit(known)


@pytest.fixture(scope="module")
def taught(teacher):
    """What the teacher says of studies of which nothing else is known."""
    return list(graded_by(teacher, [one.prediction for one in shifted("defghijkl")]))


def test_every_frame_gets_the_dice_that_the_teacher_tells(teacher):
    predictions = [one.prediction for one in shifted("m", frames=2)]

    found = list(graded_by(teacher, predictions))

    assert [one.prediction.frames for one in found] == [1] * 2 * len(SHIFTS)
    assert all(one.reference is None for one in found)
    [first] = teacher.predict([found[0].prediction])
    assert found[0].dice[0].tolist() == [first.dice[s.name] for s in SHORT_AXIS.structures]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (CNNRegression, {"width": 8, "size": (4, 32, 32), "steps": 60, "batch_size": 8}),
        (FeatureSVR, {}),
        (Consensus, {}),
    ],
)
def test_without_any_reference_of_its_own_the_pupil_ranks_the_unseen(taught, kind, settings):
    pupil = kind(SHORT_AXIS, **settings).fit(taught)

    scores = [quality.score for quality in pupil.predict([g.prediction for g in shifted("xyz")])]

    by_shift = np.mean(np.reshape(scores, (3, len(SHIFTS))), axis=0)
    assert by_shift[0] > by_shift[2] > by_shift[3]


@pytest.mark.parametrize("kind", [FeatureSVR, Consensus])
def test_who_was_told_no_surface_dice_tells_none(taught, kind, tmp_path):
    predictions = [one.prediction for one in shifted("x")]
    pupil = kind(SHORT_AXIS).fit(taught)

    save_estimator(pupil, tmp_path / "pupil.safetensors")
    back = load_estimator(tmp_path / "pupil.safetensors", {"kind": kind}, SHORT_AXIS)

    for quality in (*pupil.predict(predictions), *back.predict(predictions)):
        assert set(quality.dice) == {structure.name for structure in SHORT_AXIS.structures}
        assert not quality.nsd


@pytest.mark.parametrize("name", ["slicewise", "qcresunet", "manifold", "rca"])
def test_who_learns_from_voxels_says_that_there_is_no_reference(taught, name):
    with pytest.raises(ValueError, match="without a reference, which this estimator learns from"):
        make_estimator(name, SHORT_AXIS, 1).fit(taught)


def test_lessons_can_be_evaluated_on_though_they_have_no_errors_to_map(taught):
    mapper = make_estimator(
        "qcresunet", SHORT_AXIS, 1, width=4, size=(4, 32, 32), steps=1, batch_size=2
    ).fit(list(shifted("ab")))

    judged = judge(Panel({"maps": mapper}), taught[:2], SHORT_AXIS)

    assert all(np.isnan(row.error_map_dice) for row in judged)
    assert all(np.isfinite(row.true_dice) for row in judged)


def test_a_teacher_must_be_fitted_and_tell_dice():
    prediction = next(shifted("a")).prediction

    with pytest.raises(NotFittedError):
        list(graded_by(FeatureSVR(SHORT_AXIS), [prediction]))


def test_dice_alone_is_enough_to_be_graded_and_nothing_is_not():
    prediction = next(shifted("a")).prediction

    assert Graded(prediction, dice=np.full((1, 3), 0.5)).reference is None
    with pytest.raises(ValueError, match="a reference, a verdict or Dice"):
        Graded(prediction)
