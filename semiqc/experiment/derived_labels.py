"""Labels that a stage of a run derives from others, study by study."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from semiqc.experiment.trained import PREDICTIONS
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.study import Study, Voxels
from semiqc.work.monitor import Monitor

Row = TypeVar("Row")


def write_labels(
    folder: Path,
    rows: Sequence[Row],
    derive: Callable[[Row], tuple[Study, Voxels] | None],
    *,
    monitor: Monitor,
    title: str,
) -> None:
    """Derive the labels of one study after another and write them, without probabilities.

    Args:
        folder: Of the unfinished stage.
        rows: One for each study: what its labels are derived from.
        derive: The study with its labels, ``[T, Z, Y, X]``; None writes nothing.
        monitor: Shows the progress.
        title: Of the progress.
    """
    nothing = np.empty(0, np.float32)
    with (
        PredictionWriter(folder / PREDICTIONS) as writer,
        monitor.progress(title, len(rows)) as tick,
    ):
        for number, row in enumerate(rows, start=1):
            if (derived := derive(row)) is not None:
                study, labels = derived
                frames = range(labels.shape[0])
                writer.add(study, ((np.asarray(labels[frame]), nothing) for frame in frames))
            tick(number, {})


def written_labels(folder: Path, study: str) -> Voxels:
    """Labels ``[T, Z, Y, X]`` that ``write_labels`` wrote, read as they are indexed."""
    return predicted_labels(folder / PREDICTIONS, study)
