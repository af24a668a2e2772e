"""Bland-Altman plots: the difference of each study's measure from the manual one."""

import math
from collections.abc import Sequence

import numpy as np

from semiqc.measuring.statistics import agree
from semiqc.pages.drawing import INK, Picture, as_svg, blank
from semiqc.pages.table import Cell, Table, count, number, number_text, text
from semiqc.report.clinical import SHOWN, Measure, measures_of
from semiqc.report.data import MANUAL, ReportData

NAME = "agreement_studies"
"""Of the table behind the plots, which has a file and no place on the page."""

LEAST = 3
"""Studies of a plot."""


def agreement_of_studies(data: ReportData) -> Table:
    """A row for each study, measure and scenario that has both the measure and the manual one."""
    rows: list[dict[str, Cell]] = [
        {
            "structure": of[0],
            "measure": of[1],
            "unit": of[2],
            "scenario": key,
            "study": study,
            "manual": manual,
            "automatic": automatic,
            "mean": (manual + automatic) / 2,
            "difference": automatic - manual,
        }
        for of in measures_of(data)
        for key, _ in data.scenarios
        for study, manual, automatic in _pairs(data, of, key)
    ]
    columns = [text("study", "Study"), count("measure", "Measure"), number("mean", "Mean", 1)]
    title = "Measures of every study beside the manual ones"
    return Table(NAME, title, rows, columns, section="clinical")


def bland_altman_plots(data: ReportData) -> list[Picture]:
    """A plot for each main measure: the reference scenario's differences from manual.

    Reference:
        Bland and Altman, "Statistical methods for assessing agreement between two methods of
        clinical measurement", The Lancet 1986. https://doi.org/10.1016/S0140-6736(86)90837-8
    """
    if data.reference_scenario not in data.colours:
        return []
    shown = [measure for measure in measures_of(data) if measure[1] in SHOWN]
    return [picture for of in shown if (picture := _plot(data, of))]


def _pairs(data: ReportData, of: Measure, key: str) -> list[tuple[str, float, float]]:
    """Study, manual and automatic value, of the studies that have both."""
    manual = data.clinical_of(MANUAL, *of[:2])
    found = data.clinical_of(key, *of[:2])
    return [
        (study, value, found[study])
        for study, value in manual.items()
        if math.isfinite(value) and math.isfinite(found.get(study, math.nan))
    ]


def _plot(data: ReportData, of: Measure) -> Picture | None:
    """The plot of one measure; None where fewer than ``LEAST`` studies have it."""
    key = data.reference_scenario
    pairs = _pairs(data, of, key)
    if len(pairs) < LEAST:
        return None
    values = np.array([pair[1:] for pair in pairs])
    names = [pair[0] for pair in pairs]
    found = agree(
        dict(zip(names, values[:, 1], strict=True)),
        dict(zip(names, values[:, 0], strict=True)),
        data.subjects,
    )
    figure, axes = blank(3.4, 2.5)
    axes.scatter(
        values.mean(axis=1),
        values[:, 1] - values[:, 0],
        s=16,
        color=data.colours[key],
        linewidths=0,
    )
    axes.axhline(0, color=INK, linewidth=0.6, alpha=0.4)
    for height, style in _levels(found.bias, found.limits):
        axes.axhline(height, color=INK, linewidth=1, linestyle=style)
    axes.set_xlabel(f"Mean of both, {of[2]}")
    axes.set_ylabel(f"Automatic less manual, {of[2]}")
    said = (
        f"Bias {number_text(found.bias, 1, signed=True)} {of[2]}, limits of agreement"
        f" {number_text(found.limits[0], 1)} to {number_text(found.limits[1], 1)}; n = {found.n}."
    )
    title = f"{of[0]} {of[1]}"
    alternative = f"Bland-Altman plot of {title} of {data.scenario_title(key)}. {said}"
    return Picture(as_svg(figure), alternative, said, title)


def _levels(bias: float, limits: Sequence[float]) -> list[tuple[float, str]]:
    """Heights of the lines and their style; those that are not known are left out."""
    levels = [(bias, "-"), (limits[0], "--"), (limits[1], "--")]
    return [(height, style) for height, style in levels if math.isfinite(height)]
