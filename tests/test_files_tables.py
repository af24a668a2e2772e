import math
from dataclasses import replace

import pytest

from semiqc.files.tables import OverlapRow, SplitRow, read_rows, write_rows

ROW = OverlapRow(0, "few", "a,b", 'say "x"', 3, "LV", 1 / 3, math.inf, 12.5)


def test_rows_written_and_read_are_the_same_to_the_last_digit(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, OverlapRow, [ROW, replace(ROW, frame=4)])

    assert read_rows(path, OverlapRow) == [ROW, replace(ROW, frame=4)]


def test_nan_survives(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, OverlapRow, [replace(ROW, dice=math.nan)])

    assert math.isnan(read_rows(path, OverlapRow)[0].dice)


def test_a_table_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    write_rows(path, SplitRow, [])

    with pytest.raises(ValueError, match="lacks the columns dice"):
        read_rows(path, OverlapRow)
