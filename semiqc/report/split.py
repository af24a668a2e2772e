"""The table of what the studies were used for."""

from semiqc.pages.table import Cell, Table, count, text
from semiqc.report.data import ReportData


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
