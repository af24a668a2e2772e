"""What more labels bring: runs that differ in how many subjects are labelled."""

import math
from collections.abc import Sequence

import numpy as np

from semiqc.measuring.means import mean_of_known
from semiqc.pages.drawing import Picture, as_svg, blank, scenario_colours
from semiqc.pages.table import Cell, Table, count, number, number_text, text
from semiqc.report.compared.runs import ComparedRun

LABELLED = "labelled"
"""Role of the subjects whose labels are learned from."""

Point = tuple[int, float]
"""Labelled subjects, and mean Dice of the test studies."""


def budget_tables(runs: Sequence[ComparedRun]) -> list[Table]:
    """Dice by the number of labelled subjects; none where all runs have as many."""
    rows: list[dict[str, Cell]] = [
        {"scenario": title, "run": run.name, "subjects": labelled, "dice": dice}
        for title, points in _budgets(runs).items()
        for run, (labelled, dice) in points
    ]
    if not rows:
        return []
    columns = [
        text("scenario", "Scenario"),
        text("run", "Run"),
        count("subjects", "Labelled subjects"),
        number("dice", "Dice", 3),
    ]
    note = "Mean over each run's test studies, which may differ from run to run."
    return [Table("label_budget", "What more labels bring", rows, columns, note)]


def budget_plots(runs: Sequence[ComparedRun]) -> list[Picture]:
    """A line for each scenario that several numbers of labels have; none where there is none."""
    budgets = _budgets(runs)
    if not budgets:
        return []
    colours = scenario_colours(list(budgets))
    figure, axes = blank(4.6, 2.9)
    for title, found in budgets.items():
        points = np.array([point for _, point in found])
        counts = np.unique(points[:, 0])
        means = [points[points[:, 0] == one, 1].mean() for one in counts]
        axes.plot(counts, means, color=colours[title], linewidth=1.4, label=title)
        axes.plot(*points.T, "o", color=colours[title], markersize=4)
    axes.set_xscale("log")
    ticks = sorted({labelled for found in budgets.values() for _, (labelled, _) in found})
    axes.set_xticks(ticks, [str(one) for one in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("Labelled subjects")
    axes.set_ylabel("Dice")
    axes.legend(frameon=False, fontsize=7)
    ends = "; ".join(
        f"{title} {number_text(found[0][1][1], 3)} with {found[0][1][0]},"
        f" {number_text(found[-1][1][1], 3)} with {found[-1][1][0]}"
        for title, found in budgets.items()
    )
    said = f"Mean Dice of the test studies by the number of labelled subjects: {ends}."
    return [Picture(as_svg(figure), said, said)]


def _budgets(runs: Sequence[ComparedRun]) -> dict[str, list[tuple[ComparedRun, Point]]]:
    """By title, the runs that have a scenario, by number of labels; those with several numbers."""
    found: dict[str, list[tuple[ComparedRun, Point]]] = {}
    for run in sorted(runs, key=_labelled):
        for key, title in run.data.scenarios:
            dice = mean_of_known(run.data.overlap_of(key).values())
            # What all labels achieve does not depend on how many are given.
            if key != run.data.best_scenario and math.isfinite(dice) and _labelled(run):
                found.setdefault(title, []).append((run, (_labelled(run), dice)))
    return {
        title: points
        for title, points in found.items()
        if len({labelled for _, (labelled, _) in points}) > 1
    }


def _labelled(run: ComparedRun) -> int:
    """Subjects whose labels the run learned from."""
    return len({row.subject for row in run.data.split if row.role == LABELLED})
