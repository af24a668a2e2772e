"""A run among others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semiqc.report.data import ReportData


@dataclass(frozen=True)
class ComparedRun:
    """A run as a comparison shows it.

    Args:
        name: Apart from those of the other runs.
        data: What its own report shows.
        settings: Value of each setting, by its dotted name.
        fingerprint: Of the data that it worked on; empty where it is not known.
    """

    name: str
    data: ReportData
    settings: Mapping[str, str]
    fingerprint: str = ""


def tested_by_all(runs: Sequence[ComparedRun]) -> set[str]:
    """Test studies that all runs have; none where their data are not known to be the same.

    Two data sets may name two patients alike.
    """
    if len({run.fingerprint for run in runs}) > 1 or not runs[0].fingerprint:
        return set()
    return set.intersection(*(set(run.data.test_studies) for run in runs))
