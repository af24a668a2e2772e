"""What a training reports, kept as CSV and for TensorBoard."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from semiqc.files.tables import TrainingRow, read_rows, write_rows

FILE = "training.csv"

RENAMED = {"dice": "dice_loss"}
"""Names of terms in logs of version 0.1, and what they are called since."""


class TrainingLog:
    """Writes each reported step at once; a context manager.

    A training that was killed repeats the steps after its last saved state. What the log holds
    of them is dropped when the first of them is reported again, so that no step stands twice.

    Args:
        folder: Of the training's stage.
        training: Name of the training.
    """

    def __init__(self, folder: Path, training: str) -> None:
        self.path = folder / FILE
        self.training = training
        self.tensorboard = folder / "tensorboard"
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._started:
            self._file.close()
            self._board.close()

    def __call__(self, step: int, terms: Mapping[str, float]) -> None:
        """Keep the terms of one step."""
        if not self._started:
            self._start(step)
        for term, value in terms.items():
            self._writer.writerow(asdict(TrainingRow(self.training, step, term, value)))
            self._board.add_scalar(term, value, step)
        self._file.flush()

    def _start(self, step: int) -> None:
        kept = [row for row in _complete_rows(self.path) if row.step < step]
        write_rows(self.path, TrainingRow, kept)
        is_new = not self.path.exists()
        self._file = self.path.open("a", newline="", encoding="utf-8")
        names = [field.name for field in fields(TrainingRow)]
        self._writer = csv.DictWriter(self._file, names, lineterminator="\n")
        if is_new:
            self._writer.writeheader()
        self._board = SummaryWriter(str(self.tensorboard), purge_step=step)
        self._started = True


def _complete_rows(path: Path) -> list[TrainingRow]:
    """The rows of a log whose last line a killed process may have left cut short."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        path.write_text("".join(lines[:-1]), encoding="utf-8")
    return read_rows(path, TrainingRow) if lines else []


def read_log(path: Path) -> list[TrainingRow]:
    """The rows of a log, old names of terms replaced by today's."""
    return [
        replace(row, term=RENAMED.get(row.term, row.term)) for row in read_rows(path, TrainingRow)
    ]


def last_value(path: Path, term: str) -> float:
    """The last value of a term in a log; NaN where it has none."""
    values = [row.value for row in read_log(path) if row.term == term]
    return values[-1] if values else float("nan")
