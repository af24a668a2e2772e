"""ROC of telling good results from poor ones by a score, and where the gates stand in it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from qc.evaluation.thresholds import THRESHOLD
from semiqc.files.tables import JudgementRow
from semiqc.pages.drawing import INK, Picture, as_svg, blank
from semiqc.pages.table import Cell, Table, number_text
from semiqc.report.data import ReportData
from semiqc.report.gate import by_estimator, first_judged


@dataclass(frozen=True)
class Told:
    """How well one estimator tells good from poor, at every threshold.

    Args:
        estimator: Its name.
        poor: Share of the poor that is accepted.
        good: Share of the good that is accepted.
        scores: From which on is accepted; the first accepts none.
        area: Under the curve.
    """

    estimator: str
    poor: NDArray[np.float64]
    good: NDArray[np.float64]
    scores: NDArray[np.float64]
    area: float


@dataclass(frozen=True)
class Chosen:
    """What the gate of a scenario admitted in its first round."""

    scenario: str
    poor: float
    good: float


def roc_plots(data: ReportData) -> list[Picture]:
    """One figure, of the first seed; none where all judged studies are alike."""
    curves, chosen = _curves(data), _chosen(data)
    if not curves:
        return []
    figure, axes = blank(3.9, 2.9)
    axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle="--", label="chance")
    for one in curves:
        axes.plot(100 * one.poor, 100 * one.good, linewidth=1.4, label=one.estimator)
    for point in chosen:
        colour = data.colours[point.scenario]
        axes.plot(100 * point.poor, 100 * point.good, "o", color=colour, markersize=7, mec=INK)
    axes.set_xlabel("Poor that are accepted, %")
    axes.set_ylabel("Good that are accepted, %")
    axes.legend(frameon=False, fontsize=7)
    areas = ", ".join(f"{one.estimator} {number_text(one.area, 2)}" for one in curves)
    dots = "; ".join(
        f"{data.scenario_title(p.scenario)} {100 * p.good:.0f} % of the good,"
        f" {100 * p.poor:.0f} % of the poor"
        for p in chosen
    )
    admitted = f" Dots, what gates admitted: {dots}." if dots else ""
    said = f"{_rule(data)} Area under the curve: {areas}.{admitted}"
    return [Picture(as_svg(figure), said, said, "ROC")]


def roc_table(data: ReportData) -> Table:
    """The points of the curves, and those of the gates."""
    rows: list[dict[str, Cell]] = [
        {"of": one.estimator, "score from": score, "poor accepted": poor, "good accepted": good}
        for one in _curves(data)
        for score, poor, good in zip(
            one.scores.tolist(), one.poor.tolist(), one.good.tolist(), strict=True
        )
    ]
    rows += [
        {"of": f"gate of {p.scenario}", "poor accepted": p.poor, "good accepted": p.good}
        for p in _chosen(data)
    ]
    return Table("roc", "ROC of the judged studies", rows, [], section="control")


def _judged(data: ReportData, rows: Sequence[JudgementRow]) -> list[JudgementRow]:
    """Of the first seed, those with a score and a reference."""
    known = [r for r in rows if math.isfinite(r.true_dice) and math.isfinite(r.score)]
    first = min((row.seed for row in known), default=0)
    return [row for row in known if row.seed == first]


def _bound(rows: Iterable[JudgementRow]) -> float:
    """From which Dice on a result is good: the median where all or none reach the usual."""
    dice = np.array([row.true_dice for row in rows])
    is_good = dice >= THRESHOLD
    parts = 0 < is_good.sum() < len(dice)
    return THRESHOLD if parts or not len(dice) else float(np.median(dice))


def _rule(data: ReportData) -> str:
    bound = _bound(_judged(data, first_judged(data)))
    why = "" if bound == THRESHOLD else f", the median, since {THRESHOLD:g} parts none"
    return f"Good: a true Dice of {number_text(bound, 2)} or more{why}."


def _curves(data: ReportData) -> list[Told]:
    judged = _judged(data, first_judged(data))
    if not judged:
        return []
    bound, found = _bound(judged), []
    for (name, _), rows in sorted(by_estimator(judged).items()):
        known = _judged(data, rows)
        is_good = np.array([row.true_dice >= bound for row in known])
        scores = np.array([row.score for row in known])
        if 0 < is_good.sum() < len(is_good):
            poor, good, cuts = roc_curve(is_good, scores, drop_intermediate=False)
            found.append(Told(name, poor, good, cuts, float(roc_auc_score(is_good, scores))))
    return found


def _chosen(data: ReportData) -> list[Chosen]:
    """Of gates that admit some and reject others."""
    bound, found = _bound(_judged(data, first_judged(data))), []
    for key, _ in data.scenarios:
        rows = [r for r in data.judgements if r.scenario == key and r.round == 1]
        known = [row for row in _judged(data, rows) if row.admitted is not None]
        good = [bool(row.admitted) for row in known if row.true_dice >= bound]
        poor = [bool(row.admitted) for row in known if row.true_dice < bound]
        if good and poor and 0 < sum(good) + sum(poor) < len(known):
            found.append(Chosen(key, sum(poor) / len(poor), sum(good) / len(good)))
    return found
