"""The tables of a run in the terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from semiqc.experiment.finished import Finished
from semiqc.report import Table as ReportTable
from semiqc.report import answers, findings, summary_tables, trust

SHOWN = ("dice", "clinical", "gate")
"""Tables that are short enough to read in a terminal."""

ON_THE_PAGE = {"Left", "Known", "p", "Best possible"}
"""Columns that a terminal has no room for."""


def write_summary(run: Path, console: Console) -> None:
    """Print what a finished run found."""
    data = Finished.read(run).report_data()
    for one in answers(data):
        said = [one.figures, one.compared] if one.figures else [one.meaning]
        line = f"{one.question} {one.mark} {one.word}: {'; '.join(filter(None, said))}"
        console.print(line, markup=False, highlight=False)
    for table in summary_tables(data):
        if table.name in SHOWN:
            show(table, console)
    for finding in trust(data) if data.overlap else findings(data):
        console.print(finding, markup=False, highlight=False)
    for line in data.left_out:
        console.print(f"left out: {line}", markup=False, highlight=False)


def show(table: ReportTable, console: Console) -> None:
    """Print a table of a report, unless it is empty."""
    if not table.body:
        return
    shown = Table(title=Text(table.title), title_justify="left")
    kept = [n for n, title in enumerate(table.header) if title not in ON_THE_PAGE]
    for column in kept:
        shown.add_column(Text(table.header[column]), overflow="fold")
    for row in table.body:
        shown.add_row(*(Text(row[column]) for column in kept))
    console.print(shown)
