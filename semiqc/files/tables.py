"""The tables of a run: one row type each, kept as CSV."""

import csv
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from semiqc.files.atomic import whole_file

NAN = float("nan")


@dataclass(frozen=True)
class SplitRow:
    """What a study is used for: ``labelled``, ``unlabelled``, ``qc``, ``validation``, ``test``."""

    study: str
    subject: str
    group: str
    role: str


@dataclass(frozen=True)
class OverlapRow:
    """How well one structure of one frame agrees with the reference."""

    seed: int
    scenario: str
    study: str
    group: str
    frame: int
    structure: str
    dice: float
    nsd: float
    hd95_mm: float


@dataclass(frozen=True)
class ClinicalRow:
    """One clinical measure of one study; ``scenario`` is ``manual`` for the reference."""

    seed: int
    scenario: str
    study: str
    group: str
    structure: str
    measure: str
    unit: str
    value: float


@dataclass(frozen=True)
class CorrectionRow:
    """A clinical measure as it is, and with slices that were judged wrong replaced.

    ``manual`` is NaN where there is no reference; ``replaced_slices`` counts over the frames that
    were measured.
    """

    seed: int
    scenario: str
    study: str
    structure: str
    measure: str
    unit: str
    value: float
    corrected: float
    manual: float
    replaced_slices: int


@dataclass(frozen=True)
class CurveRow:
    """One point of the volume or area curve of a predicted structure."""

    seed: int
    scenario: str
    study: str
    structure: str
    frame: int
    value: float
    unit: str


@dataclass(frozen=True)
class JudgementRow:
    """What an estimator and the gate of a scenario said of one unlabelled study in one round.

    ``true_dice`` is the mean over structures and labelled frames of the reference that a data set
    may hold for a study that was treated as unlabelled; NaN where there is none. It is measured
    after everything else and decides nothing. ``scores`` are those of all estimators. ``model``
    has the hashes of the trainings that predicted together, with a + between, ``weight`` how often
    the study is drawn where it is admitted, ``kept`` the share of what was segmented in it that
    was not left out as doubted.
    """

    seed: int
    scenario: str
    round: int
    study: str
    group: str
    estimator: str
    score: float
    is_good: str
    admitted: str
    reason: str
    true_dice: float = NAN
    scores: str = ""
    model: str = ""
    weight: float = 1.0
    grain: str = "study"
    kept: float = 1.0
    repair: str = ""

    @property
    def all_scores(self) -> dict[str, float]:
        """Score of each estimator, by its name."""
        pairs = (part.partition("=") for part in self.scores.split(";") if part)
        return {name: float(score) for name, _, score in pairs}


@dataclass(frozen=True)
class PseudoRow:
    """Where the pseudo-labels of one study stand that a scenario's last round learned from.

    Or, of a labelled study, the expert's labels with those that were carried to other frames.
    ``file`` is relative to the run folder; ``frames`` are those with a label.
    """

    seed: int
    scenario: str
    round: int
    study: str
    file: str
    frames: str


def scores_text(scores: Mapping[str, float]) -> str:
    """Scores by estimator's name, as a row keeps them."""
    return ";".join(f"{name}={score:.6g}" for name, score in scores.items())


@dataclass(frozen=True)
class TrainingRow:
    """One loss term or figure at one step of one training."""

    training: str
    step: int
    term: str
    value: float


Row = TypeVar("Row")


def write_rows(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """Write a table, whole or not at all; numbers keep every digit they have."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(kind)])  # type: ignore[arg-type]
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)  # type: ignore[call-overload]


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read a table that ``write_rows`` wrote.

    Raises:
        ValueError: If a column is missing or a cell is not of its type.
    """
    types: dict[str, Any] = typing.get_type_hints(kind)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = set(types) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
        return [kind(**{name: of(cells[name]) for name, of in types.items()}) for cells in reader]
