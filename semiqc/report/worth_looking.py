"""The studies of a run that somebody should look at first, each with the reason."""

import math
from dataclasses import dataclass

import numpy as np

from qc.base import CONSENSUS
from semiqc.files.tables import JudgementRow
from semiqc.pages.table import number_text
from semiqc.report.data import ReportData
from semiqc.report.paired import changes

MOST = 5


@dataclass(frozen=True)
class LookAt:
    """A study and why it is worth a look.

    Args:
        study: Its name.
        why: In words.
    """

    study: str
    why: str


def worth_looking(data: ReportData) -> list[LookAt]:
    """At most ``MOST`` studies, no study twice.

    A pseudo-label that should not have been admitted, the most disputed one, the worst test
    study, and those that gained and lost most.
    """
    found: dict[str, LookAt] = {}
    for one in (*_of_the_pool(data), *_of_the_test_set(data)):
        found.setdefault(one.study, one)
    return list(found.values())[:MOST]


def _of_the_test_set(data: ReportData) -> list[LookAt]:
    reference, baseline = data.reference_scenario, data.baseline_scenario
    dice = {k: v for k, v in data.overlap_of(reference).items() if math.isfinite(v)}
    found = []
    if dice:
        worst = min(dice, key=lambda study: (dice[study], study))
        found.append(LookAt(worst, f"lowest Dice of the test studies, {_short(dice[worst])}"))
    moved = changes(dice, data.overlap_of(baseline)) if reference != baseline else {}
    ranked = sorted(moved, key=lambda study: (moved[study], study))
    title = data.scenario_title(baseline)
    if ranked and moved[ranked[0]] < 0:
        found.append(LookAt(ranked[0], f"lost most against {title}, {_gain(moved[ranked[0]])}"))
    if ranked and moved[ranked[-1]] > 0:
        found.append(
            LookAt(ranked[-1], f"gained most against {title}, {_gain(moved[ranked[-1]])}")
        )
    return found


def _of_the_pool(data: ReportData) -> list[LookAt]:
    """Of the reference scenario's first round and seed: a bad admission, and a dispute."""
    mine = [row for row in data.judgements if row.scenario == data.reference_scenario]
    first = min(((row.seed, row.round) for row in mine), default=None)
    rows = [row for row in mine if (row.seed, row.round) == first]
    admitted = [row for row in rows if row.admitted]
    return [*_bad_admission(data, admitted), *_dispute(rows)]


def _bad_admission(data: ReportData, admitted: list[JudgementRow]) -> list[LookAt]:
    kinds = {row.study: row.kind for row in data.dirty}
    known = [row for row in admitted if math.isfinite(row.true_dice)]
    spoilt = [row for row in known or admitted if row.study in kinds]
    if spoilt:
        row = min(spoilt, key=lambda row: (_low(row.true_dice), row.study))
        return [LookAt(row.study, f"admitted although spoilt ({kinds[row.study]}){_truth(row)}")]
    if known:
        row = min(known, key=lambda row: (row.true_dice, row.study))
        said = f"lowest true Dice of the admitted studies, {_short(row.true_dice)}"
        return [LookAt(row.study, said)]
    return []


def _dispute(rows: list[JudgementRow]) -> list[LookAt]:
    """The study on which the estimators' ranks differ most.

    Ranks, since the scores of two estimators need not be on one scale.
    """
    names = sorted({name for row in rows for name in row.scores} - {CONSENSUS})
    table = np.array([[row.scores.get(name, math.nan) for name in names] for row in rows])
    if len(names) < 2 or len(rows) < 3 or not np.isfinite(table).all():
        return []
    ranks = table.argsort(axis=0).argsort(axis=0) / (len(rows) - 1)
    spread = ranks.max(axis=1) - ranks.min(axis=1)
    most = int(spread.argmax())
    row = rows[most]
    best, worst = names[int(ranks[most].argmax())], names[int(ranks[most].argmin())]
    verdict = "admitted" if row.admitted else "rejected"
    said = f"most disputed, {verdict}: {best} ranks it high, {worst} low{_truth(row)}"
    return [LookAt(row.study, said)]


def _truth(row: JudgementRow) -> str:
    return f"; true Dice {_short(row.true_dice)}" if math.isfinite(row.true_dice) else ""


def _low(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _short(dice: float) -> str:
    return number_text(dice, 2)


def _gain(change: float) -> str:
    return f"{number_text(change, 3, signed=True)} Dice"
