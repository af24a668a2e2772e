"""How good what is accepted is, when ever more is accepted: estimators against each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.evaluation.risk import aurc, risk_coverage
from semiqc.files.tables import JudgementRow
from semiqc.measuring.means import mean_of_known
from semiqc.pages.drawing import INK, Picture, as_svg, blank
from semiqc.pages.table import Cell, Table, count, number, number_text, text
from semiqc.report.data import ReportData
from semiqc.report.gate import by_estimator, first_judged

COVERAGES = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Shares of the judged studies that are accepted, the best scores first."""
BEST, CHANCE = "best order", "chance"
BOUNDS = {BEST: ":", CHANCE: "--"}
"""How the orders are drawn that no estimator made."""
NOTE = (
    "Mean true Dice of the accepted of the first segmenter's results, the best scores first, at a"
    " stated share of them; mean over seeds. AURC: area under the risk-coverage curve, the mean of"
    " 1 - Dice over all shares; lower is better. The best order is that by true Dice."
)

Pairs = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""True Dice and score of the studies whose reference is known, seed by seed."""


def accepted_tables(data: ReportData) -> list[Table]:
    """Dice of the accepted at stated coverages, of every estimator.

    Reference:
        Geifman and El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
        https://arxiv.org/abs/1705.08500

    Returns:
        One table with a row for each estimator, then the best possible order and chance; none
        where no judged study has a reference.
    """
    rows = [_row(name, of_seeds) for name, of_seeds in _orders(data).items()]
    if not rows:
        return []
    columns = [
        text("order", "Accepted by"),
        count("studies", "Studies"),
        *(number(_key(share), f"{share:.0%}", 3) for share in COVERAGES),
        number("aurc", "AURC", 3),
    ]
    title = "Dice of the accepted, by the share that is accepted"
    return [Table("accepted", title, rows, columns, NOTE, "", section="control")]


def coverage_plots(data: ReportData) -> list[Picture]:
    """Risk-coverage curves of the estimators, of the first seed; none where nothing is known."""
    orders = {name: of_seeds[0] for name, of_seeds in _orders(data).items()}
    if not orders:
        return []
    figure, axes = blank(3.9, 2.9)
    for name, (true, scores) in orders.items():
        curve = risk_coverage(true, scores)
        line: dict[str, Any] = {"color": INK, "linestyle": BOUNDS[name]} if name in BOUNDS else {}
        axes.plot(100 * curve.coverage, 1 - curve.risk, linewidth=1.4, label=name, **line)
    axes.set_xlabel("Accepted, %")
    axes.set_ylabel("Mean true Dice")
    axes.legend(frameon=False, fontsize=7)
    areas = ", ".join(f"{n} {number_text(aurc(*pair), 3)}" for n, pair in orders.items())
    said = f"Mean true Dice of the accepted against their share. AURC: {areas}."
    return [Picture(as_svg(figure), said, said, "Risk and coverage")]


def _orders(data: ReportData) -> dict[str, Pairs]:
    """By the name of an order, what it ranks; empty where no reference is known."""
    found: dict[str, Pairs] = {}
    for (name, _), rows in sorted(by_estimator(first_judged(data)).items()):
        true, scores = _known(rows)
        if len(true):
            found.setdefault(name, []).append((true, scores))
    if not found:
        return {}
    truths = [true for true, _ in max(found.values(), key=lambda pairs: len(pairs[0][0]))]
    return found | {
        BEST: [(true, true) for true in truths],
        CHANCE: [(true, np.zeros_like(true)) for true in truths],
    }


def _known(rows: Sequence[JudgementRow]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True Dice and score of the rows that have both."""
    pairs = np.array([(row.true_dice, row.score) for row in rows], np.float64).reshape(-1, 2)
    known = pairs[np.isfinite(pairs).all(axis=1)]
    return known[:, 0], known[:, 1]


def _row(name: str, of_seeds: Pairs) -> dict[str, Cell]:
    curves = [1 - risk_coverage(true, scores).risk for true, scores in of_seeds]
    return {
        "order": name,
        "studies": max(len(curve) for curve in curves),
        **{
            _key(share): mean_of_known(_at(curve, share) for curve in curves)
            for share in COVERAGES
        },
        "aurc": mean_of_known(aurc(true, scores) for true, scores in of_seeds),
    }


def _at(dice: NDArray[np.float64], share: float) -> float:
    """Of the smallest number of accepted that makes up the share."""
    return float(dice[int(np.ceil(share * len(dice))) - 1])


def _key(share: float) -> str:
    return f"dice at {share:.0%}"
