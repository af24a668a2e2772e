"""Test-time augmentation: one segmenter, an image changed in several ways."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import affine_grid, grid_sample

from segmenters.base import Segmenter
from segmenters.features import FeatureSpace
from semiqc.schemes import LabelScheme
from semiqc.study import Study


@dataclass(frozen=True)
class View:
    """A change of an image that can be taken back from what is segmented in it.

    Args:
        mirrored: Axes, out of ``"y"`` and ``"x"``, that run the other way.
        rotation: Angle in degrees, in voxels of a slice.
        shift: Of rows and columns, as a share of the field of view.
        contrast: Factor on the intensities.
        brightness: What is added to them.
    """

    mirrored: tuple[str, ...] = ()
    rotation: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    contrast: float = 1.0
    brightness: float = 0.0

    def of(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """The changed image, ``[..., Z, Y, X]``; its border reaches on into what was outside."""
        changed = _sampled(image, self._matrix(image.shape[-2:]))
        return np.float32(self.contrast) * changed + np.float32(self.brightness)

    def back(self, segmented: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities ``[C, Z, Y, X]`` in the changed image, where they lie in the first."""
        inverse = np.asarray(np.linalg.inv(self._matrix(segmented.shape[-2:])), np.float64)
        return _sampled(segmented, inverse)

    def _matrix(self, size: tuple[int, ...]) -> NDArray[np.float64]:
        """From ``(x, y, 1)`` of the changed image to those of the image, from -1 to 1."""
        ratio = size[0] / size[1]
        cosine, sine = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        x, y = (-1.0 if axis in self.mirrored else 1.0 for axis in ("x", "y"))
        return np.array(
            [
                [x * cosine, -x * sine * ratio, 2 * self.shift[1]],
                [y * sine / ratio, y * cosine, 2 * self.shift[0]],
                [0, 0, 1],
            ]
        )


def _sampled(array: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    if np.array_equal(matrix, np.eye(3)):
        return array
    planes = torch.from_numpy(np.ascontiguousarray(array)).view(1, -1, *array.shape[-2:])
    affine = torch.from_numpy(matrix[None, :2]).to(planes.dtype)
    grid = affine_grid(affine, list(planes.shape), align_corners=False)
    sampled = grid_sample(planes, grid, padding_mode="border", align_corners=False)
    found: NDArray[np.float32] = sampled.view(array.shape).numpy()
    return found


class TestTimeAugmentation:
    """Test-time augmentation; see ``segmenters.uncertainty.Members``.

    The first augmentation leaves the image as it is. All others are drawn once, from the seed;
    they mirror the image along the axes that the label scheme allows.

    Reference:
        Wang et al., "Aleatoric uncertainty estimation with test-time augmentation for medical
        image segmentation with convolutional neural networks", Neurocomputing 2019.
        https://doi.org/10.1016/j.neucom.2019.01.103

    Args:
        segmenter: Fitted.
        count: Number of augmentations, at least two.
        rotation: Largest angle in degrees.
        shift: Largest shift as a share of the field of view.
        contrast: Largest relative change of the contrast.
        brightness: Largest intensity that is added, for images normalised to about [0, 1].
        seed: Of the draw.
        space: In which the features of the unchanged image are measured; None keeps no features.

    Raises:
        ValueError: If there are fewer augmentations.
    """

    __test__ = False  # Its name looks like a test to pytest.

    def __init__(
        self,
        segmenter: Segmenter,
        count: int = 8,
        *,
        rotation: float = 10.0,
        shift: float = 0.03,
        contrast: float = 0.15,
        brightness: float = 0.05,
        seed: int = 0,
        space: FeatureSpace | None = None,
    ) -> None:
        if count < 2:
            raise ValueError(f"count must be at least 2, got {count}")
        self.segmenter = segmenter
        self.scheme: LabelScheme = segmenter.scheme
        self.space = space
        rng = np.random.default_rng(seed)
        drawn = [
            View(
                tuple(axis for axis in self.scheme.mirror_axes if rng.random() < 0.5),
                rng.uniform(-rotation, rotation),
                (rng.uniform(-shift, shift), rng.uniform(-shift, shift)),
                1 + rng.uniform(-contrast, contrast),
                rng.uniform(-brightness, brightness),
            )
            for _ in range(count - 1)
        ]
        self.views = (View(), *drawn)

    def probabilities(self, frame: Study) -> Iterator[NDArray[np.float32]]:
        image = np.asarray(frame.image[:], dtype=np.float32)
        for view in self.views:
            changed = replace(frame, image=view.of(image))
            for found in self.segmenter.predict_frames(changed):
                yield view.back(found)

    def features(self, frame: Study) -> NDArray[np.float64]:
        return np.zeros(0) if self.space is None else self.space.deviation(frame)
