"""Tests between estimators and between groups, against scipy on errors made by hand."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from qc.evaluation.comparing import groups_of, pairs_of
from qc.evaluation.judgement import Judgement

NAN = float("nan")
SUBJECTS = ("a", "a", "b", "c", "d", "e", "f")
"""Of each segmentation; two are of one person."""
FIRST = np.array([0.10, 0.20, 0.05, 0.30, 0.12, 0.08, 0.22])
SECOND = np.array([0.06, 0.10, 0.07, 0.21, 0.05, 0.02, 0.30])
THIRD = np.array([0.30, 0.32, 0.29, 0.41, 0.35, 0.22, 0.39])
HEALTHY = {"a": "NOR", "b": "NOR", "c": "NOR", "d": "DCM", "e": "HCM", "f": "HCM"}


def said(name, errors, *, structure="all", sign=1):
    """Estimates that are off by these errors, of a true Dice of .5 on."""
    return [
        Judgement(
            estimator=name,
            item=item,
            study=f"study{item}",
            subject=SUBJECTS[item],
            source="",
            group=HEALTHY[SUBJECTS[item]],
            structure=structure,
            verdict="",
            score=0.5,
            true_dice=0.5 + 0.05 * item,
            dice=0.5 + 0.05 * item + sign * error,
            true_nsd=NAN,
            nsd=NAN,
            true_multi_class=NAN,
            error_map_dice=NAN,
            covered=NAN,
            length=NAN,
            ms=1.0,
        )
        for item, error in enumerate(errors)
    ]


def of_subjects(errors):
    return np.array([errors[:2].mean(), *errors[2:]])


def test_two_estimators_are_tested_over_the_errors_of_subjects():
    [row] = pairs_of(said("one", FIRST) + said("two", SECOND, sign=-1))
    a, b = of_subjects(FIRST), of_subjects(SECOND)

    assert (row.first, row.second, row.n, row.subjects) == ("one", "two", 7, 6)
    assert row.mae_first == pytest.approx(FIRST.mean())
    assert row.mae_second == pytest.approx(SECOND.mean())
    assert row.difference == pytest.approx((a - b).mean())
    assert row.t_p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert row.wilcoxon_p == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert (row.t_holm, row.wilcoxon_holm) == (row.t_p, row.wilcoxon_p)


def test_p_values_are_adjusted_for_all_pairs_and_structures():
    judged = []
    for structure, more in (("all", 0.0), ("LV", 0.01)):
        for name, errors in (("one", FIRST), ("two", SECOND), ("three", THIRD)):
            judged += said(name, errors + more * np.arange(7), structure=structure)

    rows = pairs_of(judged)

    assert [(r.first, r.second) for r in rows[:3]] == [
        ("one", "two"), ("one", "three"), ("two", "three")
    ]  # fmt: skip
    assert len(rows) == 6
    for test in ("t", "wilcoxon"):
        raw = [getattr(row, f"{test}_p") for row in rows]
        expected = multipletests(raw, method="holm")[1]
        np.testing.assert_allclose([getattr(row, f"{test}_holm") for row in rows], expected)


def test_pairs_are_of_what_both_judged():
    without = np.where(np.arange(7) == 4, NAN, SECOND)

    [row] = pairs_of(said("one", FIRST) + said("two", without))

    kept = np.arange(7) != 4
    assert (row.n, row.subjects) == (6, 5)
    assert row.mae_first == pytest.approx(FIRST[kept].mean())
    assert pairs_of(said("one", FIRST)) == []


def test_the_healthy_are_tested_against_all_others():
    rows = groups_of(said("one", FIRST) + said("two", SECOND))
    a, b = of_subjects(FIRST)[:3], of_subjects(FIRST)[3:]

    assert (rows[0].healthy, rows[0].others) == (3, 3)
    assert rows[0].mae_healthy == pytest.approx(a.mean())
    assert rows[0].sd_others == pytest.approx(b.std(ddof=1))
    assert rows[0].t_p == pytest.approx(stats.ttest_ind(a, b).pvalue)
    adjusted = multipletests([row.t_p for row in rows], method="holm")[1]
    np.testing.assert_allclose([row.t_holm for row in rows], adjusted)


def test_without_healthy_and_others_no_groups_are_tested():
    judged = [row for row in said("one", FIRST) if row.group != "NOR"]

    assert groups_of(judged) == []


def test_a_test_of_too_few_has_no_p():
    judged = [row for row in said("one", FIRST) if row.subject in ("a", "d")]

    [row] = groups_of(judged)

    assert (row.healthy, row.others) == (1, 1)
    assert math.isnan(row.t_p)
    assert math.isnan(row.sd_others)
