"""All that is told of one new study, as it is kept in a file until the command is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any, TypeVar

from qc import Quality
from semiqc.doors.regular import refusing
from semiqc.files.tables import ClinicalRow, CorrectionRow, CurveRow, QualityRow
from semiqc.scoring.kept import Kept
from semiqc.scoring.scores import StudyScore
from semiqc.scoring.worst import WorstSlice

SAID = "semiqc-predicted"
"""Key in the metadata of a file."""
ROWS: dict[str, type[Any]] = {
    "clinical": ClinicalRow,
    "curves": CurveRow,
    "qualities": QualityRow,
    "corrections": CorrectionRow,
}
"""Kinds of rows by the attribute that has them."""
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
        of = self.predicted
        rows = {name: [asdict(row) for row in getattr(of, name)] for name in ROWS}
        beside = {"key": self.key, "labels": dict(self.labels), "rows": rows}
        Kept(of.score, of.worst).write(path, SAID, beside)

    @classmethod
    def read(cls, path: Path) -> "DoneStudy":
        """What was written.

        Raises:
            UnusableError: If the file cannot be read, or is not what was written.
        """
        kept, said = Kept.read(path, SAID)
        with refusing(path, "a study that was predicted"):
            rows = [_rows(kind, said["rows"][name]) for name, kind in ROWS.items()]
            return cls(said["key"], said["labels"], PredictedStudy(kept.score, kept.worst, *rows))


def _rows(kind: type[RowOf], rows: Iterable[Mapping[str, Any]]) -> list[RowOf]:
    return [kind(**row) for row in rows]


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
