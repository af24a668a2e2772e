"""Paired comparisons of scenarios, with nothing inferred from a handful of subjects."""

import math
from collections.abc import Mapping
from dataclasses import replace

from semiqc.measuring import statistics
from semiqc.measuring.statistics import NOBODY, Comparison
from semiqc.measuring.subjects import Subjects, whose
from semiqc.report.data import ReportData

LEAST_SUBJECTS = 6
"""Subjects below which no interval and no p is given: with five pairs Wilcoxon's p cannot fall
below .06, and an interval rests on the normality of numbers that nobody can check."""


def compare(
    values_a: Mapping[str, float], values_b: Mapping[str, float], subjects: Subjects = NOBODY
) -> Comparison:
    """As ``semiqc.measuring.statistics.compare``; below ``LEAST_SUBJECTS`` the difference alone.

    Args:
        values_a: One number for each study, of the first scenario.
        values_b: Of the second.
        subjects: Of the studies.
    """
    found = statistics.compare(values_a, values_b, subjects)
    if not 0 < len(set(whose(changes(values_a, values_b), subjects))) < LEAST_SUBJECTS:
        return found
    unknown = (math.nan, math.nan)
    note = f"no interval and no test below {LEAST_SUBJECTS} subjects"
    return replace(found, interval=unknown, t_p=math.nan, wilcoxon_p=math.nan, note=note)


def compare_scenarios(data: ReportData, first: str, second: str) -> Comparison:
    """Two scenarios by the mean Dice of every test study; see ``compare``."""
    return compare(data.overlap_of(first), data.overlap_of(second), data.subjects)


def changes(values_a: Mapping[str, float], values_b: Mapping[str, float]) -> dict[str, float]:
    """First less second, of every study that has both."""
    return {
        study: value - values_b[study]
        for study, value in values_a.items()
        if study in values_b and math.isfinite(value) and math.isfinite(values_b[study])
    }
