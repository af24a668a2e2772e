"""Figures of what was judged: curves with verdicts, scores against the truth."""

import math
from collections.abc import Sequence

import numpy as np

from semiqc.files.tables import JudgementRow
from semiqc.measuring.measures import curve_unit
from semiqc.measuring.statistics import spearman
from semiqc.pages.drawing import Picture, as_svg, blank, structure_colours
from semiqc.pages.table import number_text
from semiqc.report.data import CANDIDATES, ReportData

EXAMPLES = 6
"""Curves shown of admitted studies, and of those that were left."""


def score_plots(data: ReportData) -> list[Picture]:
    """Score against true Dice of every judged study whose reference is known, per scenario."""
    colours = data.colours
    pictures = []
    for key, title in data.scenarios:
        known = [
            row
            for row in data.judgements
            if row.scenario == key and math.isfinite(row.true_dice) and math.isfinite(row.score)
        ]
        if not known:
            continue
        figure, axes = blank(2.9, 2.5)
        for is_in, face in ((False, "none"), (True, colours[key])):
            shown = [row for row in known if row.admitted is is_in]
            axes.scatter(
                [row.score for row in shown],
                [row.true_dice for row in shown],
                s=22,
                facecolors=face,
                edgecolors=colours[key],
                linewidths=1,
            )
        axes.set_xlabel("Score of the estimator")
        axes.set_ylabel("True Dice")
        found = spearman([row.score for row in known], [row.true_dice for row in known])
        said = f"{len(known)} judgements, Spearman's ρ = {number_text(found.coefficient, 2)}."  # noqa: RUF001
        admitted = sum(bool(row.admitted) for row in known)
        pictures.append(
            Picture(
                as_svg(figure),
                f"Score against true Dice, {title}: {len(known)} studies, {admitted} admitted.",
                said,
                title,
            )
        )
    return pictures


def curve_plots(data: ReportData) -> tuple[list[Picture], list[Picture]]:
    """Curves of the admitted studies with the best scores, and of those left with the worst.

    As the reference scenario's gate saw them in its first round, of the first seed.
    """
    judged = [row for row in data.judgements if row.scenario == data.reference_scenario]
    first = min(((row.seed, row.round) for row in judged), default=None)
    rows = sorted(
        (row for row in judged if (row.seed, row.round) == first and math.isfinite(row.score)),
        key=lambda row: (row.score, row.study),
    )
    left = [row for row in rows if not row.admitted][:EXAMPLES]
    admitted = [row for row in reversed(rows) if row.admitted][:EXAMPLES]
    return _curves(data, admitted), _curves(data, left)


def _curves(data: ReportData, rows: Sequence[JudgementRow]) -> list[Picture]:
    drawn = (_curve(data, row) for row in rows)
    return [picture for picture in drawn if picture]


def _curve(data: ReportData, judged: JudgementRow) -> Picture | None:
    points: dict[str, list[tuple[int, float]]] = {}
    for row in data.curves:
        if (row.scenario, row.study, row.seed) == (CANDIDATES, judged.study, judged.seed):
            points.setdefault(row.structure, []).append((row.frame, row.value))
    if not points:
        return None
    figure, axes = blank(1.8, 1.4)
    colours = structure_colours(data.scheme)
    for structure, curve in points.items():
        frames, values = np.array(sorted(curve)).T
        axes.plot(
            frames, values, color=colours.get(structure, "#333333"), linewidth=1.5,
            marker="." if len(frames) < 4 else None,
        )  # fmt: skip
    units = {curve_unit(s) for s in data.scheme.structures if s.name in points}
    axes.set_xlabel("Frame")
    axes.set_ylabel(" / ".join(sorted(units)))
    axes.set_ylim(bottom=0)
    verdict = {True: ", judged good", False: ", judged erroneous", None: ""}[judged.is_good]
    truth = f"; true Dice {number_text(judged.true_dice, 2)}" if judged.true_dice >= 0 else ""
    return Picture(
        as_svg(figure),
        f"Curves of {', '.join(points)} over {max(map(len, points.values()))} frames of study"
        f" {judged.study}.",
        f"Score {number_text(judged.score, 2)}{verdict}{truth}. {judged.reason}",
        judged.study,
    )
