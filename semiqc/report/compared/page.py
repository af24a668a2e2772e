"""The page of several runs: one file that needs nothing beside it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from semiqc.pages.drawing import scenario_colours
from semiqc.pages.html import write_html
from semiqc.pages.table import Table
from semiqc.report.answer import DID_QC_HELP, DID_THE_REST_HELP, control_of
from semiqc.report.compared.budget import budget_plots
from semiqc.report.compared.runs import ComparedRun
from semiqc.report.compared.tables import comparison_tables
from semiqc.report.forest import Difference, Forest, difference, forest_of


def build_comparison(runs: Sequence[ComparedRun], output: Path) -> list[Table]:
    """Write the page, whole or not at all.

    Args:
        runs: Two at least, the first being the one that others are compared with.
        output: File to write; one that is there is replaced.

    Returns:
        The tables of the page.
    """
    tables = comparison_tables(runs)
    forests = [
        (
            DID_QC_HELP,
            _forest(runs, "the same loop without the choice", _control),
        ),
        (DID_THE_REST_HELP, _forest(runs, "the few labels alone", _baseline)),
    ]
    write_html(
        "semiqc.report.compared",
        output,
        runs=runs,
        tables=tables,
        budgets=budget_plots(runs),
        forests=[(title, drawn) for title, drawn in forests if drawn],
    )
    return tables


def _control(run: ComparedRun) -> str:
    return control_of(run.data)[0]


def _baseline(run: ComparedRun) -> str:
    return run.data.baseline_scenario


def _forest(
    runs: Sequence[ComparedRun], baseline: str, other_of: Callable[[ComparedRun], str]
) -> Forest | None:
    """The reference scenario of each run against one of its own."""
    colours = scenario_colours([run.name for run in runs])
    rows = list[Difference]()
    for run in runs:
        data, other = run.data, other_of(run)
        if other and other != data.reference_scenario:
            drawn = difference(data, data.reference_scenario, other, run.name)
            rows.append(replace(drawn, colour=colours[run.name], is_reference=False))
    return forest_of(baseline, rows)
