"""The forest plot of the first screen: every scenario against the few labels alone.

It is drawn by the page's own style out of percentages, so that titles of any length wrap instead
of being cut, and follow light and dark.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semiqc.measuring.statistics import Comparison
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


@dataclass(frozen=True)
class Difference:
    """What a row is made of.

    Args:
        title: Of the row.
        colour: Of the row.
        of_studies: Difference of every study.
        found: The comparison of them.
        is_reference: Whether it is the one that the report is about.
    """

    title: str
    colour: str
    of_studies: Mapping[str, float]
    found: Comparison
    is_reference: bool = False


def forest(data: ReportData) -> Forest | None:
    """Mean difference in Dice of every scenario from the baseline; None where there is none."""
    base = data.baseline_scenario
    keys = [key for key, _ in data.scenarios if key != base]
    return forest_of(data.scenario_title(base), [difference(data, key, base) for key in keys])


def difference(data: ReportData, key: str, other: str, title: str = "") -> Difference:
    """The row of a scenario against another one; its title is that of the scenario."""
    return Difference(
        title or data.scenario_title(key),
        data.colours[key],
        changes(data.overlap_of(key), data.overlap_of(other)),
        compare_scenarios(data, key, other),
        key == data.reference_scenario,
    )


def forest_of(baseline: str, differences: Sequence[Difference]) -> Forest | None:
    """Differences that are known over one axis; None where none is.

    Args:
        baseline: What is compared with.
        differences: From the top.
    """
    known = [one for one in differences if one.of_studies]
    if not known:
        return None
    low, high, step = _axis([c for one in known for c in one.of_studies.values()])

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    ticks = [low + n * step for n in range(round((high - low) / step) + 1)]
    return Forest(
        baseline,
        [_row(one, low, high) for one in known],
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


def _row(one: Difference, low: float, high: float) -> ForestRow:
    """A row on an axis from ``low`` to ``high``."""
    found, of_studies = one.found, one.of_studies.values()
    better = sum(change > 0 for change in of_studies)
    interval, ends = "", None
    if not math.isnan(found.interval[0]):
        interval = interval_text(found.interval, 3)
        left, right = (100 * (end - low) / (high - low) for end in found.interval)
        ends = (max(0.0, left), min(100.0, right))
    dots = sorted(of_studies) if len(of_studies) <= MOST_DOTS else []
    return ForestRow(
        one.title,
        one.colour,
        one.is_reference,
        100 * (found.mean_difference - low) / (high - low),
        ends,
        [100 * (change - low) / (high - low) for change in dots],
        number_text(found.mean_difference, 3, signed=True),
        interval,
        f"{better} of {found.n}",
    )
