"""A study of a store at the spacing that a segmenter takes, where that is another."""

from dataclasses import replace

import numpy as np

from semiqc.images.preparing import check_size
from semiqc.images.resampling import resample_image, resample_labels
from semiqc.study import Geometry, Study

SAME_SPACING = 0.02
"""Relative difference in spacing between a study and a segmenter that is let pass."""


def at_spacing(study: Study, spacing: float) -> Study:
    """A study resampled in plane, a frame at a time, with its labels as they were drawn beside.

    Args:
        study: Of any spacing.
        spacing: In plane, in mm; a study that has it, or nearly, is returned as it is.

    Raises:
        UnusableError: If the study would become far too large or small.
    """
    z, y, x = study.spacing
    if max(abs(mm / spacing - 1) for mm in (y, x)) <= SAME_SPACING:
        return study
    check_size(study.name, study.image.shape, study.spacing, spacing)
    frames, target = range(study.frames), (spacing, spacing)
    image = [resample_image(study.image[:, t], (y, x), target) for t in frames]
    labels = [resample_labels(np.asarray(study.labels[t]), (y, x), target) for t in frames]
    geometry = _geometry(study, spacing)
    lay_on_source = geometry.to_source["source_spacing"] == [z, y, x]
    return replace(
        study,
        image=np.stack(image, axis=1),
        labels=np.stack(labels),
        spacing=(z, spacing, spacing),
        geometry=geometry,
        source_labels=study.labels if lay_on_source else study.source_labels,
        voxel_weights=None,
    )


def _geometry(study: Study, spacing: float) -> Geometry:
    """Where the study lies in its source, or in itself where no source is known."""
    z, y, x = study.spacing
    height, width = study.labels.shape[2:]
    own = Geometry(np.diag([x, y, z, 1.0]), (width, height, study.labels.shape[1]))
    geometry = study.geometry or own
    recorded = {"source_spacing": [z, y, x], **geometry.to_source}
    recorded["source_spacing"] = list(recorded["source_spacing"])
    return replace(geometry, to_source={**recorded, "study_spacing": [z, spacing, spacing]})
