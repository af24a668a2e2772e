"""Reverse classification as it was published: SimpleITK registers the query to each reference.

Nothing is shared with the fast way: images have their own resolution, registration starts where
their centres lie on each other, and the labels meet the reference's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from qc.estimators.reverse.atlas import Placed
from qc.frames import Frame
from semiqc.measuring.masks import compared, frame_dice
from semiqc.schemes import BACKGROUND, LabelScheme

Array = NDArray[np.float64]

SHRINK, SMOOTHING = [4, 2], [2.0, 1.0]
"""Of each level; slices are thinned as far as there are enough of them."""
SAMPLED = 0.2
"""Share of the voxels at which the images are compared."""
STEPS = 100


@dataclass(frozen=True, eq=False)
class PlainPairwise:
    """Registers an image to every reference by an affine transformation of its own.

    Args:
        references: With their reference labels.
        scheme: Of the labels.
    """

    references: Sequence[Frame]
    scheme: LabelScheme

    def prepare(self, frame: Frame, placed: Placed, allowed: NDArray[np.bool_]) -> "Registered":
        """See ``qc.estimators.reverse.transfer.Transfer``; it knows nothing of a space."""
        moving = _image(frame.image[0], frame)
        found: list[Any] = [None] * len(self.references)
        likeness = np.full(len(found), -1.0)
        for number in np.flatnonzero(allowed).tolist():
            reference = self.references[number]
            found[number], likeness[number] = _registered(
                _image(reference.image[0], reference), moving
            )
        return Registered(self, found, likeness)


@dataclass(frozen=True, eq=False)
class Registered:
    """See ``PlainPairwise``."""

    transfer: PlainPairwise
    transformations: list[Any]
    likeness: Array

    def overlaps(self, frame: Frame) -> Array:
        """See ``qc.estimators.reverse.transfer.PreparedImage``."""
        labels = _image(frame.labels.astype(np.uint8), frame)
        dice = np.full((len(self.transformations), len(self.transfer.scheme.structures)), np.nan)
        for number, transformation in enumerate(self.transformations):
            if transformation is not None:
                reference = self.transfer.references[number]
                carried = SimpleITK.Resample(
                    labels,
                    _image(reference.labels.astype(np.uint8), reference),
                    transformation,
                    SimpleITK.sitkNearestNeighbor,
                    BACKGROUND,
                )
                voxels = SimpleITK.GetArrayFromImage(carried).astype(np.int8)
                dice[number] = frame_dice(
                    *compared(voxels, reference.labels, self.transfer.scheme)
                )
        return dice


def _registered(fixed: Any, moving: Any) -> tuple[Any, float]:  # noqa: ANN401
    """From the fixed image into the moving one, and the squared correlation that was reached."""
    start = SimpleITK.CenteredTransformInitializer(
        fixed,
        moving,
        SimpleITK.AffineTransform(3),
        SimpleITK.CenteredTransformInitializerFilter.GEOMETRY,
    )
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(SAMPLED)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, STEPS, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([0.0])
    method.SetInitialTransform(start, inPlace=True)
    try:
        for shrink, smoothing in zip(SHRINK, SMOOTHING, strict=True):
            method.Execute(*(_coarser(image, shrink, smoothing) for image in (fixed, moving)))
    except RuntimeError:
        # ITK gives up where too few samples lie in both images.
        return start, -1.0
    return start, -float(method.GetMetricValue())


def _coarser(image: Any, shrink: int, smoothing: float) -> Any:  # noqa: ANN401
    """Smoothed and thinned within the slices, which are few."""
    for axis in (0, 1):
        image = SimpleITK.RecursiveGaussian(
            image, smoothing * image.GetSpacing()[axis], False, 0, axis
        )
    return SimpleITK.Shrink(image, [shrink, shrink, 1])


def _image(voxels: NDArray[Any], frame: Frame) -> Any:  # noqa: ANN401
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing([float(mm) for mm in frame.spacing[::-1]])
    return image
