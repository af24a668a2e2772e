"""Figures of what the scenarios achieved on the test studies, and of their trainings."""

import statistics

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from semiqc.measuring.statistics import pearson
from semiqc.pages.drawing import INK, Picture, as_svg, blank
from semiqc.pages.table import number_text
from semiqc.report.data import ReportData

SMOOTHED = 40
"""Points that a training curve is averaged down to, so that its course shows through the noise."""


def box_plots(data: ReportData) -> list[Picture]:
    """Dice of every test study, per scenario: over all structures, then of each."""
    parts: list[tuple[str, str | None]] = [(s.name, s.name) for s in data.scheme.structures]
    if data.has_several_structures:
        parts.insert(0, ("All structures", None))
    drawn = (_boxes(data, title, structure) for title, structure in parts)
    return [picture for picture in drawn if picture]


def _boxes(data: ReportData, title: str, structure: str | None) -> Picture | None:
    values = {key: _finite(data.overlap_of(key, structure=structure)) for key, _ in data.scenarios}
    shown = [key for key, found in values.items() if found]
    if not shown:
        return None
    colours = data.colours
    figure, axes = blank(3.6, 2.6)
    # Fixed, so that the same results give the same figure.
    jitter = np.random.default_rng(0)
    for place, key in enumerate(shown):
        dice = np.array(list(values[key].values()))
        axes.boxplot(
            [dice],
            positions=[place],
            widths=0.55,
            showfliers=False,
            medianprops={"color": colours[key], "linewidth": 2},
            boxprops={"color": INK, "linewidth": 0.8},
            whiskerprops={"color": INK, "linewidth": 0.8},
            capprops={"color": INK, "linewidth": 0.8},
        )
        across = place + jitter.uniform(-0.16, 0.16, len(dice))
        axes.scatter(across, dice, s=11, color=colours[key], alpha=0.75, linewidths=0)
    axes.set_xticks(range(len(shown)), [str(_place(data, key)) for key in shown])
    axes.set_ylabel("Dice")
    medians = ", ".join(
        f"{data.scenario_title(key)} {number_text(statistics.median(values[key].values()), 3)}"
        for key in shown
    )
    return Picture(as_svg(figure), f"Box plot of Dice, {title}. Medians: {medians}.", title=title)


def change_plots(data: ReportData) -> list[Picture]:
    """Change of each study's Dice against the baseline, over the Dice of the baseline.

    Figure 2 of Ruijsink, Puyol-Antón et al. 2020, the studies ordered by how hard they are.
    """
    baseline = _finite(data.overlap_of(data.baseline_scenario))
    colours = data.colours
    changes = {
        key: [
            (baseline[study], value - baseline[study])
            for study, value in _finite(data.overlap_of(key)).items()
            if study in baseline
        ]
        for key, _ in data.scenarios
        if key != data.baseline_scenario
    }
    reached = [abs(change) for points in changes.values() for _, change in points]
    limit = 1.1 * max(reached, default=0.0) or 1.0
    pictures = []
    for key, points in changes.items():
        if not points:
            continue
        figure, axes = blank(2.9, 2.4)
        x, y = np.array(points).T
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.vlines(x, 0, y, color=colours[key], alpha=0.4, linewidth=1)
        axes.scatter(x, y, s=18, color=colours[key], linewidths=0)
        said = _regression(axes, x, y)
        axes.set_ylim(-limit, limit)
        axes.set_xlabel(f"Dice of {data.scenario_title(data.baseline_scenario)}")
        axes.set_ylabel("Change of Dice")
        title = data.scenario_title(key)
        better = int((y > 0).sum())
        pictures.append(
            Picture(
                as_svg(figure),
                f"Change of Dice of {title} against {data.scenario_title(data.baseline_scenario)}"
                f" for each of {len(y)} studies: {better} better, {int((y < 0).sum())} worse.",
                said,
                title,
            )
        )
    return pictures


def _regression(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    found = pearson(x, y)
    if not np.isfinite(found.coefficient):
        return "Too few studies for a regression line."
    slope, height = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, height + slope * ends, color=INK, linewidth=1, linestyle="--")
    return (
        f"Slope {number_text(float(slope), 2, signed=True)},"
        f" r = {number_text(found.coefficient, 2)}."
    )


def training_plots(data: ReportData) -> list[Picture]:
    """Each loss term or figure of the trainings over their steps."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in data.training:
        # The best so far is one of the other curves.
        if np.isfinite(row.value) and "_best" not in row.term:
            of_term = curves.setdefault(row.term, {})
            of_term.setdefault(row.training, []).append((row.step, row.value))
    colours = data.colours
    pictures = []
    for term, trainings in curves.items():
        figure, axes = blank(3.6, 2.2)
        for training, points in trainings.items():
            steps, values = _averaged(np.array(sorted(points), dtype=np.float64))
            colour = colours.get(training.split(",")[0], INK)
            axes.plot(steps, values, color=colour, linewidth=1.2, alpha=0.85)
            if len(steps) == 1:
                axes.scatter(steps, values, s=12, color=colour)
        axes.set_xlabel("Step")
        pictures.append(
            Picture(
                as_svg(figure),
                f"{term} of {len(trainings)} trainings over their steps.",
                title=term.replace("_", " "),
            )
        )
    return pictures


def _averaged(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    parts = np.array_split(points, min(SMOOTHED, len(points)))
    means = np.array([part.mean(axis=0) for part in parts])
    return means[:, 0], means[:, 1]


def _place(data: ReportData, key: str) -> int:
    return [name for name, _ in data.scenarios].index(key) + 1


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {study: value for study, value in values.items() if np.isfinite(value)}
