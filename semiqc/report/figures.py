"""Figures of what the scenarios achieved on the test studies, and of their trainings.

All are drawn as SVG by matplotlib without a display, with a sentence for those who cannot see
them. A scenario has one colour and one number in all of them. What cannot be drawn, for want of
finite values, is left out; it is not drawn empty.
"""

import statistics
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from semiqc.measuring.statistics import pearson
from semiqc.pages.drawing import INK, Picture, as_svg, blank
from semiqc.pages.table import number_text
from semiqc.report.data import ReportData

SMOOTHED = 40
"""Points that a training curve is averaged down to, so that its course shows through the noise."""


def box_plots(data: ReportData) -> list[Picture]:
    """Dice of every test study, per scenario: over all structures, then of each.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Table 2, study by study.
    """
    parts: list[tuple[str, str | None]] = [(s.name, s.name) for s in data.scheme.structures]
    if data.has_several_structures:
        parts.insert(0, ("All structures", None))
    drawn = (_boxes(data, title, structure) for title, structure in parts)
    return [picture for picture in drawn if picture]


def _boxes(data: ReportData, title: str, structure: str | None) -> Picture | None:
    """A box and the single studies for each scenario; None where there is no Dice."""
    values = {key: _finite(data.overlap_of(key, structure=structure)) for key, _ in data.scenarios}
    shown = {key: list(found.values()) for key, found in values.items() if found}
    if not shown:
        return None
    figure, axes = blank(3.6, 2.6)
    for place, (key, dice) in enumerate(shown.items()):
        _box(axes, place, dice, data.colours[key])
        axes.scatter([place] * len(dice), dice, s=11, color=data.colours[key], linewidths=0)
    _join(axes, [values[key] for key in shown])
    axes.set_xticks(range(len(shown)), [str(_place(data, key)) for key in shown])
    axes.set_ylabel("Dice")
    medians = ", ".join(
        f"{data.scenario_title(key)} {number_text(statistics.median(dice), 3)}"
        for key, dice in shown.items()
    )
    return Picture(as_svg(figure), f"Box plot of Dice, {title}. Medians: {medians}.", title=title)


def _join(axes: Axes, values: Sequence[dict[str, float]]) -> None:
    """A thin line for each study, from scenario to scenario: differences are within studies."""
    table = pd.DataFrame(values)
    axes.plot(range(len(values)), table.to_numpy(), color=INK, alpha=0.25, linewidth=0.6)


def _box(axes: Axes, place: int, values: Sequence[float], colour: str) -> None:
    """One box from the first to the third quartile; outliers are drawn with the other studies."""
    thin = {"color": INK, "linewidth": 0.8}
    axes.boxplot(
        [values],
        positions=[place],
        widths=0.55,
        showfliers=False,
        medianprops={"color": colour, "linewidth": 2},
        boxprops=thin,
        whiskerprops=thin,
        capprops=thin,
    )


def change_plots(data: ReportData) -> list[Picture]:
    """Change of each study's Dice against the baseline, over the Dice of the baseline.

    All axes have the same limits.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Figure 2, there by study.
    """
    changes = {
        key: [(before, change) for _, before, change in changes_of(data, key)]
        for key, _ in data.scenarios
        if key != data.baseline_scenario
    }
    reached = [abs(change) for points in changes.values() for _, change in points]
    limit = 1.1 * max(reached, default=0.0) or 1.0
    return [_change_plot(data, key, points, limit) for key, points in changes.items() if points]


def changes_of(data: ReportData, key: str) -> list[tuple[str, float, float]]:
    """Name, Dice of the baseline and change against it, of each study that has both.

    Each is a mean over the study's frames, structures and seeds.
    """
    baseline = _finite(data.overlap_of(data.baseline_scenario))
    return [
        (study, baseline[study], value - baseline[study])
        for study, value in _finite(data.overlap_of(key)).items()
        if study in baseline
    ]


def _change_plot(
    data: ReportData, key: str, points: Sequence[tuple[float, float]], limit: float
) -> Picture:
    """The changes of one scenario with their regression line."""
    colour, title = data.colours[key], data.scenario_title(key)
    baseline = data.scenario_title(data.baseline_scenario)
    figure, axes = blank(2.9, 2.4)
    x, y = np.array(points).T
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.vlines(x, 0, y, color=colour, alpha=0.4, linewidth=1)
    axes.scatter(x, y, s=18, color=colour, linewidths=0)
    said = _regression(axes, x, y)
    axes.set_ylim(-limit, limit)
    axes.set_xlabel(f"Dice of {baseline}")
    axes.set_ylabel("Change of Dice")
    alternative = (
        f"Change of Dice of {title} against {baseline} for each of {len(y)} studies:"
        f" {int((y > 0).sum())} better, {int((y < 0).sum())} worse."
    )
    return Picture(as_svg(figure), alternative, said, title)


def _regression(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Draw the least-squares line, if there is one, and put slope and Pearson's r into words.

    There is none where r is NaN: with too few studies, or where all have the same value.
    """
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
    rows = pd.DataFrame(data.training, columns=["training", "step", "term", "value"])
    # The best so far is one of the other curves.
    is_best = rows["term"].astype(str).str.contains("_best", regex=False)
    shown = rows[np.isfinite(rows["value"].astype(float)) & ~is_best]
    by_term = shown.groupby("term", sort=False)
    return [_training_plot(data, str(term), of_term) for term, of_term in by_term]


def _training_plot(data: ReportData, term: str, rows: pd.DataFrame) -> Picture:
    """A line for each training, in the colour of its scenario."""
    figure, axes = blank(3.6, 2.2)
    by_training = rows.groupby("training", sort=False)
    for training, points in by_training:
        ordered = points[["step", "value"]].sort_values(["step", "value"])
        steps, values = _averaged(ordered.to_numpy(dtype=np.float64))
        colour = data.colours.get(str(training).split(",")[0], INK)
        axes.plot(steps, values, color=colour, linewidth=1.2, alpha=0.85)
        if len(steps) == 1:
            axes.scatter(steps, values, s=12, color=colour)
    axes.set_xlabel("Step")
    alternative = f"{term} of {len(by_training)} trainings over their steps."
    return Picture(as_svg(figure), alternative, title=term.replace("_", " "))


def _averaged(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of neighbouring points, ``[N, 2]``, as at most ``SMOOTHED`` steps and values."""
    parts = np.array_split(points, min(SMOOTHED, len(points)))
    means = np.array([part.mean(axis=0) for part in parts])
    return means[:, 0], means[:, 1]


def _place(data: ReportData, key: str) -> int:
    """Number of a scenario in the legend."""
    return [name for name, _ in data.scenarios].index(key) + 1


def _finite(values: dict[str, float]) -> dict[str, float]:
    """The studies with a finite value."""
    return {study: value for study, value in values.items() if np.isfinite(value)}
