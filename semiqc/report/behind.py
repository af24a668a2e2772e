"""The numbers behind the figures: tables that have a file each, and no place on the page."""

import math

from semiqc.pages.table import Cell, Table
from semiqc.report.bland_altman import agreement_of_studies
from semiqc.report.data import ReportData
from semiqc.report.explained import path_table
from semiqc.report.figures import changes_of
from semiqc.report.overlap import POOLED
from semiqc.report.roc import roc_table


def figure_tables(data: ReportData) -> list[Table]:
    """One for each kind of figure; it has no rows where there is no such figure."""
    return [
        dice_of_studies(data),
        change_of_studies(data),
        judged_studies(data),
        agreement_of_studies(data),
        roc_table(data),
        path_table(data.paths),
    ]


def dice_of_studies(data: ReportData) -> Table:
    """What the box plots show: Dice of every test study, by scenario and structure."""
    parts: list[tuple[str, str | None]] = [(s.name, s.name) for s in data.scheme.structures]
    if data.has_several_structures:
        parts.insert(0, (POOLED, None))
    rows: list[dict[str, Cell]] = [
        {"structure": title, "scenario": key, "study": study, "dice": dice}
        for title, structure in parts
        for key, _ in data.scenarios
        for study, dice in data.overlap_of(key, structure=structure).items()
        if math.isfinite(dice)
    ]
    return Table("dice_studies", "Dice of every study", rows, [])


def change_of_studies(data: ReportData) -> Table:
    """What the plots of changes show: Dice of the baseline, and the change against it."""
    rows: list[dict[str, Cell]] = [
        {"scenario": key, "study": study, "baseline": before, "change": change}
        for key, _ in data.scenarios
        if key != data.baseline_scenario
        for study, before, change in changes_of(data, key)
    ]
    return Table("change_studies", "Change of every study", rows, [], section="change")


def judged_studies(data: ReportData) -> Table:
    """What the plots of scores show: score and true Dice of every judged study."""
    rows: list[dict[str, Cell]] = [
        {
            "scenario": row.scenario,
            "seed": row.seed,
            "round": row.round,
            "study": row.study,
            "score": row.score,
            "true dice": row.true_dice,
            "admitted": "" if row.admitted is None else str(bool(row.admitted)),
        }
        for row in data.judgements
        if math.isfinite(row.score) and math.isfinite(row.true_dice)
    ]
    return Table("judged_studies", "Score and true Dice", rows, [], section="control")
