"""What choosing pseudo-labels was worth: every gate against a choice by chance."""

from semiqc.measuring.statistics import compare, holm
from semiqc.pages.table import Cell, Table, count, interval, number, p_value, text
from semiqc.report.data import ReportData


def choices_table(data: ReportData) -> Table:
    """Paired differences in mean Dice of every gated scenario from its choice by chance."""
    rows: list[dict[str, Cell]] = []
    for key, title in data.scenarios:
        control = data.by_chance.get(key, "")
        found = compare(data.overlap_of(key), data.overlap_of(control))
        if control and found.n:
            rows.append(
                {
                    "scenario": key,
                    "title": title,
                    "control": data.scenario_title(control),
                    "n": found.n,
                    "difference": found.mean_difference,
                    "difference low": found.interval[0],
                    "difference high": found.interval[1],
                    "p": found.t_p,
                    "wilcoxon p": found.wilcoxon_p,
                }
            )
    for name in ("p", "wilcoxon p"):
        for row, adjusted in zip(rows, holm([float(row[name]) for row in rows]), strict=True):
            row[f"{name} holm"] = adjusted
    columns = [
        text("title", "Scenario"),
        text("control", "By chance"),
        count("n", "Pairs"),
        number("difference", "Difference", 3, signed=True),
        interval("difference", "95 % interval", 3),
        p_value("p", "p, t-test"),
        p_value("p holm", "Holm"),
        p_value("wilcoxon p", "p, Wilcoxon"),
        p_value("wilcoxon p holm", "Holm"),
    ]
    return Table(
        "choices",
        "Test Dice against pseudo-labels taken by chance",
        rows,
        columns,
        "Mean over structures, each test study compared with itself; positive is better than"
        " chance in as many rounds, of as many studies where a gate takes a number of them. The"
        " columns headed Holm correct for all rows.",
        "No scenario takes as many pseudo-labels by chance, in as many rounds, as one that chooses"
        " them otherwise.",
    )
