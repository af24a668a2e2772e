"""What a finished run found, for the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semiqc.experiment.finished import Finished
from semiqc.pages.table import Table
from semiqc.report import answers, findings, summary_tables, told_apart, trust
from semiqc.report.answer import Answer
from semiqc.report.next_steps import Step, next_steps

SHOWN = ("dice", "clinical", "gate")
"""Tables that are short enough to read in a terminal."""

ON_THE_PAGE = {"Left", "Known", "p", "Best possible"}
"""Columns that a terminal has no room for."""


@dataclass(frozen=True)
class Summary:
    """What a run found.

    Args:
        answers: Whether quality control and the unlabelled studies helped.
        tables: The few that matter most.
        findings: How far to trust them, a line each.
        left_out: Data that was not used, a line each.
        next: Commands that follow.
    """

    answers: Sequence[Answer]
    tables: Sequence[Table]
    findings: Sequence[str]
    left_out: Sequence[str]
    next: Sequence[Step]


def summary_of(run: Path) -> Summary:
    """What a finished run found.

    Raises:
        RunError: If it is not one.
    """
    data = Finished.read(run).report_data()
    return Summary(
        [*answers(data), told_apart(data)],
        [for_terminal(table) for table in summary_tables(data) if table.name in SHOWN],
        trust(data) if data.overlap else findings(data),
        data.left_out,
        next_steps(data),
    )


def for_terminal(table: Table) -> Table:
    """A table without the columns that are for the page alone."""
    kept = [column for column in table.columns if column.title not in ON_THE_PAGE]
    return replace(table, columns=kept)
