"""Labels that a stage of a run derives from others, study by study."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from semiqc.experiment.trained import PREDICTIONS
from semiqc.files.hdf5 import H5Voxels, new_file
from semiqc.files.places import require_space
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.sink import check_written
from semiqc.files.uncertainty import in_8_bits
from semiqc.study import Study, Voxels
from semiqc.work.monitor import Monitor

Row = TypeVar("Row")
WEIGHTS = "weights.h5"
"""Of voxels, in the folder of a stage whose labels have some."""


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


class WeightWriter:
    """Writes the weights of voxels beside the labels of a stage, in 8 bits.

    Args:
        folder: Of the unfinished stage; a context manager.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / WEIGHTS
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._file = new_file(self._stack, self.path)
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(*failure)  # type: ignore[arg-type]

    def add(self, study: str, weights: Voxels) -> None:
        """Write the weights ``[T, Z, Y, X]`` in [0, 1] of a study, a frame at a time."""
        shape = tuple(weights.shape)
        found = self._file.create_dataset(
            study, shape, np.uint8, chunks=(1, 1, *shape[2:]), compression="gzip",
            compression_opts=1,
        )  # fmt: skip
        for frame in range(shape[0]):
            of_frame = in_8_bits(weights[frame])
            check_written(self._file)
            require_space(self.path, of_frame.nbytes)
            found[frame] = of_frame


def written_weights(folder: Path, study: str) -> Voxels:
    """Weights ``[T, Z, Y, X]`` that ``WeightWriter`` wrote, read as they are indexed."""
    return H5Voxels(folder / WEIGHTS, study, np.float32, scale=1 / 255)
