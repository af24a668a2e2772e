from dataclasses import replace

import numpy as np
import pytest
from curve_builders import graded_hearts

from qc import ESTIMATORS, Quality
from qc.absence import reasons_of, rightly_absent, score_of
from qc.consensus.blend import Blend
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction

RV = 1
NAN = float("nan")


def test_the_share_of_absences_that_were_right_is_counted_with_a_doubt():
    dice = np.array([[0.8, NAN], [0.7, NAN], [0.6, 0.0], [0.5, 0.9], [NAN, NAN]])
    is_absent = np.array(
        [[False, True], [False, True], [False, True], [False, False], [True, True]]
    )

    # Two right, one missed and one imagined; the last row is of nothing known.
    np.testing.assert_allclose(rightly_absent(dice, is_absent), [0, 2 / 4])


def test_an_absent_structure_counts_as_likely_as_it_was_missed():
    dice, is_absent = np.array([0.9, 0.8, 0.0]), np.array([False, False, True])

    assert score_of(dice, is_absent, np.array([0, 0, 0])) == pytest.approx(1.7 / 3)
    assert score_of(dice, is_absent, np.array([0, 0, 0.75])) == pytest.approx(1.7 / 2.25)
    # What is there counts whole, however rare it is; unknown Dice counts for nothing.
    assert score_of(dice, np.zeros(3, bool), np.array([0, 0, 0.75])) == pytest.approx(1.7 / 3)
    assert score_of(np.array([NAN, 0.5, NAN]), is_absent, np.zeros(3)) == 0.5
    assert score_of(np.full(3, NAN), is_absent, np.zeros(3)) == 0


def test_only_an_absence_that_may_be_right_is_told():
    is_absent = np.array([True, False, True])

    assert reasons_of(SHORT_AXIS, is_absent, np.array([0, 0.9, 0.5])) == [
        "RV is not segmented, which was right in 50% of such cases"
    ]


def without_rv(graded):
    """Of a heart without an RV, rightly so."""
    prediction, reference = graded.prediction, np.asarray(graded.reference[:])
    labels = np.asarray(prediction.labels[:])
    return replace(
        graded,
        prediction=replace(
            prediction, study=f"{prediction.study}-no-rv", labels=np.where(labels == RV, 0, labels)
        ),
        reference=np.where(reference == RV, 0, reference),
    )


@pytest.fixture(scope="module")
def graded():
    usual = [*graded_hearts(6)]
    return [*usual, *(without_rv(one) for one in usual)]


@pytest.mark.parametrize("name", ["svr", "physiology", "cnn"])
def test_what_may_be_missing_is_not_held_against_a_study(name, graded):
    settings = {"width": 4, "size": (4, 32, 32), "steps": 1} if name == "cnn" else {}
    fitted = ESTIMATORS[name](SHORT_AXIS, **settings).fit(graded)
    strict = ESTIMATORS[name](SHORT_AXIS, **settings).fit(graded)
    strict.rightly_absent_ = np.zeros(3)
    back = ESTIMATORS[name](SHORT_AXIS, **settings).with_arrays(fitted.arrays())
    query = graded[-1].prediction

    [found], [held_against], [again] = (one.predict([query]) for one in (fitted, strict, back))

    assert fitted.rightly_absent_[2] == pytest.approx(6 / 7, abs=0.2)
    assert (fitted.rightly_absent_[:2] == 0).all()
    assert found.score > held_against.score
    assert found.dice == held_against.dice
    assert "RV is not segmented, which was right in" in found.reasons[0]
    assert again.score == found.score


def test_the_blend_weighs_absence_too(graded):
    qualities = [
        Quality(one.prediction.study, 0.8, dice={"LV": 0.9, "MYO": 0.8, "RV": 0.0})
        for one in graded
    ]
    blend = Blend(SHORT_AXIS).fit({"a": qualities}, graded)
    back = Blend(SHORT_AXIS).with_arrays(blend.arrays())

    found = back.combine({"a": qualities[-1]}, absent=["RV"])

    assert blend.rightly_absent_[2] > 0.5
    assert found.dice["RV"] == 0
    assert found.score > np.mean(list(found.dice.values())) + 0.1


def test_a_missed_structure_still_fails_where_references_always_have_it():
    usual = graded_hearts(6)
    fitted = ESTIMATORS["svr"](SHORT_AXIS).fit(usual)
    prediction = usual[0].prediction
    labels = np.asarray(prediction.labels[:])
    missed = Prediction(
        "a", prediction.image, np.where(labels == RV, 0, labels), prediction.spacing
    )

    [found] = fitted.predict([missed])

    assert found.score == pytest.approx(np.mean(list(found.dice.values())))
