"""Whether the gate of a run told good segmentations from bad ones.

That is another question than whether the segmenter gained by it: an online loop may learn as well
from all studies, and the choice still says which results to trust.
"""

import math

from semiqc.measuring.statistics import summarise
from semiqc.pages.table import Row, number_text
from semiqc.report.answer import NO, NOT_SHOWN, TOO_FEW, UNKNOWN, YES, Answer
from semiqc.report.data import ReportData
from semiqc.report.gate import gate_table
from semiqc.report.paired import LEAST_SUBJECTS

QUESTION = "Can it tell good from bad?"

LEVEL_OF_P = 0.05
"""Of the Mann-Whitney test between admitted and rejected studies, in every seed."""

MEANINGS = {
    YES: "What it admits is better than what it rejects, by more than chance.",
    NO: "What it admits is worse than what it rejects.",
    NOT_SHOWN: "Admitted and rejected studies differ no more than chance would have them.",
    TOO_FEW: f"Fewer than {LEAST_SUBJECTS} studies with a reference were judged.",
}


def told_apart(data: ReportData) -> Answer:
    """What the references of unlabelled studies say of the reference scenario's last choice."""
    rows = last_choice(data, data.reference_scenario)
    if not rows:
        said = "The scenario of reference has no gate, so nothing was chosen."
        return Answer(QUESTION, UNKNOWN, "", "", said)
    admitted, rejected, known, share = (
        summarise(float(row[name]) for row in rows).mean
        for name in ("admitted dice mean", "left dice mean", "known", "share of possible")
    )
    if math.isnan(admitted) or math.isnan(rejected):
        said = "It takes both admitted and rejected studies whose reference is known."
        return Answer(QUESTION, UNKNOWN, "", "", said)
    word = TOO_FEW if known < LEAST_SUBJECTS else _word(rows, admitted - rejected)
    figures = (
        f"true Dice {number_text(admitted, 3)} of the admitted,"
        f" {number_text(rejected, 3)} of the rejected"
    )
    return Answer(QUESTION, word, _reached(data, share), figures, MEANINGS[word])


def last_choice(data: ReportData, scenario: str) -> list[Row]:
    """Rows of ``gate_table`` of a scenario's last round, one for each seed."""
    rows = [row for row in gate_table(data).rows if row["scenario"] == scenario]
    last = max((row["round"] for row in rows), key=float, default=0)
    return [row for row in rows if row["round"] == last]


def _word(rows: list[Row], difference: float) -> str:
    if not all(float(row["p"]) < LEVEL_OF_P for row in rows):
        return NOT_SHOWN
    return YES if difference > 0 else NO


def _reached(data: ReportData, share: float) -> str:
    title = data.scenario_title(data.reference_scenario)
    if math.isnan(share):
        return title
    return (
        f"{title}: {number_text(100 * share, 0)} % of the way from a random choice to the best"
        " possible one"
    )
