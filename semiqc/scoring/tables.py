"""What was judged as CSV and JSON, with every digit.

The CSV files have one figure a column and a row for each thing judged; ``quality.json`` holds
the same and, beside it, what the suite learned from. NaN is an empty cell in CSV and null in JSON.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qc.base import Quality
from qc.qualities_file import quality_to_json
from semiqc.files.atomic import whole_file
from semiqc.files.tables import NAN, write_rows
from semiqc.pages.table import Cell, Table
from semiqc.scoring.scores import ScoreReport, StudyScore


@dataclass(frozen=True)
class StructureRow:
    """What one estimator says of one structure of a study; NaN where it says nothing.

    ``dice_low`` and ``dice_high`` are the ends of the consensus's conformal interval.
    """

    study: str
    estimator: str
    structure: str
    dice: float
    nsd: float
    dice_low: float
    dice_high: float


@dataclass(frozen=True)
class SliceRow:
    """What one estimator says of one structure in one slice; frames and slices count from 0."""

    study: str
    estimator: str
    structure: str
    frame: int
    slice: int
    dice: float


def write_tables(report: ScoreReport, output: Path) -> None:
    """Write ``studies.csv``, ``structures.csv``, ``slices.csv`` and ``quality.json``."""
    Table("studies", "", [study_row(one) for one in report.studies], ()).write(output)
    write_rows(output / "structures.csv", StructureRow, _structures(report))
    write_rows(output / "slices.csv", SliceRow, _slices(report))
    with (
        whole_file(output / "quality.json") as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.writelines(_json_parts(report))


def study_row(one: StudyScore) -> dict[str, Cell]:
    """A study's line of ``studies.csv``.

    ``score`` is the suite's; ``score_NAME`` that of each estimator which judged the study. Several
    warnings or reasons are parted by semicolons.
    """
    return {
        "study": one.study,
        "flagged": one.flagged,
        "score": one.score,
        **{f"score_{name}": quality.score for name, quality in one.qualities.items()},
        "verdict": one.verdict,
        "warnings": "; ".join(one.warnings),
        "reasons": "; ".join(one.reasons),
    }


def _structures(report: ScoreReport) -> Iterator[StructureRow]:
    """A row for each study, estimator and structure of which it tells Dice or NSD.

    The ends of the interval are NaN of estimators that give none.
    """
    for one in report.studies:
        for name, quality in one.qualities.items():
            for structure in dict.fromkeys([*quality.dice, *quality.nsd]):
                dice, nsd = quality.dice.get(structure, NAN), quality.nsd.get(structure, NAN)
                ends = quality.interval.get(structure, (NAN, NAN))
                yield StructureRow(one.study, name, structure, dice, nsd, *ends)


def _slices(report: ScoreReport) -> Iterator[SliceRow]:
    """A row for each study, estimator, structure, frame and slice."""
    for one in map(report.whole, report.studies):
        for name, quality in one.qualities.items():
            for structure, dice in quality.slice_dice.items():
                for (frame, number), value in np.ndenumerate(dice):
                    yield SliceRow(one.study, name, structure, frame, number, float(value))


def _json_parts(report: ScoreReport) -> Iterator[str]:
    """The text of ``quality.json``, study by study, so that no two stand in memory.

    It has everything but the error maps themselves; null in the place of NaN.
    """
    described = {
        "suite": {
            "scheme": report.scheme.to_json(),
            "training": asdict(report.training) if report.training else None,
            "estimators": list(report.estimators),
        },
        "flag_below": report.flag_below,
        "interval_level": report.interval_level,
        "studies": [],
        "left_out": [asdict(refusal) for refusal in report.left_out],
    }
    head, studies, tail = _json(described).partition('\n "studies": [')
    yield head + studies
    for number, one in enumerate(map(report.whole, report.studies)):
        yield ("," if number else "") + f"\n{_json(_study(one))}".replace("\n", "\n  ")
    yield ("\n " if report.studies else "") + tail + "\n"


def _study(one: StudyScore) -> dict[str, Any]:
    """A study's part of ``quality.json``."""
    return {
        "study": one.study,
        "flagged": one.flagged,
        "score": one.score,
        "verdict": one.verdict,
        "warnings": one.warnings,
        "error_maps": one.error_maps,
        "estimators": {n: _without_study(q) for n, q in one.qualities.items()},
    }


def _json(described: Mapping[str, Any]) -> str:
    return json.dumps(_without_nan(described), indent=1, ensure_ascii=False, allow_nan=False)


def _without_study(quality: Quality) -> dict[str, Any]:
    """A quality as JSON; whose it is stands above it."""
    return {key: value for key, value in quality_to_json(quality).items() if key != "study"}


def _without_nan(value: Any) -> Any:  # noqa: ANN401
    """The same value with None in the place of NaN and infinity."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
