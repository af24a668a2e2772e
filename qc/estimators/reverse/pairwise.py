"""Registration of an image to each reference by itself, with SimpleITK."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.estimators.reverse.atlas import Atlas, Placed
from qc.estimators.reverse.transfer import dice_with, lost
from qc.frames import Frame
from semiqc.schemes import BACKGROUND, LabelScheme

Array = NDArray[np.float64]

SHRINK = (2, 1)
"""Of rows and columns, at each level."""
SMOOTHING = (1.0, 0.0)
"""Standard deviation of the Gaussian at each level, in voxels."""
SAMPLED = 0.3
"""Share of the voxels at which the images are compared."""
STEPS, FIRST_STEP_MM, LAST_STEP_MM = 100, 0.1, 1e-4
SMALLEST = 16
"""Rows or columns below which an image is not made coarser."""
NO_SIMPLE_ITK = (
    "way='pairwise' needs SimpleITK, which is not installed; install it with"
    " `pip install 'semiqc[pairwise]'`, or use way='atlas'"
)


@dataclass(frozen=True, eq=False)
class PairwiseTransfer:
    """Registers the image to every reference by an affine transformation of its own.

    The correlation within the region where references have structures is made large by gradient
    descent at two resolutions, beginning where their common space was found in the image.

    Args:
        atlas: The references, at the resolution and in the pose in which they are kept.
        scheme: Of the labels.
    """

    atlas: Atlas
    scheme: LabelScheme

    def prepare(
        self, frame: Frame, placed: Placed, allowed: NDArray[np.bool_]
    ) -> "RegisteredToEach":
        """See ``qc.estimators.reverse.transfer.Transfer``.

        Raises:
            ImportError: If SimpleITK is not installed.
        """
        sitk = simple_itk()
        image = _image(sitk, frame.image.mean(axis=0), frame.spacing)
        inside = (self.atlas.weights == self.atlas.weights.max()).astype(np.uint8)
        region = _image(sitk, inside, self.atlas.spacing)
        count = len(self.atlas.images)
        found: list[Any] = [None] * count
        likeness = np.full(count, -1.0)
        for number in np.flatnonzero(allowed):
            fixed = self._reference(sitk, int(number))
            start = _start(sitk, placed, fixed, image)
            found[number], likeness[number] = _registered(sitk, image, fixed, region, start)
        return RegisteredToEach(self, found, likeness)

    def _reference(self, sitk: ModuleType, number: int) -> Any:  # noqa: ANN401
        voxels = self.atlas.images[number].astype(np.float32).mean(axis=0)
        return _image(sitk, voxels, self.atlas.spacing)


@dataclass(frozen=True, eq=False)
class RegisteredToEach:
    """See ``PairwiseTransfer``."""

    transfer: PairwiseTransfer
    transformations: list[Any]
    likeness: Array

    def overlaps(self, frame: Frame) -> Array:
        """See ``qc.estimators.reverse.transfer.PreparedImage``."""
        sitk = simple_itk()
        atlas, scheme = self.transfer.atlas, self.transfer.scheme
        dice = np.full((len(atlas.labels), len(scheme.structures)), np.nan)
        labels = _image(sitk, frame.labels.astype(np.uint8), frame.spacing)
        for number, transformation in enumerate(self.transformations):
            if transformation is None:
                continue
            fixed = self.transfer._reference(sitk, number)
            carried = sitk.GetArrayFromImage(
                sitk.Resample(labels, fixed, transformation, sitk.sitkNearestNeighbor, BACKGROUND)
            ).astype(np.int8)
            matrix, shift = _in_mm(transformation, _middle(fixed), _middle(labels))
            beyond = lost(frame, matrix, shift, atlas, scheme)
            dice[number] = dice_with(carried, beyond, atlas.labels[number][None], scheme)[0]
        return dice


def simple_itk() -> ModuleType:
    """The library.

    Raises:
        ImportError: If it is not installed, with what to do.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise ImportError(NO_SIMPLE_ITK) from error
    return SimpleITK


def _start(sitk: ModuleType, placed: Placed, fixed: Any, moving: Any) -> Any:  # noqa: ANN401
    """The pose as a transformation from the fixed image into the moving one."""
    centre, there = (_middle(image) for image in (fixed, moving))
    start = sitk.AffineTransform(3)
    start.SetCenter(centre.tolist())
    start.SetMatrix(placed.matrix[::-1, ::-1].ravel().tolist())
    start.SetTranslation((there + placed.shift[::-1] - centre).tolist())
    return start


def _registered(
    sitk: ModuleType,
    moving: Any,  # noqa: ANN401
    fixed: Any,  # noqa: ANN401
    region: Any,  # noqa: ANN401
    start: Any,  # noqa: ANN401
) -> tuple[Any, float]:
    """From the fixed image into the moving one, and the squared correlation that was reached."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(region)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(SAMPLED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(FIRST_STEP_MM, LAST_STEP_MM, STEPS, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([0.0])
    method.SetInitialTransform(start, inPlace=True)
    try:
        for shrink, smoothing in zip(SHRINK, SMOOTHING, strict=True):
            images = [_coarser(sitk, image, shrink, smoothing) for image in (fixed, moving)]
            method.Execute(*images)
    except RuntimeError:
        # ITK gives up where too few samples lie in both images.
        return start, -1.0
    return start, -float(method.GetMetricValue())


def _coarser(sitk: ModuleType, image: Any, shrink: int, smoothing: float) -> Any:  # noqa: ANN401
    """Smoothed and thinned within the slices, as far as the image has voxels for it."""
    factors = [1, 1, 1]
    for axis in (0, 1):
        length, mm = image.GetSize()[axis], image.GetSpacing()[axis]
        if length >= SMALLEST:
            factors[axis] = min(shrink, length // (SMALLEST // 2))
            if smoothing:
                image = sitk.RecursiveGaussian(image, smoothing * mm, False, 0, axis)
    return sitk.Shrink(image, factors)


def _image(sitk: ModuleType, voxels: NDArray[Any], spacing: tuple[float, float, float]) -> Any:  # noqa: ANN401
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing([float(mm) for mm in spacing[::-1]])
    return image


def _middle(image: Any) -> Array:  # noqa: ANN401
    """Of an image, in mm, ordered ``(x, y, z)``."""
    middle: Array = (np.array(image.GetSize()) - 1) / 2 * np.array(image.GetSpacing())
    return middle


def _in_mm(transformation: Any, centre: Array, there: Array) -> tuple[Array, Array]:  # noqa: ANN401
    """A transformation as a matrix and a shift between the images' centres, ordered (z, y, x)."""
    matrix = np.array(transformation.GetMatrix()).reshape(3, 3)[::-1, ::-1]
    shift = np.array(transformation.TransformPoint(centre.tolist())) - there
    return matrix, shift[::-1]
