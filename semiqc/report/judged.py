"""Figures of what was judged: curves with verdicts, scores against the truth.

A curve is a structure's volume (ml) or area (mm2) over the frames of a study. Curves of
unlabelled studies are those of the first segmenter (``CANDIDATES``), which is what the gates of
the first round saw.
"""

import math
from collections.abc import Mapping, Sequence

from semiqc.files.tables import JudgementRow
from semiqc.measuring.measures import curve_unit
from semiqc.measuring.statistics import spearman
from semiqc.pages.drawing import INK, Picture, as_svg, blank, structure_colours
from semiqc.pages.lines import Line, line_chart
from semiqc.pages.table import number_text
from semiqc.report.data import CANDIDATES, ReportData

EXAMPLES = 6
"""Curves shown of admitted studies, and of rejected ones."""


def score_plots(data: ReportData) -> list[Picture]:
    """Score against true Dice of every judged study whose reference is known, per scenario."""
    known: dict[str, list[JudgementRow]] = {}
    for row in data.judgements:
        if math.isfinite(row.true_dice) and math.isfinite(row.score):
            known.setdefault(row.scenario, []).append(row)
    return [_score_plot(data, key, known[key]) for key, _ in data.scenarios if key in known]


def _score_plot(data: ReportData, key: str, known: Sequence[JudgementRow]) -> Picture:
    """Dots of one scenario: filled where the study was admitted."""
    colour, title = data.colours[key], data.scenario_title(key)
    figure, axes = blank(2.9, 2.5)
    for is_in, face in ((False, "none"), (True, colour)):
        shown = [row for row in known if row.admitted is is_in]
        x, y = [row.score for row in shown], [row.true_dice for row in shown]
        axes.scatter(x, y, s=22, facecolors=face, edgecolors=colour, linewidths=1)
    axes.set_xlabel("Score of the estimator")
    axes.set_ylabel("True Dice")
    found = spearman([row.score for row in known], [row.true_dice for row in known])
    admitted = sum(bool(row.admitted) for row in known)
    return Picture(
        as_svg(figure),
        f"Score against true Dice, {title}: {len(known)} studies, {admitted} admitted.",
        f"{len(known)} judgements, Spearman's ρ = {number_text(found.coefficient, 2)}.",  # noqa: RUF001
        title,
    )


def curve_plots(data: ReportData) -> tuple[list[Picture], list[Picture]]:
    """Curves of the admitted studies with the best scores, and of the rejected with the worst.

    As the reference scenario's gate saw them in its first round, of the first seed.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Figure 3.
    """
    judged = [row for row in data.judgements if row.scenario == data.reference_scenario]
    first = min(((row.seed, row.round) for row in judged), default=None)
    rows = sorted(
        (row for row in judged if (row.seed, row.round) == first and math.isfinite(row.score)),
        key=lambda row: (row.score, row.study),
    )
    rejected = [row for row in rows if not row.admitted][:EXAMPLES]
    admitted = [row for row in reversed(rows) if row.admitted][:EXAMPLES]
    return _curves(data, admitted), _curves(data, rejected)


def _curves(data: ReportData, rows: Sequence[JudgementRow]) -> list[Picture]:
    """A picture of each judged study of which there are curves."""
    drawn = ((row, _points(data, row)) for row in rows)
    return [_curve_picture(data, row, points) for row, points in drawn if points]


def _points(data: ReportData, judged: JudgementRow) -> dict[str, list[tuple[float, float]]]:
    """The curves of a judged study: frame and value, by structure.

    There is none where the study was too short for curves or was judged in another seed.
    """
    mine, found = (CANDIDATES, judged.study, judged.seed), dict[str, list[tuple[float, float]]]()
    for row in data.curves:
        if (row.scenario, row.study, row.seed) == mine and math.isfinite(row.value):
            found.setdefault(row.structure, []).append((row.frame, row.value))
    return {structure: sorted(points) for structure, points in found.items()}


def _curve_picture(
    data: ReportData, judged: JudgementRow, curves: Mapping[str, Sequence[tuple[float, float]]]
) -> Picture:
    """The curves of one study, with its score below."""
    colours = structure_colours(data.scheme)
    lines = [Line(colours.get(name, INK), points) for name, points in curves.items()]
    units = sorted({curve_unit(s) for s in data.scheme.structures if s.name in curves})
    frames = max(map(len, curves.values()))
    verdict = {True: ", judged good", False: ", judged erroneous", None: ""}[judged.is_good]
    truth = f"; true Dice {number_text(judged.true_dice, 2)}" if judged.true_dice >= 0 else ""
    return Picture(
        line_chart(lines, " / ".join(units)),
        f"Curves of {', '.join(curves)} over {frames} frames of study {judged.study}.",
        f"Score {number_text(judged.score, 2)}{verdict}{truth}. {judged.reason}",
        judged.study,
    )
