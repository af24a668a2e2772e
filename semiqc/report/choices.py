"""What choosing pseudo-labels was worth: every gate against a choice at random.

The random scenario has the same labels, the same first segmenter, as many rounds and as many
pseudo-labels in each; only which studies are taken differs. The difference is thus that of the
choice, not that of more training data.
"""

from collections.abc import Sequence

from semiqc.measuring.statistics import Comparison, holm
from semiqc.pages.table import Cell, Table, count, interval, number, p_value, text
from semiqc.report.data import ReportData

COLUMNS = (
    text("title", "Scenario"),
    text("control", "At random"),
    count("n", "Pairs"),
    number("difference", "Difference", 3, signed=True),
    interval("difference", "95 % interval", 3),
    p_value("p", "p, t-test"),
    p_value("p holm", "Holm"),
    p_value("wilcoxon p", "p, Wilcoxon"),
    p_value("wilcoxon p holm", "Holm"),
)

NOTE = (
    "Mean over structures. Each test study is compared with itself. A positive difference means"
    " that the gate is better than a random choice of as many studies in as many rounds. The"
    " columns headed Holm correct for all rows."
)

MISSING = (
    "No scenario chooses as many pseudo-labels at random, in as many rounds, as a gate of this"
    " run."
)


def choices_table(data: ReportData) -> Table:
    """Paired differences in mean test Dice of every gate from its random choice.

    Reference:
        Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 1979.

    Returns:
        A row for each scenario with a random control; columns are the number of pairs, the mean
        difference with its interval, and p of both tests, plain and adjusted over all rows.
    """
    rows = [row for key, title in data.scenarios if (row := _row(data, key, title))]
    for name in ("p", "wilcoxon p"):
        correct_for_all(rows, name)
    title = "Test Dice against pseudo-labels chosen at random"
    return Table("choices", title, rows, COLUMNS, NOTE, MISSING, "control")


def _row(data: ReportData, key: str, title: str) -> dict[str, Cell]:
    """One scenario against its random control; empty without a control or a pair of studies."""
    control = data.by_chance.get(key, "")
    found = data.compared(key, control)
    names = {"scenario": key, "title": title, "control": data.scenario_title(control)}
    return {**names, **_figures(found)} if control and found.n else {}


def correct_for_all(rows: Sequence[dict[str, Cell]], name: str) -> None:
    """Add to each row of a table ``NAME holm``: its p of that name, adjusted over all rows."""
    for row, adjusted in zip(rows, holm([float(row[name]) for row in rows]), strict=True):
        row[f"{name} holm"] = adjusted


def _figures(found: Comparison) -> dict[str, Cell]:
    """The cells of a paired comparison, by column name; p as tested, before Holm's correction."""
    return {
        "n": found.n,
        "difference": found.mean_difference,
        "difference low": found.interval[0],
        "difference high": found.interval[1],
        "p": found.t_p,
        "wilcoxon p": found.wilcoxon_p,
    }
