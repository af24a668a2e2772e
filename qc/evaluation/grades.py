"""Whether estimates differ between the grades that readers gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from qc.evaluation.distributions import between_grades
from qc.evaluation.judgement import ALL, Judgement
from semiqc.doors.csv_table import read_table
from semiqc.doors.regular import UnusableError, in_short

Grades = Mapping[tuple[str, str], str]
"""Grade by study and source; an empty source stands for all of a study's segmentations."""


@dataclass(frozen=True)
class GradeRow:
    """The Kolmogorov-Smirnov test between what an estimator says of two grades.

    Args:
        estimator: Its name.
        first: A grade.
        second: Another.
        n_first: Segmentations of the first grade.
        n_second: Of the second.
        ks: Largest distance between the two distribution functions.
        p: Two-sided.
    """

    estimator: str
    first: str
    second: str
    n_first: int
    n_second: int
    ks: float
    p: float


def read_grades(path: Path) -> dict[tuple[str, str], str]:
    """Readers' grades: a CSV with the columns ``study``, ``grade`` and, if wanted, ``source``.

    Raises:
        UnusableError: If it is not such a table, is empty, lacks a cell or grades something twice.
    """
    table = read_table(path)
    table.require(path, ("study", "grade"))
    grades: dict[tuple[str, str], str] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        study, grade = row["study"].strip(), row["grade"].strip()
        key = study, row.get("source", "").strip()
        if not study or not grade:
            raise UnusableError(f"{path}, line {line}: expected a study and its grade")
        if key in grades:
            raise UnusableError(f"{path}, line {line}: a second grade of {in_short(study)}")
        grades[key] = grade
    if not grades:
        raise UnusableError(f"{path}: holds no grade")
    return grades


def compare_grades(judgements: Sequence[Judgement], grades: Grades) -> list[GradeRow]:
    """A row for each estimator and pair of grades, which are sorted by name.

    Compared are the estimated mean Dice of all structures or, of who gives none, the scores.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control", Medical Image
        Analysis 2021, figure 9. https://doi.org/10.1016/j.media.2021.102213

    Args:
        judgements: Of any estimators, as ``Evaluation`` holds them.
        grades: Judgements of what has none are passed over.

    Raises:
        ValueError: If no judged segmentation has a grade.
    """
    said: dict[str, list[tuple[str, float]]] = {}
    for row in judgements:
        grade = grades.get((row.study, row.source)) or grades.get((row.study, ""))
        if row.structure == ALL and grade:
            estimate = row.dice if isfinite(row.dice) else row.score
            said.setdefault(row.estimator, []).append((grade, estimate))
    if not said:
        study = next(iter(grades))[0]
        raise ValueError(f"no judged segmentation has a grade; the first grade is of {study}")
    return [row for name, pairs in said.items() for row in _rows(name, sorted(pairs))]


def _rows(name: str, pairs: Sequence[tuple[str, float]]) -> list[GradeRow]:
    estimates = np.array([estimate for _, estimate in pairs])
    tests = between_grades(estimates, [grade for grade, _ in pairs])
    return [
        GradeRow(name, str(a), str(b), *test.n, test.statistic, test.p)
        for (a, b), test in tests.items()
    ]
