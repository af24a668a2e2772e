"""All that is told of one new study, as it is kept in a file until the command is done."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from qc import Quality
from qc.qualities_file import quality_from_json, quality_to_json
from semiqc.doors.json_file import parse_json
from semiqc.doors.regular import refusing
from semiqc.doors.tensors import read_tensors
from semiqc.files.atomic import whole_file
from semiqc.files.tables import ClinicalRow, CorrectionRow, CurveRow, QualityRow
from semiqc.scoring.scores import StudyScore
from semiqc.scoring.worst import WorstSlice

SAID, DIGEST = "semiqc-predicted", "sha256"
"""Keys in the metadata of a file."""
SHOWN = ("image", "labels", "error", "heat", "film", "film_labels")
"""Arrays of the slice that the page shows."""
RowOf = TypeVar("RowOf")


@dataclass(frozen=True, eq=False)
class PredictedStudy:
    """What was measured and judged of one study.

    Args:
        score: What the estimators say of it.
        worst: The slice that the page shows; None where none was kept.
        clinical: A row for each measure.
        curves: A row for each structure and frame.
        qualities: A row where anybody judged it.
        corrections: A row for each measure, where an estimator judges slices.
    """

    score: StudyScore
    worst: WorstSlice | None
    clinical: Sequence[ClinicalRow]
    curves: Sequence[CurveRow]
    qualities: Sequence[QualityRow]
    corrections: Sequence[CorrectionRow]


@dataclass(frozen=True, eq=False)
class DoneStudy:
    """A study that is done, with what tells whether it still is.

    Args:
        key: Hash of the study that was segmented.
        labels: Size and SHA-256 of the file with its labels.
        predicted: What was told of it.
    """

    key: str
    labels: Mapping[str, Any]
    predicted: PredictedStudy

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        arrays = _arrays(self.predicted.worst)
        text = json.dumps(self._described(), default=_plain)
        metadata = {SAID: text, DIGEST: _digest(text, arrays)}
        with whole_file(path) as temporary:
            save_file(arrays, temporary, metadata=metadata)

    @classmethod
    def read(cls, path: Path) -> "DoneStudy":
        """What was written.

        Raises:
            UnusableError: If the file cannot be read, or is not what was written.
        """
        arrays, metadata = read_tensors(path, "np")
        with refusing(path, "a study that was predicted, with its checksum"):
            if _digest(metadata[SAID], arrays) != metadata[DIGEST]:
                raise ValueError("its SHA-256 is not the one written with it")
            return _read(parse_json(metadata[SAID], str(path)), arrays)

    def _described(self) -> dict[str, Any]:
        """Everything but the arrays."""
        of, score = self.predicted, self.predicted.score
        return {
            "key": self.key,
            "labels": dict(self.labels),
            "score": {
                "study": score.study,
                "score": score.score,
                "flagged": score.flagged,
                "qualities": {n: quality_to_json(q) for n, q in score.qualities.items()},
                "warnings": list(score.warnings),
            },
            "worst": of.worst and {
                name: value for name, value in vars(of.worst).items() if name not in SHOWN
            },
            "rows": {
                name: [asdict(row) for row in getattr(of, name)]
                for name in ("clinical", "curves", "qualities", "corrections")
            },
        }  # fmt: skip


def _read(said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> DoneStudy:
    """What ``DoneStudy.write`` described, with the arrays beside it."""
    score, rows, worst = said["score"], said["rows"], said["worst"]
    qualities = {name: quality_from_json(one) for name, one in score["qualities"].items()}
    shown: dict[str, Any] = worst and {**worst, **{name: arrays.get(name) for name in SHOWN}}
    found = PredictedStudy(
        StudyScore(**{**score, "qualities": qualities, "warnings": tuple(score["warnings"])}),
        WorstSlice(**shown) if shown else None,
        _rows(ClinicalRow, rows["clinical"]),
        _rows(CurveRow, rows["curves"]),
        _rows(QualityRow, rows["qualities"]),
        _rows(CorrectionRow, rows["corrections"]),
    )
    return DoneStudy(said["key"], said["labels"], found)


def _rows(kind: type[RowOf], rows: Iterable[Mapping[str, Any]]) -> list[RowOf]:
    return [kind(**row) for row in rows]


def _arrays(worst: WorstSlice | None) -> dict[str, NDArray[Any]]:
    """The arrays of a slice, by name."""
    found = {name: getattr(worst, name, None) for name in SHOWN}
    # A study without a slice to look at gets an empty array: no file is written without any.
    found["labels"] = np.zeros(0, np.int8) if worst is None else worst.labels
    return {name: np.ascontiguousarray(one) for name, one in found.items() if one is not None}


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of all that a file holds."""
    found = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A number of NumPy as one of Python."""
    return value.item()


def row_of(one: PredictedStudy) -> tuple[str, str, str, str, str, str]:
    """A study's line of the table that is printed."""
    score = one.score
    flagged = "flagged" if score.flagged else ""
    why = "; ".join((*score.warnings, *score.reasons))
    return (score.study, flagged, *_verdict_of(score.qualities), _in_words(one.clinical), why)


def _verdict_of(qualities: Mapping[str, Quality]) -> tuple[str, str]:
    """Verdict and score of whoever comes first, in words."""
    if not qualities:
        return "not judged", ""
    first = next(iter(qualities.values()))
    verdict = {True: "good", False: "erroneous", None: ""}[first.is_good]
    return verdict, f"{first.score:.3f}"


def _in_words(measured: Sequence[ClinicalRow]) -> str:
    """Measures without decimals, parted by commas, such as ``LV EDV 121 ml``.

    Those that nobody can know are left out, such as an ejection fraction of one frame.
    """
    known = [one for one in measured if not isnan(one.value)]
    return ", ".join(f"{m.structure} {m.measure} {m.value:.0f} {m.unit}" for m in known)
