"""Figures of single slices, on estimates made by hand."""

import numpy as np
import pytest
from scipy import stats

from qc import Graded, Quality
from qc.evaluation.slices import slice_table, slices_of, threshold_of
from qc.graded.truth import mvsf
from semiqc.schemes import LabelScheme, Structure
from semiqc.study import Prediction

SCHEME = LabelScheme(
    "two", ("background", "a", "b"), (Structure("A", (1,)), Structure("trabeculae", (2,)))
)


def graded(**fields):
    """One frame of [3, 4, 4]: Dice of A is 1 and .5 in two slices, of trabeculae .4 in one."""
    reference = np.zeros((1, 3, 4, 4), np.int8)
    labels = np.zeros_like(reference)
    reference[0, 0, 0], labels[0, 0, 0] = 1, 1
    reference[0, 1, 0], labels[0, 1, 0, :2], labels[0, 1, 3, :2] = 1, 1, 1
    reference[0, 2, 0], labels[0, 2, 0, 0] = 2, 2
    image = np.zeros((1, *labels.shape), np.float32)
    return Graded(Prediction("s", image, labels, (8.0, 1.5, 1.25)), reference, **fields)


def quality():
    unknown = np.nan
    return Quality(
        "s",
        0.5,
        slice_dice={
            "A": np.array([[0.9, 0.8, unknown]]),
            "trabeculae": np.array([[unknown, unknown, 0.3]]),
        },
        slice_mvsf={"A": np.array([[0.1, -0.2, 0.0]])},
    )


def rows():
    return list(slices_of(quality(), graded(subject="p"), SCHEME, estimator="e", item=0))


def test_a_slice_is_judged_where_a_structure_is_in_either():
    found = [(row.structure, row.slice, row.true_dice, row.dice) for row in rows()]

    assert found == [("A", 0, 1.0, 0.9), ("A", 1, 0.5, 0.8), ("trabeculae", 2, 0.4, 0.3)]
    one = graded()
    expected = mvsf(one.prediction.labels[0] == 2, one.reference[0] == 2)[2]
    assert rows()[2].true_mvsf == pytest.approx(expected)
    assert np.isnan(rows()[2].mvsf)


def test_stored_truth_is_taken_at_its_word():
    stored = graded(slice_dice=np.full((1, 2, 3), 0.25), mvsf=np.full((1, 2, 3), -1.0))

    found = list(slices_of(quality(), stored, SCHEME, estimator="e", item=0))

    assert {(row.true_dice, row.true_mvsf) for row in found} == {(0.25, -1.0)}
    assert len(found) == 6


def test_figures_are_of_slices_each_by_the_threshold_of_its_structure():
    together, a, trabeculae = slice_table(rows())

    assert (a.n, a.subjects, a.threshold, a.accuracy) == (2, 1, 0.7, 0.5)
    assert a.mae == pytest.approx(0.2)
    assert a.mae_sd == pytest.approx(np.std([0.1, 0.3], ddof=1))
    assert (a.n_mvsf, a.mvsf_mae) == (2, pytest.approx(0.15))
    # True .4 is good from .35 on, and .3 is called poor.
    assert (trabeculae.threshold, trabeculae.accuracy, trabeculae.n_mvsf) == (0.35, 0.0, 0)
    assert together.accuracy == pytest.approx(1 / 3)
    r = stats.pearsonr([1, 0.5, 0.4], [0.9, 0.8, 0.3]).statistic
    assert together.pearson == pytest.approx(r)


def test_thresholds_are_those_of_the_paper():
    known = ("LV", "MYO", "LVPM", "LVT")

    assert [threshold_of(one) for one in known] == [0.7, 0.7, 0.45, 0.35]


def test_an_estimator_that_says_nothing_of_slices_has_no_rows():
    assert not list(slices_of(Quality("s", 0.5), graded(), SCHEME, estimator="e", item=0))
