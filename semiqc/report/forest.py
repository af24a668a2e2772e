"""The forest plot of the first screen: every scenario against the few labels alone.

It is drawn by the page's own style out of percentages, so that titles of any length wrap instead
of being cut, and follow light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from semiqc.pages.table import interval_text, number_text
from semiqc.report.data import ReportData
from semiqc.report.paired import changes, compare_scenarios

MOST_DOTS = 80
"""Studies that are drawn one by one; more would hide the interval."""


@dataclass(frozen=True)
class ForestRow:
    """One scenario's difference from the baseline; places are in percent of the axis.

    Args:
        title: Of the scenario.
        colour: Of the scenario.
        is_reference: Whether it is the one that the report is about.
        place: Of the mean difference.
        ends: Of the interval; None where there is none.
        dots: Of the single studies.
        text: Difference in words.
        interval: In words; empty where there is none.
        better: How many studies are better, such as ``3 of 12``.
    """

    title: str
    colour: str
    is_reference: bool
    place: float
    ends: tuple[float, float] | None
    dots: Sequence[float]
    text: str
    interval: str
    better: str


@dataclass(frozen=True)
class Forest:
    """Rows over one axis.

    Args:
        baseline: Title of the scenario that is compared with.
        rows: One for each other scenario.
        zero: Place of no difference, in percent.
        ticks: Places and numbers.
    """

    baseline: str
    rows: Sequence[ForestRow]
    zero: float
    ticks: Sequence[tuple[float, str]]


def forest(data: ReportData) -> Forest | None:
    """Mean difference in Dice of every scenario from the baseline; None where there is none."""
    baseline = data.overlap_of(data.baseline_scenario)
    found = {
        key: changes(data.overlap_of(key), baseline)
        for key, _ in data.scenarios
        if key != data.baseline_scenario
    }
    found = {key: of_studies for key, of_studies in found.items() if of_studies}
    if not found:
        return None
    low, high, step = _axis([c for of_studies in found.values() for c in of_studies.values()])

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    ticks = [low + n * step for n in range(round((high - low) / step) + 1)]
    return Forest(
        data.scenario_title(data.baseline_scenario),
        [_row(data, key, low, high) for key in found],
        place(0),
        [(place(tick), number_text(tick, 3 if step < 0.01 else 2, signed=True)) for tick in ticks],
    )


def _axis(values: Sequence[float]) -> tuple[float, float, float]:
    """Ends that hold zero and all values, and the step between ticks, four or five of them."""
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 0.1
    size = 10 ** math.floor(math.log10(span / 4))
    step = next(size * n for n in (1, 2, 5, 10, 20) if size * n >= span / 4)
    return step * math.floor(low / step), step * math.ceil(high / step) or step, step


def _row(data: ReportData, key: str, low: float, high: float) -> ForestRow:
    """The row of a scenario on an axis from ``low`` to ``high``."""
    values, baseline = data.overlap_of(key), data.overlap_of(data.baseline_scenario)
    of_studies = changes(values, baseline)
    found = compare_scenarios(data, key, data.baseline_scenario)
    better = sum(change > 0 for change in of_studies.values())
    interval, ends = "", None
    if not math.isnan(found.interval[0]):
        interval = interval_text(found.interval, 3)
        left, right = (100 * (end - low) / (high - low) for end in found.interval)
        ends = (max(0.0, left), min(100.0, right))
    dots = sorted(of_studies.values()) if len(of_studies) <= MOST_DOTS else []
    return ForestRow(
        data.scenario_title(key),
        data.colours[key],
        key == data.reference_scenario,
        100 * (found.mean_difference - low) / (high - low),
        ends,
        [100 * (change - low) / (high - low) for change in dots],
        number_text(found.mean_difference, 3, signed=True),
        interval,
        f"{better} of {found.n}",
    )
