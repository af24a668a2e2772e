"""What a run found, in sentences that claim no more than its numbers."""

import math

from semiqc.measuring.statistics import compare, gap_closed, summarise
from semiqc.pages.table import interval_text, number_text, p_text
from semiqc.report.data import ReportData
from semiqc.report.gate import gate_table

FEW_STUDIES = 20
"""Test studies below which the summary warns that only large differences can be told."""


def findings(data: ReportData) -> list[str]:
    """The answer of the run in a few sentences, the most important first."""
    means = _means(data)
    if not means:
        return [
            "No test study has a reference, so this run cannot say which scenario is better."
            " What follows shows what was trained and judged."
        ]
    found = [
        _ranking(data, means),
        _difference(data, data.baseline_scenario, "where it started"),
        _gap(data),
        *(
            _difference(data, key, "pseudo-labels taken at random")
            for key, _ in data.scenarios
            if key in data.at_random
        ),
        *_selection(data),
        _caution(data),
    ]
    return [sentence for sentence in found if sentence]


def _means(data: ReportData) -> dict[str, float]:
    means = {key: summarise(data.overlap_of(key).values()).mean for key, _ in data.scenarios}
    return {key: mean for key, mean in means.items() if not math.isnan(mean)}


def _ranking(data: ReportData, means: dict[str, float]) -> str:
    ranked = sorted(means, key=lambda key: -means[key])
    best = ranked[0]
    said = f"Highest mean Dice: {data.scenario_title(best)}, {number_text(means[best], 3)}"
    if len(ranked) == 1:
        return f"{said}. No other scenario was evaluated."
    second = ranked[1]
    said += f", before {data.scenario_title(second)}, {number_text(means[second], 3)}"
    found = compare(data.overlap_of(best), data.overlap_of(second))
    if not found.interval[0] > 0:
        said += "; that lead is within what chance among studies explains"
    return f"{said}."


def _difference(data: ReportData, other: str, what: str) -> str:
    reference = data.reference_scenario
    found = compare(data.overlap_of(reference), data.overlap_of(other))
    if other == reference or not found.n:
        return ""
    said = (
        f"{data.scenario_title(reference)} against {data.scenario_title(other)} ({what}):"
        f" {number_text(found.mean_difference, 3, signed=True)} Dice"
    )
    low, high = found.interval
    if math.isnan(low):
        return f"{said}; whether that is chance cannot be told ({found.note})."
    said += f", 95 % interval {interval_text((low, high), 3)}"
    tests = {"paired t-test": found.t_p, "Wilcoxon": found.wilcoxon_p}
    known = [f"{name} p {_equals(p)}" for name, p in tests.items() if not math.isnan(p)]
    said += f" ({', '.join(known)})" if known else ""
    if low > 0:
        return f"{said}. Better: the interval lies above zero."
    if high < 0:
        return f"{said}. Worse: the interval lies below zero."
    return f"{said}. The interval holds zero: these studies cannot tell the two apart."


def _gap(data: ReportData) -> str:
    keys = (data.reference_scenario, data.baseline_scenario, data.best_scenario)
    values, low, high = (data.overlap_of(key) for key in keys)
    if not compare(high, low).n or not compare(values, low).n:
        return ""
    titles = f"{data.scenario_title(keys[1])} and {data.scenario_title(keys[2])}"
    share = gap_closed(values, low, high)
    if math.isnan(share.mean):
        return (
            f"The gap between {titles} is itself not clear on these studies, so no share of it"
            " can be given."
        )
    ends = (100 * share.interval[0], 100 * share.interval[1])
    return (
        f"Of the gap between {titles}, {data.scenario_title(keys[0])} closed"
        f" {number_text(100 * share.mean, 0)} % (95 % bootstrap interval"
        f" {interval_text(ends, 0)} %)."
    )


def _selection(data: ReportData) -> list[str]:
    rows = [row for row in gate_table(data).rows if row["scenario"] == data.reference_scenario]
    admitted = summarise(float(row["admitted dice mean"]) for row in rows).mean
    left = summarise(float(row["left dice mean"]) for row in rows).mean
    share = summarise(float(row["share of possible"]) for row in rows).mean
    if math.isnan(admitted):
        return []
    said = f"What the gate admitted had a true Dice of {number_text(admitted, 3)}"
    if not math.isnan(left):
        said += f", what it left {number_text(left, 3)}"
    if not math.isnan(share):
        said += (
            f"; of the advantage over chance that a perfect choice would have had, it reached"
            f" {number_text(100 * share, 0)} %"
        )
    return [f"{said}."]


def _caution(data: ReportData) -> str:
    n, seeds = len(data.test_studies), len(data.seeds)
    said = []
    if n < FEW_STUDIES:
        said.append(f"{n} test {'study' if n == 1 else 'studies'}: only large differences show")
    if seeds == 1:
        said.append("one seed: how much is the luck of one training is not known")
    return f"Mind: {'; '.join(said)}." if said else ""


def _equals(p: float) -> str:
    shown = p_text(p)
    return shown if shown.startswith("<") else f"= {shown}"
