"""Labels of a few frames, carried to the rest of their own study."""

import numpy as np

from loops.repair.motion import carry
from semiqc.schemes import UNLABELLED
from semiqc.study import Study

MIN_LIKENESS = 0.3
"""Correlation around a voxel below which registered images hardly resemble each other."""


def propagated(study: Study, *, min_likeness: float = MIN_LIKENESS) -> Study:
    """A copy whose labelled frames have been carried to all others by registration.

    Each frame gets labels from the nearest labelled frames on both sides, around the cycle if
    need be. A voxel stays ``UNLABELLED`` where the images are too unlike after registration, or
    where the two sides disagree. Labels there were stay as they are.

    Args:
        study: Without any label, or of one frame, it is returned as it is.
        min_likeness: Correlation of the registered images around a voxel, in [-1, 1], at which
            its label is taken.

    Returns:
        The study with labels in memory.
    """
    known = study.labelled_frames
    if not known or study.frames == 1:
        return study
    labels = np.full(study.labels.shape, UNLABELLED, np.int8)
    for frame in known:
        labels[frame] = study.labels[frame]
    unknown = [frame for frame in range(study.frames) if frame not in known]
    sources = {frame: labels[frame] for frame in known}
    for carried in carry(study.image, sources, unknown, study.spacing):
        is_sure = carried.is_agreed & (carried.likeness >= min_likeness)
        labels[carried.frame] = np.where(is_sure, carried.labels, UNLABELLED)
    return study.with_labels(labels)
