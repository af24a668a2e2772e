"""Readers' grades, and whether estimates differ between them."""

import csv
from dataclasses import replace

import pytest

from qc.evaluation.agreement import NAN
from qc.evaluation.grades import compare_grades, read_grades
from qc.evaluation.judgement import OF_STRUCTURES, Judgement
from qc.graded import GradedSet
from semiqc.cli.app import main
from semiqc.doors.regular import UnusableError
from semiqc.files.store.reader import Store


def judged(study, dice, source="a", estimator="svr", score=0.0):
    about = {"study": study, "subject": study, "source": source, "group": "", "verdict": ""}
    numbers = dict.fromkeys(OF_STRUCTURES, NAN) | {"dice": dice, "score": score, "ms": NAN}
    return Judgement(estimator=estimator, item=0, structure="all", **about, **numbers)


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_two_grades_are_compared_for_each_estimator():
    rows = [judged(f"s{n}", dice) for n, dice in enumerate((0.9, 0.8, 0.3, 0.2, 0.5))]
    rows += [judged("s0", NAN, estimator="curve", score=0.7), judged("unknown", 0.1)]
    grades = {(f"s{n}", ""): grade for n, grade in enumerate(("A", "A", "C", "C", "B"))}

    found = {(r.estimator, r.first, r.second): r for r in compare_grades(rows, grades)}

    assert set(found) == {("svr", a, b) for a, b in ("AB", "AC", "BC")}
    assert (found["svr", "A", "C"].n_first, found["svr", "A", "C"].ks) == (2, 1.0)


def test_of_several_segmentations_of_a_study_each_has_its_grade():
    rows = [judged("s", 0.9, "good"), judged("s", 0.2, "poor")]
    rows.append(replace(rows[0], structure="LV", dice=0.0))

    [found] = compare_grades(rows, {("s", "good"): "1", ("s", "poor"): "2"})

    assert (found.n_first, found.n_second, found.ks) == (1, 1, 1.0)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["study,mark", "a,1"], "lacks the columns grade"),
        (["study,grade", "a,"], "line 2: expected a study and its grade"),
        (["study,grade", "a,1", "a,2"], "line 3: a second grade of a"),
        (["study,grade"], "holds no grade"),
    ],
)
def test_what_is_no_table_of_grades_is_refused(tmp_path, lines, message):
    with pytest.raises(UnusableError, match=message):
        read_grades(table(tmp_path / "grades.csv", *lines))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_an_evaluation_tells_them(fitted_suite, suite_store, tmp_path):
    held = GradedSet(fitted_suite / "test.h5", Store(suite_store))
    sources = sorted({str(one) for one in held.sources})
    study = str(held.studies[0])
    lines = [f"{study},{'good' if n else 'poor'},{one}" for n, one in enumerate(sources)]
    grades = table(tmp_path / "given.csv", "study,grade,source", *lines)
    command = ["qc", "evaluate", str(fitted_suite), str(fitted_suite / "test.h5")]

    assert main([*command, "--grades", str(grades), "--output", str(tmp_path / "out")]) == 0

    with (tmp_path / "out" / "grades.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["estimator"] for row in rows} == {"svr", "cnn", "slicewise", "qcresunet"}
    assert {(row["first"], row["second"]) for row in rows} == {("good", "poor")}
