"""What was judged of predictions, kept as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qc.base import Quality
from semiqc.doors.json_file import read_json
from semiqc.doors.regular import refusing
from semiqc.files.atomic import write_text

QUALITIES = "qualities.json"


def write_qualities(folder: Path, qualities: Sequence[Quality]) -> None:
    """Keep qualities, without their error maps, in a folder."""
    rows = [quality_to_json(quality) for quality in qualities]
    write_text(folder / QUALITIES, json.dumps(rows, indent=1))


def read_qualities(folder: Path) -> list[Quality]:
    """What ``write_qualities`` kept."""
    path = folder / QUALITIES
    rows = read_json(path)
    with refusing(path, "qualities as a run writes them"):
        return [quality_from_json(row) for row in rows]


def quality_to_json(quality: Quality) -> dict[str, Any]:
    """Everything but the error maps, as JSON can write it."""
    overall = {"overall": dict(quality.overall)} if quality.overall else {}
    if quality.overall_nsd:
        overall["overall_nsd"] = dict(quality.overall_nsd)
    return overall | {
        "study": quality.study,
        "score": quality.score,
        "is_good": quality.is_good,
        "dice": dict(quality.dice),
        "nsd": dict(quality.nsd),
        "slice_dice": {name: found.tolist() for name, found in quality.slice_dice.items()},
        "interval": dict(quality.interval),
        "reasons": list(quality.reasons),
    }


def quality_from_json(row: Mapping[str, Any]) -> Quality:
    """The quality that ``quality_to_json`` gave."""
    read = {
        "slice_dice": {name: np.array(found) for name, found in row["slice_dice"].items()},
        "interval": {name: (low, high) for name, (low, high) in row["interval"].items()},
        "reasons": tuple(row["reasons"]),
    }
    return Quality(**{**row, **read})
