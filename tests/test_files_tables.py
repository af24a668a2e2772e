import math
import weakref
from dataclasses import dataclass, replace

import pytest

from semiqc.files.rows import read_rows, write_rows
from semiqc.files.tables import (
    JudgementRow,
    OverlapRow,
    PseudoRow,
    QualityRow,
    SplitRow,
)


@dataclass(frozen=True)
class Verdict:
    a: int
    is_good: bool | None


FIGURES = {"dice": 1 / 3, "nsd": math.inf, "hd95_mm": 12.5}
ROW = OverlapRow(0, "few", "a,b", 'say "x"', 3, "LV", FIGURES)


def test_rows_written_and_read_are_the_same_to_the_last_digit(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, OverlapRow, [ROW, replace(ROW, frame=4)])

    assert read_rows(path, OverlapRow) == [ROW, replace(ROW, frame=4)]


def test_rows_are_written_as_they_come(tmp_path):
    alive = weakref.WeakSet()

    def made():
        for number in range(100):
            assert len(alive) < 5
            row = Verdict(number, None)
            alive.add(row)
            yield row

    write_rows(tmp_path / "t.csv", Verdict, made())
    assert read_rows(tmp_path / "t.csv", Verdict)[-1] == Verdict(99, None)


def test_a_whole_number_of_a_measure_is_written_with_a_point(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, OverlapRow, [replace(ROW, figures={"dice": 1}), ROW])

    assert path.read_text().splitlines()[1].endswith(",3,LV,1.0,,")


def test_nan_survives(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, OverlapRow, [replace(ROW, figures=FIGURES | {"dice": math.nan})])

    assert math.isnan(read_rows(path, OverlapRow)[0].dice)


def test_a_table_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, SplitRow, [SplitRow("a", "a", "", "test")])

    with pytest.raises(ValueError, match="lacks the columns dice"):
        read_rows(path, OverlapRow)


def test_each_estimator_has_a_column_with_every_digit(tmp_path):
    path = tmp_path / "quality.csv"
    both = QualityRow(
        0, "few", "a", "svr", 1 / 3, None, {"svr": 1 / 3, "curve": 1.0}, {"curve": True},
        {"svr": "small; thin"},
    )  # fmt: skip
    one = QualityRow(0, "few", "b", "svr", 0.25, False, {"svr": 0.25}, {"svr": False}, {})
    write_rows(path, QualityRow, [both, one])

    assert read_rows(path, QualityRow) == [both, one]
    assert path.read_text().splitlines() == [
        "seed,scenario,study,estimator,score,is_good,score_svr,score_curve,is_good_curve,"
        "is_good_svr,reason_svr",
        "0,few,a,svr,0.3333333333333333,,0.3333333333333333,1.0,True,,small; thin",
        "0,few,b,svr,0.25,False,0.25,,,False,",
    ]


def test_a_table_without_rows_has_no_file(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, OverlapRow, [ROW])
    write_rows(path, OverlapRow, [])

    assert not path.exists()
    assert read_rows(path, OverlapRow) == []


def test_what_version_0_1_packed_into_a_cell_is_read(tmp_path):
    judged = tmp_path / "judgements.csv"
    judged.write_text(
        "seed,scenario,round,study,group,estimator,score,is_good,admitted,reason,true_dice,"
        "scores,model,weight,grain,kept,repair\n"
        "0,semiqc,1,a,,svr,0.5,,True,,nan,svr=0.5;curve=0.25,,1.0,study,1.0,\n"
        "0,semiqc,1,b,,svr,0.4,False,False,,nan,svr=0.4,,1.0,study,0.0,\n"
    )
    pseudo = tmp_path / "pseudo.csv"
    pseudo.write_text("seed,scenario,round,study,file,frames\n0,few,1,a,x.h5,0 7\n0,few,1,b,y,\n")

    rows = read_rows(judged, JudgementRow)
    assert [row.scores for row in rows] == [{"svr": 0.5, "curve": 0.25}, {"svr": 0.4}]
    assert [(row.is_good, row.admitted) for row in rows] == [(None, True), (False, False)]
    assert read_rows(pseudo, PseudoRow) == [
        PseudoRow(0, "few", 1, "a", "x.h5", 0),
        PseudoRow(0, "few", 1, "a", "x.h5", 7),
    ]


def test_a_cell_of_another_type_is_refused_with_the_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,is_good\n1,maybe\n")

    with pytest.raises(ValueError, match=r"t\.csv: expected True or False, got maybe"):
        read_rows(path, Verdict)
