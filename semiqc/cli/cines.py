"""What ``semiqc qc`` says of estimators that judge whole cines by verdicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semiqc.cli.output import bar, note, print_table, say

if TYPE_CHECKING:
    from qc.evaluation.verdicts import VerdictRow
    from qc.suites.suite import Suite
    from semiqc.suites.settings import Reviewed


def reviewed_of(
    verdicts: Path | None, images: Path | None, segmentations: Path | None
) -> "Reviewed | None":
    """The cines that a reader judged, where all three are named.

    Raises:
        ValueError: If only some are.
    """
    from semiqc.suites.settings import Reviewed

    if verdicts is None and images is None and segmentations is None:
        return None
    if verdicts is None or images is None or segmentations is None:
        raise ValueError("--verdicts, --images and --segmentations belong together; name all")
    return Reviewed(verdicts, images, segmentations)


def print_own_figures(suite: "Suite") -> None:
    """What estimators measured while they were fitted, on studies that they held out."""
    from semiqc.pages.table import number_text

    for name, estimator in suite.estimators.items():
        figures = estimator.measured()
        if figures:
            said = ", ".join(f"{k} {number_text(v, 2)}" for k, v in figures.items())
            say(f"{name}, on studies held out while fitting", said)


def evaluate_on_cines(
    suites: Sequence[Path], table: Path, output: Path | None, store: Path | None
) -> None:
    """Tell how well the estimators of each suite tell good cines from erroneous ones.

    Args:
        suites: Their folders.
        table: Of cines with verdicts.
        output: Folder for tables, where wanted; with several suites a folder each within.
        store: Of the cines, if it is not where it was.
    """
    from semiqc.suites.verdicts import evaluate_cines

    for suite in suites:
        with bar("evaluate") as tick:
            found = evaluate_cines(suite, table, store=store, observe=tick)
        print_table(
            f"verdicts on whole cines: {suite.name}",
            ("estimator", "good", "erroneous", "AUC", "sensitivity", "specificity", "KS", "p"),
            [_verdict_cells(row) for row in found.rows],
        )
        say_left_out(found.left_out)
        if output:
            found.write(output / suite.name if len(suites) > 1 else output)


def _verdict_cells(row: "VerdictRow") -> tuple[str | int, ...]:
    """The figures of one estimator against verdicts, with three decimals."""
    from semiqc.pages.table import number_text

    ratios = (row.auc, row.sensitivity, row.specificity, row.ks, row.ks_p)
    return row.estimator, row.good, row.erroneous, *(number_text(one, 3) for one in ratios)


def say_left_out(studies: Sequence[str]) -> None:
    """Say that an evaluation could not use studies that were learned from."""
    if studies:
        note(f"left out {len(studies)} studies that the suite was fitted to")
