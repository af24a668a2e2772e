"""The table of figures as Markdown."""

import math
from collections.abc import Sequence

from qc.evaluation.comparing import GroupRow, PairRow
from qc.evaluation.drawing import TITLES
from qc.evaluation.figures import FigureRow
from qc.evaluation.judgement import ALL
from qc.evaluation.slices import SliceRow

NOTHING = "-"

MAIN = (
    *("Estimator", "Of", "n", "Missing", "Studies"),
    *("r", "Spearman", "MAE (SD)", "AUROC", "Excess AURC"),
)
"""Columns of the tables by group and by source."""


def markdown_of(rows: Sequence[FigureRow]) -> str:
    """The main figures: of all predictions, of each structure, then by group and by source.

    Intervals in brackets are those at 95 % by bootstrap over subjects; what cannot be told is a
    hyphen.
    """
    overall = [row for row in rows if row.by == "all"]
    means = [_cells(row) for row in overall if row.structure == ALL]
    structures = [
        {"Structure": _text(row.structure)} | _cells(row)
        for row in overall
        if row.structure != ALL
    ]
    parts = [("Mean over structures", means), ("Each structure", structures)]
    for by in ("group", "source"):
        parts.append((f"By {by}, mean over structures", _by(by, rows)))
    return "\n".join(_section(title, found) for title, found in parts if found)


def pairs_markdown(rows: Sequence[PairRow]) -> list[str]:
    """The tests between every two estimators, mean over structures; nothing without a pair."""
    cells = [
        {
            "Of": TITLES[row.quality],
            "First": _text(row.first),
            "Second": _text(row.second),
            "n": str(row.n),
            "Subjects": str(row.subjects),
            "MAE first": _number(row.mae_first),
            "MAE second": _number(row.mae_second),
            "r first": _number(row.pearson_first),
            "r second": _number(row.pearson_second),
            "Difference": _number(row.difference) + _interval(row.low, row.high),
            "t p": _p(row.t_p),
            "Holm": _p(row.t_holm),
            "Wilcoxon p": _p(row.wilcoxon_p),
            "Holm, Wilcoxon": _p(row.wilcoxon_holm),
        }
        for row in rows
        if row.structure == ALL
    ]
    note = (
        "Paired over the absolute errors of each subject; Holm's adjustment is for all pairs,"
        " qualities and structures.\n"
    )
    return [_section("Between estimators, mean over structures", cells), note] if cells else []


def slices_markdown(rows: Sequence[SliceRow]) -> list[str]:
    """Dice and MVSF of single slices; nothing where no estimator judges them."""
    cells = [
        {
            "Estimator": _text(row.estimator),
            "Structure": _text(row.structure),
            "Slices": str(row.n),
            "Missing": str(row.missing or ""),
            "Subjects": str(row.subjects),
            "MAE (SD)": _with_sd(row.mae, row.mae_sd),
            "r": _number(row.pearson),
            "Threshold": f"{row.threshold:g}" if math.isfinite(row.threshold) else NOTHING,
            "Accuracy": _number(row.accuracy),
            "MVSF MAE (SD)": _with_sd(row.mvsf_mae, row.mvsf_sd),
            "MVSF r": _number(row.mvsf_pearson),
        }
        for row in rows
    ]
    return [_section("Single slices, 2-D Dice", cells)] if cells else []


def groups_markdown(rows: Sequence[GroupRow]) -> list[str]:
    """The tests between the healthy and all others; nothing where there are no such groups."""
    cells = [
        {
            "Estimator": _text(row.estimator),
            "Of": TITLES[row.quality],
            "Structure": _text(row.structure),
            "Healthy": str(row.healthy),
            "Others": str(row.others),
            "MAE healthy (SD)": _with_sd(row.mae_healthy, row.sd_healthy),
            "MAE others (SD)": _with_sd(row.mae_others, row.sd_others),
            "t p": _p(row.t_p),
            "Holm": _p(row.t_holm),
        }
        for row in rows
    ]
    return [_section("Healthy and others, subjects", cells)] if cells else []


def _p(value: float) -> str:
    """A p-value; those too small to matter as a bound."""
    return "< .001" if value < 0.001 else _number(value)


def _by(by: str, rows: Sequence[FigureRow]) -> list[dict[str, str]]:
    """The main cells of each stratum of ``group`` or ``source``, in the order of the rows."""
    return [
        {by.capitalize(): _text(row.stratum)} | _main(_cells(row))
        for row in rows
        if row.by == by and row.structure == ALL and row.quality != "multi_class"
    ]


def _main(cells: dict[str, str]) -> dict[str, str]:
    return {name: cells[name] for name in MAIN}


def _section(title: str, cells: Sequence[dict[str, str]]) -> str:
    # A column in which nobody has anything says nothing.
    """A heading and a table of these cells, of which the first row names the columns.

    Columns that are empty in every row are left out. There must be one row at least.
    """
    names = [name for name in cells[0] if any(row[name] not in ("", NOTHING) for row in cells)]
    lines = [
        f"## {title}",
        "",
        "| " + " | ".join(names) + " |",
        "|" + "|".join("---" for _ in names) + "|",
        *("| " + " | ".join(row[name] for name in names) + " |" for row in cells),
        "",
    ]
    return "\n".join(lines)


def _cells(row: FigureRow) -> dict[str, str]:
    r = _number(row.pearson) + _interval(row.pearson_low, row.pearson_high)
    mae = _with_sd(row.mae, row.mae_sd) + _interval(row.mae_low, row.mae_high)
    return {
        "Estimator": _text(row.estimator),
        "Of": TITLES[row.quality],
        "n": str(row.n),
        "Missing": str(row.missing or ""),
        "Studies": str(row.studies),
        "r": r,
        "Spearman": _number(row.spearman),
        "R2": _number(row.r2),
        "MAE (SD)": mae,
        "Bias": _number(row.bias),
        "MAE below .5": _with_sd(row.mae_below, row.mae_below_sd),
        "MAE from .5": _with_sd(row.mae_above, row.mae_above_sd),
        "Within .05": _number(row.within),
        "Threshold": f"{row.threshold:g}",
        "Accuracy": _number(row.accuracy),
        "TPR": _number(row.tpr),
        "FPR": _number(row.fpr),
        "AUROC": _number(row.auroc),
        "AURC": _number(row.aurc),
        "Excess AURC": _number(row.excess_aurc),
        "Error-map Dice": _with_sd(row.error_map_dice, row.error_map_sd),
        "In interval": _number(row.covered),
        "Interval length": _number(row.length),
        "KS of verdicts": _number(row.verdict_ks),
        "ms": _number(row.ms, 1),
    }


def _number(value: float, digits: int = 3) -> str:
    """A figure as it is read."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def _with_sd(mean: float, sd: float) -> str:
    """Mean with its standard deviation in brackets."""
    return _number(mean) + (f" ({_number(sd)})" if math.isfinite(sd) else "")


def _interval(low: float, high: float) -> str:
    """The ends of an interval, in brackets."""
    return f" [{_number(low)}, {_number(high)}]" if math.isfinite(low) else ""


def _text(text: str) -> str:
    """Such that it cannot end a cell or a row."""
    return " ".join(text.split()).replace("|", "\\|")
