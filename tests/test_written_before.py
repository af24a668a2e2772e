"""Stores, runs and suites that version 0.1 wrote are read, and say what they said."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from semiqc.cli import main
from semiqc.files.store.reader import Store

BEFORE = Path(__file__).parent / "data" / "before"
TIMES = {"ms"}
TABLES = sorted(path.name for path in (BEFORE / "expected" / "tables").glob("*.csv"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("before") / "run"
    shutil.copytree(BEFORE / "run", folder)
    assert main(["report", str(folder)]) == 0
    return folder


def rows_of(path):
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def titled_now(rows):
    """Version 0.1 called the scenario semiQCSeg, whoever chose; here the consensus did."""
    return [["QC gate: consensus" if one == "semiQCSeg" else one for one in row] for row in rows]


def known_before(rows, expected):
    """The columns that a table had before; today's may have more."""
    if not rows or not expected:
        return rows
    kept = [column for column, title in enumerate(rows[0]) if title in expected[0]]
    return [[row[column] for column in kept] for row in rows]


def scores_of(path):
    """(study, estimator) -> score: of a row each in version 0.1, now of a column each."""
    rows = mappings_of(path)
    if "scores" in rows[0]:
        return {(row["study"], row["estimator"]): float(row["score"]) for row in rows}
    return {
        (row["study"], column.removeprefix("score_")): float(score)
        for row in rows
        for column, score in row.items()
        if column.startswith("score_") and score
    }


def mappings_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_store_is_read():
    store = Store(BEFORE / "store.h5")

    assert len(store) == 8
    assert [part.name for part in store.scheme.structures] == ["LV", "MYO", "RV"]
    assert np.isfinite(store.study("phantom-0001").image[:]).all()


def test_it_is_said_that_a_run_has_no_checksums(run, capsys):
    assert main(["report", str(run)]) == 0
    assert f"note: {run}: written without checksums" in capsys.readouterr().out


@pytest.mark.parametrize("name", TABLES)
def test_a_run_is_reported_with_the_same_figures(run, name):
    found = run / "results" / "tables" / name
    expected = titled_now(rows_of(BEFORE / "expected" / "tables" / name))
    assert known_before(rows_of(found), expected) == expected
    assert not found.exists() or found.stat().st_size


def test_a_run_predicts_and_judges_as_it_did(run, tmp_path):
    store, output = BEFORE / "store.h5", tmp_path / "predicted"

    assert main(["predict", str(run), str(store), "--output", str(output)]) == 0

    assert rows_of(output / "measures.csv") == rows_of(BEFORE / "expected" / "measures.csv")
    said, expected = map(scores_of, (output / "quality.csv", BEFORE / "expected" / "quality.csv"))
    assert said == pytest.approx(expected, abs=1e-6)


ROW = ("estimator", "quality", "structure", "by", "stratum")
"""Columns that say what a row of an evaluation is of."""


def test_a_suite_judges_as_it_did(tmp_path):
    suite = str(BEFORE / "suite")
    arguments = ["--store", str(BEFORE / "store.h5"), "-o", str(tmp_path / "evaluated")]
    graded = tmp_path / "test.h5"
    shutil.copy(BEFORE / "suite" / "test.h5", graded)

    assert main(["qc", "evaluate", suite, str(graded), *arguments]) == 0

    # The whole heart and the background, of which nothing was told before, have rows of their own.
    found = {
        tuple(row[name] for name in ROW): row
        for row in mappings_of(tmp_path / "evaluated" / "figures.csv")
    }
    for theirs in mappings_of(BEFORE / "expected" / "evaluation.csv"):
        ours = found[tuple(theirs[name] for name in ROW)]
        for column in set(theirs) - TIMES:
            assert ours[column] == theirs[column] or float(ours[column]) == pytest.approx(
                float(theirs[column]), abs=1e-6, nan_ok=True
            ), (column, theirs)
