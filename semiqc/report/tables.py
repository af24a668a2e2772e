"""The tables of a report, in its order."""

from collections.abc import Callable

from semiqc.pages.table import Table
from semiqc.report.accepted import accepted_tables
from semiqc.report.change import change_table
from semiqc.report.checkpoints import checkpoints_tables
from semiqc.report.choices import choices_table
from semiqc.report.clinical import agreement_table, clinical_table, corrections_table
from semiqc.report.data import ReportData
from semiqc.report.dirty import dirty_tables
from semiqc.report.gate import estimators_table, gate_table
from semiqc.report.overlap import comparison_table, dice_table, metric_tables, seed_table
from semiqc.report.split import split_table

TABLES: list[Callable[[ReportData], Table | list[Table]]] = [
    dice_table,
    comparison_table,
    metric_tables,
    seed_table,
    change_table,
    clinical_table,
    agreement_table,
    corrections_table,
    choices_table,
    gate_table,
    dirty_tables,
    estimators_table,
    accepted_tables,
    split_table,
    checkpoints_tables,
]
"""Every table of the page, of ``results/tables`` and of the summary, in that order. One without a
place on the page stands at the end of its section (``Table.section``)."""


def summary_tables(data: ReportData) -> list[Table]:
    """Every table of a report, in its order; those without rows say what is missing.

    A name stands once among them: it is the file's in ``results/tables`` and the key of the page.
    """
    found: list[Table] = []
    for build in TABLES:
        made = build(data)
        found += [made] if isinstance(made, Table) else made
    return found
