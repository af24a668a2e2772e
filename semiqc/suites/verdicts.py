"""From a suite to how well it tells good cines from erroneous ones that it never saw."""

from dataclasses import dataclass
from pathlib import Path

from qc.base import ProgressCallback, unobserved
from qc.evaluation.verdicts import VerdictRow, evaluate_verdicts
from qc.graded.cines import read_cines, store_of_cines
from qc.suites.suite import Suite
from semiqc.files.rows import write_rows
from semiqc.files.store.reader import Store
from semiqc.suites.suiting import refuse_other_data

TABLE = "verdicts.csv"


@dataclass(frozen=True)
class JudgedCines:
    """How a suite does against verdicts, and what it was not asked about.

    Args:
        rows: One for each estimator.
        left_out: Studies that the suite learned from.
    """

    rows: list[VerdictRow]
    left_out: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the rows as a table into a folder."""
        write_rows(folder / TABLE, VerdictRow, self.rows)


def evaluate_cines(
    folder: Path,
    table: Path,
    *,
    store: Path | None = None,
    observe: ProgressCallback = unobserved,
) -> JudgedCines:
    """Judge a suite on whole cines with verdicts, such as ``test_cines.csv`` of ``qc fit``.

    Args:
        folder: Of the suite.
        table: Of the cines.
        store: That they were made of; by default where it then was.
        observe: Told how many cines are judged, and of how many.

    Raises:
        ValueError: If the suite learned from all, or was made for other data.
    """
    suite = Suite.load(folder)
    known = Store(store or store_of_cines(table))
    refuse_other_data(suite, known, "and segment them anew")
    cines = read_cines(table, known)
    seen = {
        one.prediction.study
        for one in cines
        if suite.training.has_seen(known.study(one.prediction.study))
    }
    unseen = [one for one in cines if one.prediction.study not in seen]
    if not unseen:
        raise ValueError(f"{table}: the suite learned from all {len(seen)} studies; name others")
    rows = evaluate_verdicts(suite.panel, unseen, observe=observe)
    return JudgedCines(rows, tuple(sorted(seen)))
