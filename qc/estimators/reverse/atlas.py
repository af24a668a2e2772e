"""References that all lie in one space, and the way of a new image into it."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qc.estimators.reverse.places import candidates
from qc.frames import Frame
from semiqc.images.registration.affine import (
    Spacing,
    Volume,
    matrix_of,
    posed,
    register_affine,
)
from semiqc.images.registration.velocity import register_slices

REMEMBERED = 64
"""Images whose place is kept; about half a megabyte each."""
AT_ONCE = 8
"""Images whose slices are deformed together."""
ALIKE = 5
"""References that a place must resemble, for the mean of all resembles much."""
STEPS, FOLLOWING = 4, 8
"""Of the last registration, from places that were looked for and from that in another image."""
LOST = 0.1
"""Likeness that an image may lack of that of the first before it is looked for everywhere."""


@dataclass(frozen=True, eq=False)
class Placed:
    """How the space lies in an image.

    Args:
        points: Where each voxel of the space is, in mm from the image's centre, ``[D, H, W, 3]``.
        straight: The same without the deformation.
        matrix: Of that, from mm in the space to mm in the image, ``[3, 3]``.
        shift: Added to it, in mm, ``[3]``.
        pose: The same as a pose, ``[8]``.
        image: What is seen there, standardised, without the deformation, ``[M, D, H, W]``.
        likeness: Correlation with each reference, ``[R]``.
    """

    points: NDArray[np.float32]
    straight: NDArray[np.float32]
    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    pose: NDArray[np.float32]
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
        return self.place_all([frame])[0]

    def place_all(self, frames: Sequence[Frame]) -> list[Placed]:
        """Likewise in images of one study; in all but the first, from where it lay in that one.

        Raises:
            ValueError: If an image has not as many modalities as the references.
        """
        for frame in frames:
            if len(frame.image) != len(self.mean):
                raise ValueError(
                    f"{frame.study}: {len(frame.image)} modalities, the references have"
                    f" {len(self.mean)}"
                )
        digests = [_digest(frame) for frame in frames]
        # Where an image lies may depend on the one that its place was followed from.
        keys = [digests[0], *(digests[0] + digest for digest in digests[1:])]
        start = self.lately.get(keys[0])
        missing = {k: f for k, f in zip(keys, frames, strict=True) if k not in self.lately}
        found = dict(zip(missing, self._found_in(list(missing.values()), start), strict=True))
        placed = [found.get(key) or self.lately[key] for key in keys]
        self.lately.update(found)
        while len(self.lately) > REMEMBERED:
            self.lately.popitem(last=False)
        return placed

    @torch.no_grad()
    def _found_in(self, frames: Sequence[Frame], first: Placed | None) -> list[Placed]:
        """The space in images, from where it lay in the ``first``, which may be one of them."""
        if not frames:
            return []
        mean = Volume(torch.from_numpy(self.mean), self.spacing)
        found: list[_Seen] = []
        before = _Seen(torch.from_numpy(first.pose), *_tensors(first)) if first else None
        for frame in frames:
            image = volume_of(frame).coarser(self.spacing[1])
            seen = self._followed(image, before)
            before = before or seen
            found.append(seen)
        moved = mean.points + deformation(torch.stack([one.image for one in found]), mean)
        return [self._placed(*pair, mean) for pair in zip(found, moved, strict=True)]

    def _followed(self, image: Volume, before: "_Seen | None") -> "_Seen":
        """From where the space lay in another image, or anywhere where that leads nowhere."""
        if before is not None:
            seen = self._seen(image, before.pose[None], FOLLOWING)
            if seen.worth >= before.worth - LOST:
                return seen
        mean = Volume(torch.from_numpy(self.mean), self.spacing)
        return self._seen(image, candidates(image, mean, self._weights()), STEPS)

    def _seen(self, image: Volume, starts: Tensor, steps: int) -> "_Seen":
        """The best of the poses to which ``starts`` lead, and what is seen there."""
        mean, weights = Volume(torch.from_numpy(self.mean), self.spacing), self._weights()
        poses = register_affine(image, mean, starts, weights=weights, steps=steps)[0]
        seen = standardised(image.at(posed(mean.points, poses, mean)).transpose(0, 1), weights)
        likeness = self._likeness(seen)
        best = int(_worth(likeness).argmax())
        return _Seen(poses[best], seen[best], likeness[best])

    def _placed(self, seen: "_Seen", moved: Tensor, mean: Volume) -> Placed:
        pose = seen.pose[None]
        matrix, shift = matrix_of(seen.pose, mean)
        return Placed(
            posed(moved, pose, mean)[0].numpy(),
            posed(mean.points, pose, mean)[0].numpy(),
            matrix,
            shift,
            seen.pose.numpy(),
            seen.image.numpy(),
            seen.likeness.double().numpy(),
        )

    def _likeness(self, seen: Tensor) -> Tensor:
        """Mean correlation over modalities of images with references, ``[S, R]``."""
        root = (self._weights() / self._weights().sum() / len(self.mean)).sqrt()
        references = torch.from_numpy(self.images.astype(np.float32)) * root
        return (seen * root).flatten(1) @ references.flatten(1).T

    def _weights(self) -> Tensor:
        return torch.from_numpy(self.weights)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A pose ``[8]``, the image ``[M, D, H, W]`` under it, and its likeness to each reference."""

    pose: Tensor
    image: Tensor
    likeness: Tensor

    @property
    def worth(self) -> float:
        """How like the references the image is."""
        return float(_worth(self.likeness))


def _tensors(placed: Placed) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(placed.image), torch.from_numpy(placed.likeness).float()


def _worth(likeness: Tensor) -> Tensor:
    """Mean of the ``ALIKE`` highest of ``[..., R]``."""
    return likeness.topk(min(ALIKE, likeness.shape[-1])).values.mean(dim=-1)


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
