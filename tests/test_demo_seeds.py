"""The demo with many seeds: its table counts in how many of them quality control was better."""

import sys
from dataclasses import replace
from pathlib import Path

from report_builders import full_report

from semiqc.files.tables import SpoiltRow

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.demo_seeds import Admitted, Row, row_of, table

TITLES = {"few": "Few labels", "gate": "Gate"}


def row(seed, few, gate):
    return Row(seed, {"few": few, "gate": gate}, {"gate": Admitted(8, 2, 1, 0.81)})


def test_the_table_counts_the_seeds_in_which_the_gate_is_better():
    rows = [row(0, 0.70, 0.75), row(1, 0.72, 0.71), row(2, 0.60, 0.70)]

    lines = list(table(rows, TITLES, "gate"))

    assert "| 1 | 0.720 | 0.710 |" in lines
    assert "| 1 | 2, 1, 8; 0.810 |" in lines
    [compared] = [line for line in lines if line.startswith("| Few labels | ")]
    assert compared.startswith("| Few labels | +0.047 | ")
    assert compared.endswith(" | 2 of 3 |")


def test_a_row_counts_what_the_last_round_admitted():
    spoilt = [SpoiltRow("candidate000", "", "noise"), SpoiltRow("candidate019", "", "lost")]
    data = replace(full_report(), dirty=spoilt)
    later = [
        replace(
            one, round=2, admitted=one.study in {"candidate000", "candidate001"}, true_dice=0.4
        )
        for one in data.judgements
        if one.scenario == "semiqc"
    ]

    found = row_of(3, replace(data, judgements=[*data.judgements, *later]))

    assert found.admitted["semiqc"] == Admitted(2, 1, 2, 0.4)
    assert found.admitted["random"].studies == 8
    assert found.dice["semiqc"] > found.dice["few"]
