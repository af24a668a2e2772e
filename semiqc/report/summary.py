"""What a run found, in sentences that claim no more than its numbers show.

A difference is called better or worse only where its 95 % interval lies on one side of zero.
"""

import math

from semiqc.measuring.bootstrap import gap_closed
from semiqc.measuring.statistics import Comparison, summarise
from semiqc.pages.table import interval_text, number_text, p_text
from semiqc.report.data import ReportData
from semiqc.report.gate import gate_table
from semiqc.report.paired import changes, compare_scenarios
from semiqc.report.telling_apart import last_choice

FEW_STUDIES = 20
"""Test studies below which the summary warns that only large differences can be told."""

NO_REFERENCE = (
    "No test study has a reference, so this run cannot say which scenario is better."
    " The report shows what was trained and judged."
)


def findings(data: ReportData) -> list[str]:
    """The answer of the run in a few sentences, the most important first.

    Args:
        data: Of the run. The reference scenario is compared with the baseline and with every
            random choice; pseudo-labels are those of its gate.
    """
    means = _means(data)
    if not means:
        return [NO_REFERENCE]
    at_random = [key for key, _ in data.scenarios if key in data.at_random]
    at_all = [key for key, _ in data.scenarios if key in data.at_all]
    found = [
        _ranking(data, means),
        _difference(data, data.baseline_scenario, "the baseline"),
        _gap(data),
        *(_difference(data, key, "all pseudo-labels, without a choice") for key in at_all),
        *(_difference(data, key, "pseudo-labels chosen at random") for key in at_random),
        *trust(data),
    ]
    return [sentence for sentence in found if sentence]


def verdict(data: ReportData, at_home: ReportData) -> str:
    """What another data set says of the reference scenario, in two sentences.

    Args:
        data: Of the other data set.
        at_home: Of the run itself, whose test studies the mean is set beside.
    """
    key, count = data.reference_scenario, len(data.test_studies)
    title, studies = data.scenario_title(key), "study" if count == 1 else "studies"
    here, home = (summarise(one.overlap_of(key).values()).mean for one in (data, at_home))
    if math.isnan(here):
        return NO_REFERENCE
    said = f"{title} has a mean Dice of {number_text(here, 3)} on {count} {studies}"
    if not math.isnan(home):
        said += f", {number_text(home, 3)} on the test studies of the run"
    return f"{said}. {_against_baseline(data)}"


def _against_baseline(data: ReportData) -> str:
    """Whether the reference scenario is better than the baseline, in a sentence."""
    key, base = data.reference_scenario, data.baseline_scenario
    found = compare_scenarios(data, key, base)
    if key == base or not found.n:
        return "There is no baseline to compare it with."
    low, high = found.interval
    is_known = not math.isnan(low)
    how = (
        "is better than"
        if low > 0
        else "is worse than"
        if high < 0
        else "is not shown to differ from"
        if is_known
        else "cannot be told from"
    )
    interval = f", 95 % interval {interval_text(found.interval, 3)}" if is_known else ""
    return (
        f"It {how} {data.scenario_title(base)}:"
        f" {number_text(found.mean_difference, 3, signed=True)} Dice{interval}."
    )


def trust(data: ReportData) -> list[str]:
    """What limits the answers of a run, and how well its gate chose."""
    said = [_caution(data), *_without_choice(data), *_selection(data), *_spoilt(data)]
    return [sentence for sentence in said if sentence]


def _means(data: ReportData) -> dict[str, float]:
    """Mean Dice over the test studies of each scenario that has one, as ordered in the tables."""
    means = {key: summarise(data.overlap_of(key).values()).mean for key, _ in data.scenarios}
    return {key: mean for key, mean in means.items() if not math.isnan(mean)}


def _ranking(data: ReportData, means: dict[str, float]) -> str:
    """The best scenario, the second and whether the difference is clear."""
    ranked = sorted(means, key=lambda key: -means[key])
    best = ranked[0]
    said = f"Highest mean Dice: {data.scenario_title(best)}, {number_text(means[best], 3)}"
    if len(ranked) == 1:
        return f"{said}. No other scenario was evaluated."
    second = ranked[1]
    said += f", before {data.scenario_title(second)}, {number_text(means[second], 3)}"
    found = compare_scenarios(data, best, second)
    if not found.interval[0] > 0:
        said += "; these studies do not show that this difference is more than chance"
    return f"{said}."


def _difference(data: ReportData, other: str, what: str) -> str:
    """The difference of the reference scenario from another one; empty where there is none."""
    reference = data.reference_scenario
    found = compare_scenarios(data, reference, other)
    if other == reference or not found.n:
        return ""
    said = (
        f"{data.scenario_title(reference)} against {data.scenario_title(other)} ({what}):"
        f" {number_text(found.mean_difference, 3, signed=True)} Dice"
    )
    if math.isnan(found.interval[0]):
        return f"{said}. There is no interval ({found.note})."
    said += f", 95 % interval {interval_text(found.interval, 3)}{_tests(found)}"
    return f"{said}. {_conclusion(found)}"


def _tests(found: Comparison) -> str:
    """The p-values of a comparison, in brackets."""
    tests = {"paired t-test": found.t_p, "Wilcoxon": found.wilcoxon_p}
    known = [f"{name} p {_equals(p)}" for name, p in tests.items() if not math.isnan(p)]
    return f" ({', '.join(known)})" if known else ""


def _conclusion(found: Comparison) -> str:
    """What the interval of a difference says."""
    low, high = found.interval
    if low > 0:
        return "Better: the interval lies above zero."
    if high < 0:
        return "Worse: the interval lies below zero."
    return "The interval holds zero: these studies do not show a difference."


def _gap(data: ReportData) -> str:
    """The share of the difference between few and all labels that the reference closed.

    Empty where one of the three scenarios was not run, for then there are no pairs. Where the gap
    is not clearly above zero, a share of it would be noise; the sentence says so instead.
    """
    keys = (data.reference_scenario, data.baseline_scenario, data.best_scenario)
    values, low, high = (data.overlap_of(key) for key in keys)
    if not changes(high, low) or not changes(values, low):
        return ""
    gap = f"the gap between {data.scenario_title(keys[1])} and {data.scenario_title(keys[2])}"
    share = gap_closed(values, low, high, data.subjects)
    if math.isnan(share.mean):
        return f"On these studies {gap} is not clearly above zero, so no share of it is given."
    ends = (100 * share.interval[0], 100 * share.interval[1])
    return (
        f"{data.scenario_title(keys[0])} closed {number_text(100 * share.mean, 0)} % of {gap}"
        f" (95 % bootstrap interval {interval_text(ends, 0)} %)."
    )


def _without_choice(data: ReportData) -> list[str]:
    """Says of each gate that is to choose whether it took all studies, or none, in some round."""
    said = []
    for key in data.choosing:
        rows = [row for row in gate_table(data).rows if row["scenario"] == key]
        everything = sum(row["left"] == 0 for row in rows)
        nothing = sum(row["admitted"] == 0 for row in rows)
        for count, what in ((everything, "admitted every study"), (nothing, "admitted nothing")):
            where = f" in {count} of {len(rows)} rounds" if len(rows) > 1 else ""
            if count:
                said.append(
                    f"Warning: the gate of {data.scenario_title(key)} {what}{where}; this was"
                    " no choice."
                )
    return said


def _selection(data: ReportData) -> list[str]:
    """The true Dice of what the reference scenario's gate admitted last; empty where unknown."""
    rows = last_choice(data, data.reference_scenario)
    admitted, rejected, share = (
        summarise(float(row[name]) for row in rows).mean
        for name in ("admitted dice mean", "left dice mean", "share of possible")
    )
    if math.isnan(admitted):
        return []
    said = f"Mean true Dice of the admitted studies: {number_text(admitted, 3)}"
    if not math.isnan(rejected):
        said += f"; of the rejected studies: {number_text(rejected, 3)}"
    if not math.isnan(share):
        said += (
            f". On a scale from a random choice (0 %) to the best possible choice (100 %), the"
            f" gate reached {number_text(100 * share, 0)} %"
        )
    return [f"{said}."]


def _spoilt(data: ReportData) -> list[str]:
    """How many spoilt studies the reference scenario and its random choice admitted.

    In the last round, a mean over seeds. Empty where none was spoilt, or there is no gate.
    """
    by_chance = data.by_chance.get(data.reference_scenario)
    said = []
    for key in (data.reference_scenario, by_chance):
        found = [row for row in last_choice(data, key or "") if "spoilt" in row]
        if found:
            spoilt, admitted, taken = (
                summarise(float(row[name]) for row in found).mean
                for name in ("spoilt", "spoilt admitted", "admitted")
            )
            said.append(
                f"{data.scenario_title(str(key))} admitted {number_text(admitted, 0)} of"
                f" {number_text(spoilt, 0)} spoilt studies (of {number_text(taken, 0)} admitted)"
            )
    return [f"{'; '.join(said)}."] if said else []


def _caution(data: ReportData) -> str:
    """What limits the conclusions: few studies, one seed."""
    n, seeds = len(data.test_studies), len(data.seeds)
    said = []
    if n < FEW_STUDIES:
        studies = "study" if n == 1 else "studies"
        said.append(f"{n} test {studies} can show large differences only")
    if seeds == 1:
        said.append("one seed does not show how much trainings vary")
    return f"Limits: {'; '.join(said)}." if said else ""


def _equals(p: float) -> str:
    """A p-value with its relation sign."""
    shown = p_text(p)
    return shown if shown.startswith("<") else f"= {shown}"
