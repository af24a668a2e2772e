"""Several studies of one subject make nothing look surer than its subjects do."""

import math
from dataclasses import replace

import numpy as np
import pytest
from report_builders import full_report
from scipy import stats

from semiqc.files.tables import SplitRow
from semiqc.measuring.bootstrap import drawn_sums, gap_closed
from semiqc.measuring.statistics import agree, compare, interval_of_mean
from semiqc.measuring.subjects import error_of_mean, whose

BEFORE = {"a": 0.70, "b": 0.80, "c": 0.75, "d": 0.60, "e": 0.90, "f": 0.82, "g": 0.71}
AFTER = {"a": 0.74, "b": 0.81, "c": 0.80, "d": 0.68, "e": 0.89, "f": 0.85, "g": 0.73}
BEST = {name: value + 0.1 + 0.01 * i for i, (name, value) in enumerate(BEFORE.items())}
SUBJECTS = {f"{name}{number}": name for name in BEFORE for number in range(3)}


def thrice(values):
    return {study: values[subject] for study, subject in SUBJECTS.items()}


def test_a_study_without_a_subject_is_of_its_own():
    assert whose(["a1", "x"], SUBJECTS | {"y": ""}) == ["a", "x"]
    assert whose(["y"], {"y": ""}) == ["y"]


def test_a_comparison_is_as_sure_with_copies_of_each_study_as_without():
    once, often = compare(AFTER, BEFORE), compare(thrice(AFTER), thrice(BEFORE), SUBJECTS)

    assert often.n == 3 * once.n
    assert often.mean_difference == pytest.approx(once.mean_difference)
    assert often.interval == pytest.approx(once.interval)
    assert (often.t_p, often.wilcoxon_p) == pytest.approx((once.t_p, once.wilcoxon_p))
    narrow = compare(thrice(AFTER), thrice(BEFORE)).interval
    assert narrow[1] - narrow[0] < 0.6 * (once.interval[1] - once.interval[0])


def test_an_agreement_is_as_sure_with_copies_of_each_study_as_without():
    once, often = agree(AFTER, BEFORE), agree(thrice(AFTER), thrice(BEFORE), SUBJECTS)

    assert often.interval == pytest.approx(once.interval)


def test_a_share_of_the_gap_is_as_sure_with_copies_of_each_study_as_without():
    once = gap_closed(AFTER, BEFORE, BEST)
    often = gap_closed(thrice(AFTER), thrice(BEFORE), thrice(BEST), SUBJECTS)

    assert often.interval == pytest.approx(once.interval)
    assert often.mean == pytest.approx(once.mean)


def test_the_error_of_a_mean_is_that_of_sums_over_subjects():
    values, subjects = np.array([1.0, 2.0, 6.0]), ["p", "p", "q"]

    # Residuals -2, -1 and 3: sums of -3 and 3, and 2 / 1 of their squares is 36.
    assert error_of_mean(values, subjects) == (pytest.approx(6 / 3), 2)
    low, high = interval_of_mean(values, subjects)
    assert (high - low) / 2 == pytest.approx(2 * stats.t.ppf(0.975, 1))


def test_one_subject_alone_tells_no_sureness():
    found = compare({"a": 0.5, "b": 0.7}, {"a": 0.4, "b": 0.5}, {"a": "p", "b": "p"})

    assert found.note == "only one subject"
    assert math.isnan(found.t_p)
    assert np.isnan(found.interval).all()


def test_all_rows_of_a_subject_are_drawn_together():
    drawn = drawn_sums(np.array([[1.0], [2.0], [10.0]]), ["p", "p", "q"])

    assert set(drawn[:, 0]) == {6.0, 13.0, 20.0}


def test_the_report_draws_subjects():
    data = full_report()
    keys = ("semiqc", "few")
    alone, first = data.compared(*keys), data.test_studies[0]
    split = [SplitRow(study, first, "", "test") for study in data.test_studies]
    together = replace(data, split=split).compared(*keys)

    assert alone.mean_difference == together.mean_difference
    assert math.isfinite(alone.interval[0])
    assert together.note == "only one subject"
