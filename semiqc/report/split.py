"""The table of what the studies were used for.

Splits are by subject: all studies of one person have one role, so that nothing of a test subject
is seen by a training, an estimator or a threshold.
"""

from collections.abc import Sequence

import pandas as pd

from semiqc.pages.table import Cell, Table, count, text
from semiqc.report.data import ReportData


def split_table(data: ReportData) -> Table:
    """How many studies of each group were used for what.

    Returns:
        A row for each role; columns are the numbers of studies and subjects, and of the studies of
        each group.
    """
    studies = pd.DataFrame(data.split, columns=["study", "subject", "group", "role"])
    groups = sorted(set(studies["group"]))
    by_role = studies.groupby("role", sort=False)
    rows = [_split_row(str(role), of_role, groups) for role, of_role in by_role]
    columns = [text("role", "Role"), count("studies", "Studies"), count("subjects", "Subjects")]
    if groups != [""]:
        columns += [count(f"group {g}", g or "no group") for g in groups]
    note = "No training, no estimator and no threshold uses the test studies."
    title = "What the studies were used for"
    return Table("split", title, rows, columns, note, "No split.", "run")


def _split_row(role: str, studies: pd.DataFrame, groups: Sequence[str]) -> dict[str, Cell]:
    """Numbers of studies and subjects of one role, and of its studies in each of ``groups``."""
    of_groups = studies["group"].value_counts()
    return {
        "role": role,
        "studies": len(studies),
        "subjects": studies["subject"].nunique(),
        **{f"group {g}": int(of_groups.get(g, 0)) for g in groups},
    }
