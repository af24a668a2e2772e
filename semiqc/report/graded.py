"""What a run's estimators learned from: how good it was, and how right they were about it."""

import math
from collections.abc import Sequence

import numpy as np

from qc.evaluation.drawing import MARKERS, looks
from qc.evaluation.plots_of_sets import balance_histogram
from semiqc.files.tables import GradedRow
from semiqc.measuring.statistics import spearman
from semiqc.pages.drawing import INK, Picture, as_svg, blank, structure_colours
from semiqc.pages.table import number_text
from semiqc.report.data import ReportData, means_of

SIGNS = dict(zip(MARKERS, "●■▲◆▼⬟", strict=True))
"""Markers as the caption writes them: structures are not told apart by colour alone."""


def balance_plots(data: ReportData) -> list[Picture]:
    """Mean Dice of all graded segmentations, and of those left where each tenth counts alike."""
    dice = means_of(((row.seed, row.study, row.source), row.dice) for row in data.graded)
    known = np.array([value for value in dice.values() if math.isfinite(value)])
    if not known.size:
        return []
    said = (
        f"{len(known)} segmentations of {len({row.study for row in data.graded})} studies; after"
        " balancing each tenth of the Dice has as many, as estimators weigh or draw them."
    )
    return [Picture(as_svg(balance_histogram(known)), said, said, "Before and after balancing")]


def estimate_plots(data: ReportData) -> list[Picture]:
    """Estimated against true Dice of each structure, a figure per estimator that tells it."""
    names = sorted({name for row in data.graded for name in row.estimated})
    drawn = ((name, _known(data.graded, name)) for name in names)
    return [_estimate_plot(data, name, rows) for name, rows in drawn if rows]


def _known(rows: Sequence[GradedRow], name: str) -> list[GradedRow]:
    """Rows whose truth is known, and what the estimator says of them."""
    return [
        row
        for row in rows
        if math.isfinite(row.dice) and math.isfinite(row.estimated.get(name, math.nan))
    ]


def _estimate_plot(data: ReportData, name: str, rows: Sequence[GradedRow]) -> Picture:
    figure, axes = blank(2.9, 2.9)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    colours, marks = structure_colours(data.scheme), looks(structure_colours(data.scheme))
    said = []
    for structure, colour in colours.items():
        own = [row for row in rows if row.structure == structure]
        true, estimated = [row.dice for row in own], [row.estimated[name] for row in own]
        marker = marks[structure][1]
        sign = SIGNS[marker]
        axes.scatter(true, estimated, s=14, c=colour, marker=marker, alpha=0.7, linewidths=0)
        if own:
            error = float(np.mean(np.abs(np.subtract(true, estimated))))
            rank = number_text(spearman(true, estimated).coefficient, 2)
            said.append(f"{sign} {structure} {number_text(error, 3)}, ρ {rank}")  # noqa: RUF001
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.set_xlabel("True Dice")
    axes.set_ylabel("Estimated Dice")
    caption = f"Mean absolute error and rank correlation: {'; '.join(said)}."
    return Picture(as_svg(figure), f"Estimated against true Dice, {name}.", caption, name)
