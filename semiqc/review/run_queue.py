"""What of a run is to be judged: written by ``semiqc run``, read by ``semiqc review``."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError, refusing
from semiqc.files.atomic import write_text
from semiqc.files.predictions import predicted_labels, predicted_uncertainty
from semiqc.files.store.reader import Store
from semiqc.review.items import Item, Material

FOLDER = "review"
"""Of a run, for what is to be judged and what was said."""

QUEUE = "queue.json"
VERDICTS = "verdicts.sqlite"
FORMAT = 1

TEACHING = "qc"
"""Role of studies whose verdicts the estimators learn from."""

CANDIDATE = "candidate"
"""Role of studies that a verdict keeps from becoming pseudo-labels."""


@dataclass(frozen=True)
class Queued:
    """A segmentation of a run.

    Args:
        study: Its name.
        role: ``TEACHING`` or ``CANDIDATE``.
        predictions: File of the segmentations; the name of its folder tells how it was made.
        scores: What estimators say of it, by their names.
        store: Of the study where it is not that of the run, as in a dirty pool.
    """

    study: str
    role: str
    predictions: Path
    scores: Mapping[str, float] = field(default_factory=dict)
    store: Path | None = None

    @property
    def of(self) -> str:
        """What tells it from another segmentation of the same study."""
        return self.predictions.parent.name


def write_queue(run: Path, store: Path, queued: Sequence[Queued]) -> None:
    """Keep what is to be judged; what lies in the run folder is found after it was moved."""
    rows = [_row(run, one) for one in queued]
    content = {"format": FORMAT, "store": _within(run, store), "studies": rows}
    write_text(run / FOLDER / QUEUE, json.dumps(content, indent=1) + "\n")


def remove_queue(run: Path) -> None:
    """Remove the queue of a run that was done before with other settings, where there is one."""
    (run / FOLDER / QUEUE).unlink(missing_ok=True)


def _row(run: Path, one: Queued) -> dict[str, object]:
    row: dict[str, object] = {"study": one.study, "role": one.role}
    row |= {"predictions": _within(run, one.predictions), "scores": dict(one.scores)}
    return row | ({"store": _within(run, one.store)} if one.store else {})


def read_queue(run: Path) -> tuple[Path, list[Queued]]:
    """The store, and what ``write_queue`` kept.

    Raises:
        UnusableError: If it is not such a file.
    """
    path = run / FOLDER / QUEUE
    content = read_object(path)
    if content.get("format") != FORMAT:
        raise UnusableError(f"{path}: format {content.get('format')}, expected {FORMAT}")
    with refusing(path, "a queue as a run writes it"):
        queued = [
            Queued(
                str(row["study"]),
                str(row["role"]),
                run / row["predictions"],
                {str(name): float(score) for name, score in row["scores"].items()},
                run / row["store"] if "store" in row else None,
            )
            for row in content["studies"]
        ]
        return run / content["store"], queued


def of_run(run: Path) -> list[Item]:
    """What a run asks to be judged: first what its estimators are to learn from.

    Raises:
        UnusableError: If it does not say, or its data is not there.
    """
    path, queued = read_queue(run)
    stores = {found: Store(found) for found in {path, *(one.store or path for one in queued)}}
    return [
        Item(
            one.study,
            one.of,
            partial(_predicted, stores[one.store or path], one),
            one.scores,
            one.role == TEACHING,
        )
        for one in sorted(queued, key=lambda one: one.role != TEACHING)
    ]


def _predicted(store: Store, one: Queued) -> Material:
    study = store.study(one.study)
    labels = predicted_labels(one.predictions, one.study)
    if labels.shape != study.labels.shape:
        raise UnusableError(
            f"{one.predictions}: {one.study} has shape {labels.shape}, {store.path} has"
            f" {study.labels.shape}"
        )
    maps = predicted_uncertainty(one.predictions, one.study)
    heat = {"uncertainty": maps.entropy, "disagreement": maps.disagreement} if maps else {}
    known = study.labels if study.labelled_frames else None
    return Material(study.image, labels, study.spacing, store.scheme, known, heat)


def _within(run: Path, path: Path) -> str:
    """A path relative to the run where it lies within, else absolute."""
    run, path = Path(os.path.abspath(run)), Path(os.path.abspath(path))
    return path.relative_to(run).as_posix() if path.is_relative_to(run) else str(path)
