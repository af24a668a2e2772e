"""The tables of the page of an evaluation: what the CSV files have, rounded and fewer."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from qc.evaluation import Evaluation
from qc.evaluation.drawing import TITLES
from qc.evaluation.figures import FigureRow
from qc.evaluation.judgement import ALL
from qc.evaluation.slices import slice_table
from semiqc.pages.table import Cell, Column, Row, Table, count, number, number_text, p_value, text


def tables_of(evaluation: Evaluation, figures: Sequence[FigureRow]) -> list[Table]:
    """All tables that have rows, in the order of the page.

    Args:
        evaluation: What was judged.
        figures: Its table.
    """
    over_all = [row for row in figures if row.by == "all"]
    parts = [row for row in figures if row.by != "all" and row.structure == ALL]
    parts = [row for row in parts if row.quality != "multi_class"]
    means = [row for row in over_all if row.structure == ALL]
    structures = [row for row in over_all if row.structure != ALL]
    found = [
        Table("means", "Mean over structures", _figures(means), MEANS, OF_MEANS),
        Table("structures", "Each structure", _figures(structures), STRUCTURES, OF_STRUCTURES),
        Table("parts", "By group and by source", _figures(parts), PARTS),
        Table("slices", "Single slices, 2-D Dice", _slices(evaluation), SLICES, OF_SLICES),
        Table("pairs", "Between estimators", _pairs(evaluation), PAIRS, OF_PAIRS),
        Table("healthy", "Healthy and others", _groups(evaluation), GROUPS, OF_GROUPS),
    ]
    return [table for table in found if table.rows]


def _figures(rows: Sequence[FigureRow]) -> list[dict[str, Cell]]:
    return [asdict(row) | {"of": TITLES[row.quality]} for row in rows]


def _slices(evaluation: Evaluation) -> list[dict[str, Cell]]:
    return [asdict(row) for row in slice_table(evaluation.slices)]


def _pairs(evaluation: Evaluation) -> list[dict[str, Cell]]:
    return [asdict(row) | {"of": TITLES[row.quality]} for row in evaluation.pairs()]


def _groups(evaluation: Evaluation) -> list[dict[str, Cell]]:
    return [asdict(row) | {"of": TITLES[row.quality]} for row in evaluation.groups()]


def _with_sd(name: str, title: str, sd: str) -> Column:
    """A mean and its standard deviation in brackets."""

    def show(row: Row) -> str:
        mean = float(row[name])
        shown = number_text(mean, 3)
        return shown if math.isnan(mean) else f"{shown} ({number_text(float(row[sd]), 3)})"

    return Column(title, show)


WHO = (text("estimator", "Estimator"), text("of", "Of"))
ERRORS = (
    number("pearson", "r", 3),
    _with_sd("mae", "MAE (SD)", "mae_sd"),
    number("bias", "Bias", 3, signed=True),
)
AROUND_HALF = (
    _with_sd("mae_below", "MAE below .5", "mae_below_sd"),
    _with_sd("mae_above", "MAE from .5", "mae_above_sd"),
)
CALLED = (
    number("threshold", "Good from", 2),
    number("accuracy", "Accuracy", 3),
    number("tpr", "TPR", 3),
    number("fpr", "FPR", 3),
)
MEANS = (
    *WHO,
    count("n", "n"),
    *ERRORS,
    number("spearman", "Spearman", 3),
    *CALLED,
    number("aurc", "AURC", 3),
    number("error_map_dice", "Error maps", 3),
    number("covered", "In interval", 3),
    number("ms", "ms", 0),
)
STRUCTURES = (
    *(WHO[0], text("structure", "Structure"), WHO[1], count("n", "n")),
    *(*ERRORS, *AROUND_HALF, *CALLED),
)
PARTS = (
    *(WHO[0], WHO[1], text("by", "By"), text("stratum", "Which"), count("n", "n")),
    *(*ERRORS, number("spearman", "Spearman", 3)),
)
SLICES = (
    *(text("estimator", "Estimator"), text("structure", "Structure"), count("n", "Slices")),
    *(number("pearson", "r", 3), _with_sd("mae", "MAE (SD)", "mae_sd")),
    *(number("threshold", "Good from", 2), number("accuracy", "Accuracy", 3)),
    _with_sd("mvsf_mae", "MVSF MAE (SD)", "mvsf_sd"),
)
PAIRS = (
    *(text("first", "First"), text("second", "Second"), text("of", "Of")),
    *(text("structure", "Structure"), count("subjects", "Subjects")),
    *(number("mae_first", "MAE first", 3), number("mae_second", "MAE second", 3)),
    *(number("difference", "Difference", 3, signed=True), p_value("t_holm", "t, Holm")),
    p_value("wilcoxon_holm", "Wilcoxon, Holm"),
)
GROUPS = (
    *(WHO[0], WHO[1], text("structure", "Structure")),
    *(count("healthy", "Healthy"), count("others", "Others")),
    _with_sd("mae_healthy", "MAE healthy (SD)", "sd_healthy"),
    _with_sd("mae_others", "MAE others (SD)", "sd_others"),
    p_value("t_holm", "t, Holm"),
)

OF_MEANS = (
    "MAE: mean absolute error. Bias: estimate less truth. AURC: area under the risk-coverage"
    " curve, lower is better. Error maps: their Dice with the true errors. In interval: share of"
    " true Dice that lies in the interval. ms: a segmentation of an image seen for the first time."
)
OF_STRUCTURES = (
    "TPR and FPR: share of good and of poor segmentations that are called good. Background and"
    " foreground, all structures as one, are told by networks that learn them."
)
OF_SLICES = "MVSF: mean volume similarity fraction of a slice."
OF_PAIRS = (
    "Paired over the absolute errors of each subject, on segmentations that both judged: t-test"
    " and Wilcoxon's signed-rank test, adjusted by Holm for all rows."
)
OF_GROUPS = "Unpaired t-test between the errors of subjects, adjusted by Holm for all rows."
