"""References that all lie in one space, and the way of a new image into it."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qc.frames import Frame
from semiqc.images.registration.affine import (
    POSE,
    Size,
    Spacing,
    Volume,
    extent_of,
    matrix_of,
    posed,
    register_affine,
    worth_of,
)
from semiqc.images.registration.velocity import register_slices

COARSE = 4
"""Voxels of the space along a side of those in which an image is first looked for."""
TURNS = (-70.0, -35.0, 0.0, 35.0, 70.0)
"""Angles, in degrees, at which it is looked for."""
SIZES = (1.0, 0.78)
"""Sizes at which it is looked for, of that of the mean; a heart that has contracted is smaller."""
TRIED, KEPT = 16, 5
"""Places that are looked at closely, and of these, those that are compared with references."""
REMEMBERED = 64
"""Images whose place is kept; about half a megabyte each."""
AT_ONCE = 8
"""Images whose slices are deformed together."""
ALIKE = 5
"""References that a place must resemble, for the mean of all resembles much."""


@dataclass(frozen=True, eq=False)
class Placed:
    """How the space lies in an image.

    Args:
        points: Where each voxel of the space is, in mm from the image's centre, ``[D, H, W, 3]``.
        straight: The same without the deformation.
        matrix: Of that, from mm in the space to mm in the image, ``[3, 3]``.
        shift: Added to it, in mm, ``[3]``.
        image: What is seen there, standardised, without the deformation, ``[M, D, H, W]``.
        likeness: Correlation with each reference, ``[R]``.
    """

    points: NDArray[np.float32]
    straight: NDArray[np.float32]
    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    image: NDArray[np.float32]
    likeness: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Atlas:
    """References in a common space.

    Args:
        spacing: Of the space, in mm.
        weights: Of its voxels when an image is registered to it, ``[D, H, W]`` float32.
        mean: Mean image of the references, ``[M, D, H, W]`` float32.
        images: Theirs, standardised, ``[R, M, D, H, W]`` float16.
        labels: Class of each voxel or ``UNLABELLED``, ``[R, D, H, W]`` int8.
        deformed: The same after the deformation of each image to the mean.
        lately: Images placed before, by their content: whoever judges other segmentations of the
            same image need not register it again.
    """

    spacing: Spacing
    weights: NDArray[np.float32]
    mean: NDArray[np.float32]
    images: NDArray[np.float16]
    labels: NDArray[np.int8]
    deformed: NDArray[np.int8]
    lately: OrderedDict[bytes, Placed] = field(default_factory=OrderedDict, repr=False)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """As it is stored."""
        kept = {name: array for name, array in vars(self).items() if name != "lately"}
        return {**kept, "spacing": np.array(self.spacing)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """What ``arrays`` gave."""
        z, y, x = (float(mm) for mm in np.asarray(arrays["spacing"], np.float64))
        return cls(
            (z, y, x),
            np.array(arrays["weights"], np.float32),
            np.array(arrays["mean"], np.float32),
            np.array(arrays["images"], np.float16),
            np.array(arrays["labels"], np.int8),
            np.array(arrays["deformed"], np.int8),
        )

    def place(self, frame: Frame) -> Placed:
        """Find the space in an image, which is looked for everywhere in it; labels do not matter.

        Raises:
            ValueError: If the image has not as many modalities as the references.
        """
        if len(frame.image) != len(self.mean):
            raise ValueError(
                f"{frame.study}: {len(frame.image)} modalities, the references have"
                f" {len(self.mean)}"
            )
        key = _digest(frame)
        if key not in self.lately:
            self.lately[key] = self._found_in(frame)
            if len(self.lately) > REMEMBERED:
                self.lately.popitem(last=False)
        return self.lately[key]

    @torch.no_grad()
    def _found_in(self, frame: Frame) -> Placed:
        mean, weights = Volume(torch.from_numpy(self.mean), self.spacing), self._weights()
        image = volume_of(frame).coarser(self.spacing[1])
        poses = _candidates(image, mean, weights)
        poses = register_affine(image, mean, poses, weights=weights, steps=4)[0]
        seen = standardised(image.at(posed(mean.points, poses, mean)).transpose(0, 1), weights)
        likeness = self._likeness(seen)
        best = int(likeness.topk(min(ALIKE, likeness.shape[1])).values.mean(dim=1).argmax())
        return self._placed(poses[best][None], seen[best], likeness[best], mean)

    def _placed(self, pose: Tensor, seen: Tensor, likeness: Tensor, mean: Volume) -> Placed:
        moved = mean.points + deformation(seen[None], mean)[0]
        matrix, shift = matrix_of(pose[0], mean)
        return Placed(
            posed(moved, pose, mean)[0].numpy(),
            posed(mean.points, pose, mean)[0].numpy(),
            matrix,
            shift,
            seen.numpy(),
            likeness.double().numpy(),
        )

    def _likeness(self, seen: Tensor) -> Tensor:
        """Mean correlation over modalities of images with references, ``[S, R]``."""
        root = (self._weights() / self._weights().sum() / len(self.mean)).sqrt()
        references = torch.from_numpy(self.images.astype(np.float32)) * root
        return (seen * root).flatten(1) @ references.flatten(1).T

    def _weights(self) -> Tensor:
        return torch.from_numpy(self.weights)


def _digest(frame: Frame) -> bytes:
    spacing = np.array(frame.spacing).tobytes()
    return hashlib.sha256(spacing + np.ascontiguousarray(frame.image).tobytes()).digest()


def labels_at(
    labels: NDArray[np.int8], spacing: Spacing, points: NDArray[np.float32], beyond: int
) -> NDArray[np.int8]:
    """Labels ``[Z, Y, X]`` nearest to points ``[..., 3]`` in mm from their centre.

    Args:
        labels: Of a frame.
        spacing: In mm, ordered ``(z, y, x)``.
        points: Where to look.
        beyond: What is where the frame is not.
    """
    shape = np.array(labels.shape)
    found = np.rint(points / np.array(spacing, np.float32) + (shape - 1) / 2).astype(np.intp)
    inside: NDArray[np.bool_] = np.all((found >= 0) & (found < shape), axis=-1)
    z, y, x = np.moveaxis(np.where(inside[..., None], found, 0), -1, 0)
    nearest: NDArray[np.int8] = np.where(inside, labels[z, y, x], np.int8(beyond))
    return nearest


def volume_of(frame: Frame) -> Volume:
    """The image of a frame."""
    image = np.nan_to_num(np.ascontiguousarray(frame.image, dtype=np.float32))
    return Volume(torch.from_numpy(image), frame.spacing)


def standardised(images: Tensor, weights: Tensor) -> Tensor:
    """Images ``[..., D, H, W]`` of weighted mean 0 and standard deviation 1; 0 where flat."""
    shares = weights / weights.sum()
    space = (-3, -2, -1)
    centred = images - (shares * images).sum(space, keepdim=True)
    deviation = (shares * centred**2).sum(space, keepdim=True).sqrt()
    return centred / deviation.clamp(min=1e-4)


def deformation(seen: Tensor, mean: Volume) -> Tensor:
    """From the voxels of the space to those of images in it, in mm, ``[R, D, H, W, 3]``."""
    _, _, depth, height, width = seen.shape
    fixed = mean.voxels.mean(dim=0)[:, None]
    found = []
    for part in seen.mean(dim=1).split(AT_ONCE):
        slices = part.reshape(-1, 1, height, width)
        found.append(
            register_slices(
                slices, fixed.repeat(len(part), 1, 1, 1), steps=8, smoothing=2.0, smoothness=0.05
            )
        )
    in_plane = torch.cat(found).view(-1, depth, 2, height, width).movedim(2, -1)
    in_mm = in_plane * in_plane.new_tensor(mean.spacing[1:])
    return torch.cat([torch.zeros_like(in_mm[..., :1]), in_mm], dim=-1)


def _candidates(image: Volume, mean: Volume, weights: Tensor) -> Tensor:
    """The ``KEPT`` poses under which an image looks most like the mean, ``[S, 8]``."""
    poses = _places(extent_of(image), extent_of(mean))
    for coarser, steps, kept in ((COARSE, 0, TRIED), (COARSE // 2, 8, KEPT)):
        depth, height, width = mean.size
        size: Size = (depth, max(1, height // coarser), max(1, width // coarser))
        small = mean.resized(size)
        given = Volume(weights[None], mean.spacing).resized(size).voxels[0]
        coarse = image.coarser(small.spacing[1])
        if steps:
            poses, worth = register_affine(coarse, small, poses, weights=given, steps=steps)
        else:
            worth = worth_of(coarse, small, poses, weights=given)
        poses = poses[worth.topk(min(kept, len(poses))).indices]
    return poses


def _places(image: Spacing, space: Spacing) -> Tensor:
    """Poses all over an image of such an extent, at all ``TURNS`` and ``SIZES``, ``[S, 8]``."""
    axes = []
    for length, needed in zip(image[1:], space[1:], strict=True):
        spare = max(0.0, length - 0.7 * needed) / 2
        count = 2 * int(np.ceil(spare / (needed / 6))) + 1
        axes.append(torch.linspace(-spare, spare, count) / (needed / 2))
    angles, sizes = torch.deg2rad(torch.tensor(TURNS)), torch.tensor(SIZES)
    y, x, angle, larger = torch.meshgrid(*axes, angles, sizes, indexing="ij")
    poses = torch.zeros(*y.shape, POSE)
    poses[..., 1], poses[..., 2], poses[..., 3] = y, x, larger.log()
    poses[..., 4] = poses[..., 7] = larger * angle.cos() - 1
    poses[..., 6] = larger * angle.sin()
    poses[..., 5] = -poses[..., 6]
    return poses.flatten(0, -2)
