from dataclasses import replace

import pytest
from report_builders import full_report

from semiqc.files.tables import SpoiltRow
from semiqc.report import build_report, findings, summary_tables

SPOILT = {"candidate000": "noise", "candidate007": "noise", "candidate015": "lost"}


def dirty_report():
    rows = [SpoiltRow(name, "", kind) for name, kind in SPOILT.items()]
    return replace(full_report(), dirty=rows)


def table(data, name):
    return {one.name: one for one in summary_tables(data)}.get(name)


def test_admitted_studies_are_counted_by_kind():
    rows = {row["kind"]: row for row in table(dirty_report(), "dirty").rows}

    assert list(rows) == ["clean", "lost", "noise"]
    assert [rows[kind]["studies"] for kind in rows] == [17, 1, 2]
    # semiqc admits candidates 0 to 7.
    assert [rows[kind]["admitted semiqc"] for kind in rows] == [6, 0, 2]
    assert sum(row["admitted random"] for row in rows.values()) == 8
    assert rows["noise"]["dice"] > rows["lost"]["dice"] > 0


def test_several_seeds_and_rounds_are_counted_as_a_mean_of_the_last_round():
    data = dirty_report()
    later = [
        replace(row, round=2, admitted=row.study == "candidate015")
        for row in data.judgements
        if row.scenario == "semiqc"
    ]
    other = [replace(row, seed=1) for row in data.judgements if row.scenario == "semiqc"]
    data = replace(data, judgements=[*data.judgements, *later, *other])

    rows = {row["kind"]: row for row in table(data, "dirty").rows}

    assert [rows[kind]["admitted semiqc"] for kind in rows] == [3, 0.5, 1]


def test_the_gates_table_counts_spoilt_studies_where_there_are_some():
    rows = {row["scenario"]: row for row in table(dirty_report(), "gate").rows}

    assert (rows["semiqc"]["spoilt admitted"], rows["semiqc"]["spoilt"]) == (2, 3)
    assert "Spoilt admitted" in table(dirty_report(), "gate").header
    assert "Spoilt admitted" not in table(full_report(), "gate").header
    assert table(full_report(), "dirty") is None


def test_the_summary_says_how_many_spoilt_studies_came_through():
    [said] = [line for line in findings(dirty_report()) if "spoilt" in line]

    assert said.startswith("semiQCSeg admitted 2 of 3 spoilt studies (of 8 admitted); ")
    assert "Self-training, no QC admitted" in said
    assert not any("spoilt" in line for line in findings(full_report()))


@pytest.mark.usefixtures("undrawn")
def test_the_page_shows_the_table(tmp_path):
    build_report(dirty_report(), tmp_path / "report.html")

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Admitted studies of the dirty pool" in page
    assert "extreme noise" in page
