"""One frame of a cine, as a study or array of its own; reads through, copies nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.study import Prediction, Study, UncertaintyMaps, Voxels


class OneFrame:
    """An array whose axis of time frames holds one frame of another's.

    Args:
        voxels: ``[..., T, Z, Y, X]``.
        frame: Which of its frames.

    Raises:
        IndexError: If there is no such frame.
    """

    def __init__(self, voxels: Voxels, frame: int) -> None:
        self._axis = voxels.ndim - 4
        frames = voxels.shape[self._axis]
        if not 0 <= frame < frames:
            raise IndexError(f"frame {frame} of an array of {frames} frames")
        self.voxels = voxels
        self.frame = frame
        self.ndim = voxels.ndim
        self.dtype = voxels.dtype
        self.shape = tuple(
            1 if axis == self._axis else length for axis, length in enumerate(voxels.shape)
        )

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401
        before = (slice(None),) * self._axis
        here = np.asarray(self.voxels[(*before, slice(self.frame, self.frame + 1))])
        found: NDArray[Any] = here[key]
        return found


def study_of_frame(study: Study, frame: int) -> Study:
    """The study as it would be had only that frame been taken."""
    image, labels = OneFrame(study.image, frame), OneFrame(study.labels, frame)
    drawn, weights = (
        None if voxels is None else OneFrame(voxels, frame)
        for voxels in (study.source_labels, study.voxel_weights)
    )
    return replace(study, image=image, labels=labels, source_labels=drawn, voxel_weights=weights)


def prediction_of_frame(prediction: Prediction, frame: int) -> Prediction:
    """The prediction of one frame alone."""
    uncertainty = prediction.uncertainty
    return replace(
        prediction,
        image=OneFrame(prediction.image, frame),
        labels=OneFrame(prediction.labels, frame),
        uncertainty=None if uncertainty is None else uncertainty_of_frame(uncertainty, frame),
    )


def uncertainty_of_frame(uncertainty: UncertaintyMaps, frame: int) -> UncertaintyMaps:
    """The uncertainty of one frame alone; its maps are read as they are indexed."""
    return UncertaintyMaps(
        OneFrame(uncertainty.entropy, frame),
        OneFrame(uncertainty.disagreement, frame),
        uncertainty.agreement[frame : frame + 1],
        uncertainty.confidence[frame : frame + 1],
        uncertainty.features[frame : frame + 1],
    )
