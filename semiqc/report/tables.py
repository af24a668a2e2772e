"""The tables of a report, in its order."""

from semiqc.pages.table import Cell, Table, count, text
from semiqc.report.change import change_table
from semiqc.report.checkpoints import checkpoints_table
from semiqc.report.choices import choices_table
from semiqc.report.clinical import agreement_table, clinical_table, corrections_table
from semiqc.report.data import ReportData
from semiqc.report.gate import estimators_table, gate_table
from semiqc.report.overlap import (
    comparison_table,
    dice_table,
    distance_table,
    seed_table,
    surface_table,
)


def summary_tables(data: ReportData) -> list[Table]:
    """Every table of a report, in its order; those without rows say what is missing."""
    return [
        dice_table(data),
        comparison_table(data),
        surface_table(data),
        distance_table(data),
        seed_table(data),
        change_table(data),
        clinical_table(data),
        agreement_table(data),
        corrections_table(data),
        choices_table(data),
        gate_table(data),
        estimators_table(data),
        split_table(data),
        *([checkpoints_table(data)] if data.checkpoints else []),
    ]


def split_table(data: ReportData) -> Table:
    """How many studies of each group were used for what.

    Returns:
        A row for each role; columns are the numbers of studies and subjects, and of the studies of
        each group.
    """
    groups = sorted({row.group for row in data.split})
    roles = list(dict.fromkeys(row.role for row in data.split))
    rows: list[dict[str, Cell]] = []
    for role in roles:
        of_role = [row for row in data.split if row.role == role]
        rows.append(
            {
                "role": role,
                "studies": len(of_role),
                "subjects": len({row.subject for row in of_role}),
                **{f"group {g}": sum(row.group == g for row in of_role) for g in groups},
            }
        )
    columns = [text("role", "Role"), count("studies", "Studies"), count("subjects", "Subjects")]
    if groups != [""]:
        columns += [count(f"group {g}", g or "no group") for g in groups]
    note = "Test studies are seen by no training, no estimator and no threshold."
    return Table("split", "What the studies were used for", rows, columns, note, "No split.")
