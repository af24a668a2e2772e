"""Studies of a training held in memory, where a GPU would wait for slices to be read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segmenters.method import TrainingData
from semiqc.study import Study, Voxels

MOST_BYTES = 8 * 2**30
"""Of images that are held; a training on more reads slices from its files."""


class HeldLabels:
    """Labels in memory whose labelled frames are known, so that no draw looks for them.

    Args:
        labels: ``[T, Z, Y, X]``.
        labelled_frames: Those with a label.
    """

    ndim = 4
    dtype = np.dtype(np.int8)

    def __init__(self, labels: NDArray[np.int8], labelled_frames: tuple[int, ...]) -> None:
        self.labels = labels
        self.labelled_frames = labelled_frames
        self.shape = labels.shape

    def __getitem__(self, key: Any) -> NDArray[np.int8]:  # noqa: ANN401
        found: NDArray[np.int8] = self.labels[key]
        return found


def held(data: TrainingData, device: torch.device, most_bytes: int = MOST_BYTES) -> TrainingData:
    """The same data in memory, if the training runs on a GPU and the images are not too many.

    A step on a processor takes longer than to read its slices, so there nothing is held.

    Args:
        data: Of a training.
        device: That it runs on.
        most_bytes: Images that take more stay where they are.
    """
    images = {id(study.image): study.image for study in data.all}
    size = sum(4 * int(np.prod(image.shape)) for image in images.values())
    if device.type == "cpu" or size > most_bytes:
        return data
    read: dict[int, Voxels] = {key: np.asarray(image[:]) for key, image in images.items()}

    def all_held(studies: Sequence[Study]) -> list[Study]:
        return [
            replace(
                study,
                image=read[id(study.image)],
                labels=HeldLabels(np.asarray(study.labels[:]), study.labelled_frames),
                source_labels=None,
                voxel_weights=_read(study.voxel_weights),
            )
            for study in studies
        ]

    return TrainingData(
        all_held(data.studies),
        all_held(data.pseudo),
        all_held(data.validation),
        all_held(data.unlabelled),
    )


def _read(voxels: Voxels | None) -> Voxels | None:
    """Voxels in memory, where there are any."""
    return None if voxels is None else np.asarray(voxels[:])
