"""The answer of a run: whether quality control helped, and whether the unlabelled studies did.

Each is one paired comparison of the reference scenario, in words that claim no more than its
interval. Quality control is compared with the same loop that takes as many pseudo-labels by
chance, or all of them, and the unlabelled studies with the few labels alone.
"""

import math
from dataclasses import dataclass

from semiqc.measuring.statistics import Comparison
from semiqc.pages.table import interval_text, number_text
from semiqc.report.data import ReportData
from semiqc.report.paired import LEAST_SUBJECTS, changes, compare_scenarios

HELPED, HURT, NOT_SHOWN, TOO_FEW, UNKNOWN = "Helped", "Hurt", "Not shown", "Too few", "Unknown"
YES, NO = "Yes", "No"
MARKS = {HELPED: "▲", YES: "▲", HURT: "▼", NO: "▼", NOT_SHOWN: "●", TOO_FEW: "○", UNKNOWN: "○"}
"""Shapes beside the words, so that nothing is told by colour alone."""

DID_QC_HELP = "Did quality control help?"
DID_THE_REST_HELP = "Did the unlabelled studies help?"


@dataclass(frozen=True)
class Answer:
    """What a run says to one question.

    Args:
        question: In words.
        word: One of ``MARKS``.
        compared: Which scenario with which; empty where there is no comparison.
        figures: Difference, interval and how many studies are better.
        meaning: What follows, in a sentence.
    """

    question: str
    word: str
    compared: str
    figures: str
    meaning: str

    @property
    def mark(self) -> str:
        """The shape that goes with the word."""
        return MARKS[self.word]


def answers(data: ReportData) -> list[Answer]:
    """Whether quality control helped, and whether the unlabelled studies did."""
    control, how = control_of(data)
    missing = (
        "No scenario of this run takes pseudo-labels without quality control; add one, such as"
        " --set 'gates=[all, random, consensus]'."
    )
    return [
        _answer(data, DID_QC_HELP, control, how, missing),
        _answer(
            data,
            DID_THE_REST_HELP,
            data.baseline_scenario,
            "trained on the labels alone",
            "This run has no scenario with the few labels alone, or none beside it.",
        ),
    ]


def control_of(data: ReportData) -> tuple[str, str]:
    """The scenario like the one of reference without its choice, and what it does instead."""
    keys = [key for key, _ in data.scenarios]
    by_chance = data.by_chance.get(data.reference_scenario, "")
    if by_chance in keys:
        return by_chance, "takes as many pseudo-labels by chance"
    for key in keys:
        if key in data.at_random:
            return key, "takes pseudo-labels by chance"
        if key in data.at_all:
            return key, "takes all pseudo-labels"
    return "", ""


def _answer(data: ReportData, question: str, other: str, how: str, missing: str) -> Answer:
    reference = data.reference_scenario
    values, others = data.overlap_of(reference), data.overlap_of(other)
    found = compare_scenarios(data, reference, other)
    if not data.overlap:
        said = "No test study has a reference, so nothing can be compared."
        return Answer(question, UNKNOWN, "", "", said)
    if other == reference or not found.n:
        return Answer(question, UNKNOWN, "", "", missing)
    compared = f"{data.scenario_title(reference)} against {data.scenario_title(other)} ({how})"
    better = sum(change > 0 for change in changes(values, others).values())
    figures = f"{number_text(found.mean_difference, 3, signed=True)} Dice"
    if not math.isnan(found.interval[0]):
        figures += f", 95 % interval {interval_text(found.interval, 3)}"
    figures += f"; {better} of {found.n} test studies better"
    word = word_of(found)
    return Answer(question, word, compared, figures, _meaning(word))


def word_of(found: Comparison) -> str:
    """What a comparison shows, in a word: only an interval on one side of zero shows anything."""
    low, high = found.interval
    if low > 0:
        return HELPED
    if high < 0:
        return HURT
    return TOO_FEW if math.isnan(low) else NOT_SHOWN


def _meaning(word: str) -> str:
    return {
        HELPED: "The interval lies above zero: more than chance between these studies.",
        HURT: "The interval lies below zero: it made these studies worse.",
        NOT_SHOWN: "The interval holds zero: these studies show neither gain nor harm.",
        TOO_FEW: f"Fewer than {LEAST_SUBJECTS} subjects: nothing is inferred from them.",
    }[word]
