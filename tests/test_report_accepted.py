import math
from dataclasses import replace

import pytest
from report_builders import full_report

from semiqc.report import build_report, summary_tables
from semiqc.report.accepted import coverage_plots

DICE = {"a": 0.9, "b": 0.8, "c": 0.4, "d": 0.1}


def a_report(scores, dice=DICE, seed=0):
    """Four judged studies, of one estimator's scores."""
    data = full_report()
    row = next(one for one in data.judgements if one.scenario == "semiqc")
    rows = [
        replace(
            row, seed=seed, study=name, admitted=name == "a", true_dice=dice[name],
            scores={"svr": score},
        )
        for name, score in zip(DICE, scores, strict=True)
    ]  # fmt: skip
    return replace(data, judgements=rows)


def accepted(data):
    found = {table.name: table for table in summary_tables(data)}.get("accepted")
    return found and {row["order"]: row for row in found.rows}


def test_the_dice_of_the_accepted_is_told_at_each_coverage():
    rows = accepted(a_report([0.9, 0.2, 0.8, 0.1]))

    by_svr = [rows["svr"][f"dice at {share}%"] for share in (25, 50, 75, 90, 100)]
    assert by_svr == pytest.approx([0.9, 0.65, 0.7, 0.55, 0.55])
    best = [rows["best order"][f"dice at {share}%"] for share in (25, 50, 75, 90, 100)]
    assert best == pytest.approx([0.9, 0.85, 0.7, 0.55, 0.55])
    assert rows["chance"]["dice at 25%"] == pytest.approx(0.55)
    assert rows["svr"]["aurc"] == pytest.approx((0.1 + 0.35 + 0.3 + 0.45) / 4)
    assert rows["best order"]["aurc"] < rows["svr"]["aurc"] < rows["chance"]["aurc"]


def test_seeds_are_averaged_and_unknown_studies_left_out():
    one, other = a_report([0.9, 0.2, 0.8, 0.1]), a_report([0.1, 0.2, 0.3, 0.4], seed=1)
    both = accepted(replace(one, judgements=[*one.judgements, *other.judgements]))
    unknown = accepted(a_report([0.9, 0.2, 0.8, 0.1], DICE | {"c": math.nan}))

    assert both["svr"]["dice at 25%"] == pytest.approx((0.9 + 0.1) / 2)
    assert unknown["svr"]["studies"] == 3
    assert unknown["svr"]["dice at 100%"] == pytest.approx(0.6)


def test_where_no_reference_is_known_there_is_neither_table_nor_figure():
    data = a_report([0.9, 0.2, 0.8, 0.1], dict.fromkeys(DICE, math.nan))

    assert accepted(data) is None
    assert coverage_plots(data) == []


def test_the_page_shows_the_curves_with_their_areas(tmp_path):
    data = a_report([0.9, 0.2, 0.8, 0.1])
    [picture] = coverage_plots(data)
    build_report(data, tmp_path / "report.html")

    assert "svr 0.300" in picture.caption
    assert "best order" in picture.caption
    page = (tmp_path / "report.html").read_text()
    assert "Risk and coverage" in page
    assert "Dice of the accepted" in page
