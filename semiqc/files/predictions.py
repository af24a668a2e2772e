"""Predictions in one HDF5 file for each run of a segmenter, read as they are indexed."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from semiqc.files.hdf5 import H5Voxels, new_file, open_h5
from semiqc.files.places import require_space
from semiqc.files.sink import check_written
from semiqc.files.uncertainty import GROUP, MAPS, TABLES, UncertaintyWriter
from semiqc.study import Study, UncertaintyMaps, Voxels

PredictedFrame = (
    tuple[NDArray[np.int8], NDArray[np.float32]]
    | tuple[NDArray[np.int8], NDArray[np.float32], UncertaintyMaps]
)
"""Labels ``[Z, Y, X]`` and probabilities ``[C, Z, Y, X]`` of a frame, perhaps its uncertainty."""


class PredictionWriter:
    """Writes predictions, a frame at a time, to one file per run of a segmenter.

    Args:
        path: File to write, whole or not at all; a context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._file = new_file(self._stack, self.path)
        return self

    def __exit__(self, *failure: Any) -> None:  # noqa: ANN401
        self._stack.__exit__(*failure)

    def add(self, study: Study, frames: Iterable[PredictedFrame]) -> None:
        """Append every frame of a study.

        Args:
            study: Which is predicted.
            frames: Labels ``[Z, Y, X]`` of each; probabilities ``[C, Z, Y, X]``, which are not
                kept; and its uncertainty, where there is some.

        Raises:
            ValueError: If there are fewer or more frames than the study has, or only some have
                uncertainty.
        """
        shape = tuple(study.labels.shape)
        group = self._file.create_group(study.name)
        group.create_dataset(
            "labels", shape, np.int8, chunks=(1, 1, *shape[2:]), compression="gzip",
            compression_opts=1,
        )  # fmt: skip
        maps: UncertaintyWriter | None = None
        written = 0
        for frame, (labels, _, *uncertainty) in enumerate(frames):
            if frame >= shape[0]:
                raise ValueError(f"{study.name}: more frames were predicted than {shape[0]}")
            check_written(self._file)
            require_space(self.path, labels.size * (1 + len(MAPS) * len(uncertainty)))
            group["labels"][frame] = labels
            for one in uncertainty:
                maps = maps or UncertaintyWriter(group, shape)
                maps.add(one)
            written += 1
        _check_complete(study.name, shape[0], written, maps)
        if maps:
            maps.finish()


def _check_complete(name: str, frames: int, written: int, maps: UncertaintyWriter | None) -> None:
    """Refuse a study of which frames or uncertainty are missing.

    Raises:
        ValueError: If so.
    """
    if written != frames:
        raise ValueError(f"{name}: {written} of {frames} frames were predicted")
    if maps and maps.written != frames:
        raise ValueError(f"{name}: {maps.written} of {frames} frames have uncertainty")


def predicted_labels(path: Path, study: str) -> Voxels:
    """Labels ``[T, Z, Y, X]`` that ``PredictionWriter`` wrote; every frame is labelled."""
    voxels = H5Voxels(path, f"{study}/labels", np.int8)
    voxels.labelled_frames = tuple(range(voxels.shape[0]))
    return voxels


def predicted_uncertainty(path: Path, study: str) -> UncertaintyMaps | None:
    """Uncertainty of the segmenters, maps read as they are indexed; None where none was kept."""
    file = open_h5(path)
    if f"{study}/{GROUP}" not in file:
        return None
    entropy, disagreement = (
        H5Voxels(path, f"{study}/{GROUP}/{name}", np.float32, scale=1 / 255) for name in MAPS
    )
    tables = (np.asarray(file[f"{study}/{GROUP}/{name}"], np.float64) for name in TABLES)
    return UncertaintyMaps(entropy, disagreement, *tables)
