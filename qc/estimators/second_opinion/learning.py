"""What the other segmenter learns from: the images of graded frames with their references."""

from collections.abc import Sequence

import numpy as np

from qc.frames import GradedFrame, digest
from semiqc.images.frames import OneFrame
from semiqc.study import Study


def studies_of(frames: Sequence[GradedFrame]) -> list[Study]:
    """Each image and reference once, however many segmentations of it were graded.

    Raises:
        ValueError: If no frame has a reference.
    """
    found: dict[tuple[str, str], Study] = {}
    for one in frames:
        graded, prediction = one.graded, one.graded.prediction
        if graded.reference is None:
            continue
        key = one.study, digest(one.reference())
        if key in found:
            continue
        found[key] = Study(
            f"{one.study}, frame {one.number}",
            OneFrame(prediction.image, one.number),
            OneFrame(graded.reference, one.number),
            prediction.spacing,
            subject=one.whose,
        )
    if not found:
        raise ValueError(
            f"a second opinion learns from references, got none in {len(frames)} graded frames;"
            " give it references, or weights to start from and steps: 0"
        )
    return list(found.values())


def folds_of(subjects: Sequence[str], folds: int) -> list[set[int]]:
    """Numbers of the frames of each fold; no subject is in two. None with one subject alone."""
    names = sorted(set(subjects))
    parts = [set(part) for part in np.array_split(names, min(folds, len(names)))]
    if len(parts) < 2:
        return []
    return [{at for at, name in enumerate(subjects) if name in part} for part in parts]
