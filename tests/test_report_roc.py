"""ROC with the gates' points, what stands behind figures, and the label budget."""

from dataclasses import replace

import pytest
from report_builders import built_report, empty_report, full_report

from semiqc.files.tables import SplitRow
from semiqc.report.compared import ComparedRun
from semiqc.report.compared.budget import budget_plots, budget_tables
from semiqc.report.roc import roc_plots, roc_table


def judged(data, dice, scores, admitted):
    first = data.judgements[0]
    rows = [
        replace(first, study=f"s{n}", true_dice=d, score=s, scores={"curve": s}, admitted=a)
        for n, (d, s, a) in enumerate(zip(dice, scores, admitted, strict=True))
    ]
    return replace(data, judgements=[replace(row, scenario="semiqc") for row in rows])


def test_the_gate_stands_where_it_admits_good_and_poor():
    data = judged(full_report(), [0.9, 0.8, 0.6, 0.5], [0.9, 0.3, 0.8, 0.1], [True, False] * 2)
    [picture] = roc_plots(data)
    rows = roc_table(data).rows

    [gate] = [row for row in rows if row["of"] == "gate of semiqc"]
    assert (gate["good accepted"], gate["poor accepted"]) == (0.5, 0.5)
    assert "Good: a true Dice of 0.70 or more." in picture.caption
    assert "curve 0.75" in picture.caption
    assert "semiQCSeg 50 % of the good, 50 % of the poor" in picture.caption
    curve = [(r["poor accepted"], r["good accepted"]) for r in rows if r["of"] == "curve"]
    assert curve == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]


def test_where_all_are_good_the_median_parts_them():
    data = judged(full_report(), [0.9, 0.88, 0.86, 0.8], [0.9, 0.8, 0.7, 0.6], [True] * 4)

    [picture] = roc_plots(data)
    assert "Good: a true Dice of 0.87 or more, the median" in picture.caption
    assert "gates" not in picture.caption


def test_nothing_is_drawn_where_no_reference_is_known():
    assert roc_plots(empty_report()) == []
    assert roc_table(empty_report()).rows == []


def test_every_figure_of_studies_has_its_numbers_beside_it():
    data, (page, tables) = full_report(), built_report()

    dice = {
        (r["structure"], r["scenario"], r["study"]): r["dice"] for r in tables["dice_studies"].rows
    }
    assert dice["LV", "few", "phantom003"] == data.overlap_of("few", structure="LV")["phantom003"]
    assert dice["all structures", "few", "phantom003"] == data.overlap_of("few")["phantom003"]
    changes = {(r["scenario"], r["study"]): r for r in tables["change_studies"].rows}
    change = changes["semiqc", "phantom003"]
    assert change["baseline"] + change["change"] == pytest.approx(
        data.overlap_of("semiqc")["phantom003"]
    )
    assert len(tables["judged_studies"].rows) == len(data.judgements)
    assert tables["roc"].rows
    assert "dice_studies.csv" in page
    assert "What the estimators learned from" in page
    assert "results/graded.csv" in page


def test_more_labels_are_a_curve_where_runs_differ_in_them():
    few = full_report()
    more = replace(few, split=[*few.split, SplitRow("labelled9", "labelled9", "", "labelled")])
    runs = [ComparedRun(name, data, {}) for name, data in (("b", more), ("a", few))]
    [table] = budget_tables(runs)
    [picture] = budget_plots(runs)

    assert [(r["run"], r["subjects"]) for r in table.rows[:2]] == [("a", 4), ("b", 5)]
    assert "Full data set" not in {row["scenario"] for row in table.rows}
    assert "semiQCSeg 0.8" in picture.caption
    assert budget_tables([runs[0], runs[0]]) == budget_plots([runs[1], runs[1]]) == []
