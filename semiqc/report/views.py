"""What a run keeps of the voxels of its studies, so that each can be shown in the report."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class StudyViews:
    """Some frames and slices of one study around what is segmented, and one slice as a film.

    Args:
        study: Its name.
        frames: Indices of the ``F`` frames that are kept.
        slices: Indices of the ``Z`` slices that are kept.
        image: Grey values, uint8 ``[F, Z, Y, X]``.
        labels: Class of each voxel, int8 ``[F, Z, Y, X]``, by scenario, with ``MANUAL`` for the
            reference and ``CANDIDATES`` for what the first segmenter made of an unlabelled study.
        film_slice: Index of the slice of the film.
        film: Grey values of all frames, uint8 ``[T, Y, X]``; no frame where there is no cine.
        film_labels: Class of each voxel of the film, int8 ``[T, Y, X]``, by scenario.
    """

    study: str
    frames: tuple[int, ...]
    slices: tuple[int, ...]
    image: NDArray[np.uint8]
    labels: dict[str, NDArray[np.int8]] = field(default_factory=dict)
    film_slice: int = 0
    film: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    film_labels: dict[str, NDArray[np.int8]] = field(default_factory=dict)
