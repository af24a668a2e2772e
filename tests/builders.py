"""Plain functions that build test data; no two axes of equal length."""

import numpy as np

from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.study import Study

SPACING = (8.0, 1.5, 1.25)


def study_of(name: str = "a", *, labelled: tuple[int, ...] = (1,), **fields: str) -> Study:
    """Three frames of [2, 5, 6] voxels; labelled frames hold a 2 x 3 x 2 LV cavity."""
    labels = np.full((3, 2, 5, 6), UNLABELLED, dtype=np.int8)
    for frame in labelled:
        labels[frame] = 0
        labels[frame, :, 1:4, 2:4] = SHORT_AXIS.structure("LV").values[0]
    image = np.random.default_rng(0).normal(size=(1, *labels.shape)).astype(np.float32)
    return Study(name, image, labels, SPACING, **fields)
