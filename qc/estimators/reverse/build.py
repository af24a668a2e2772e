"""Bringing references into one space."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qc.estimators.reverse.atlas import Atlas, deformation, labels_at, standardised, volume_of
from qc.estimators.reverse.moments import Moments, moments_of, poses_of
from qc.frames import Frame
from semiqc.images.registration.affine import Volume, extent_of, posed, register_affine
from semiqc.schemes import BACKGROUND, UNLABELLED

ROUNDS = 2
"""Times that the references are brought to their mean, and the mean is made anew."""
MOST_SLICES = 12
AROUND = 1.35
"""Rows and columns of the space, by those of a typical segmentation."""
OUTSIDE = 0.2
"""Weight, in registration, of voxels that hardly any reference has in a structure."""


def atlas_of(frames: Sequence[Frame], size: int) -> Atlas:
    """Of frames with their references as labels.

    Their segmentations lie alike to begin with; then each image is registered to the mean of all,
    twice by an affine transformation, and at last deformed to it.

    Args:
        frames: At least one; each has a structure.
        size: Rows and columns of the space.

    Raises:
        ValueError: If the frames are not of the same modalities.
    """
    if len({len(frame.image) for frame in frames}) > 1:
        raise ValueError("reverse classification needs references of the same modalities")
    moments = [moments_of(frame) for frame in frames]
    space = _space(moments, size)
    return _averaged(frames, poses_of(moments, extent_of(space)), space)


def _space(moments: Sequence[Moments], size: int) -> Volume:
    """Room for a typical segmentation, with rows and columns around it."""
    depth = int(np.clip(np.median([found.slices for found in moments]), 1, MOST_SLICES))
    along = float(np.median([found.length_mm for found in moments]))
    across = AROUND * float(np.median([found.width_mm for found in moments]))
    return Volume(torch.zeros(1, depth, size, size), (along / depth, across / size, across / size))


@torch.no_grad()
def _averaged(frames: Sequence[Frame], poses: Tensor, space: Volume) -> Atlas:
    images = [volume_of(frame).coarser(space.spacing[1]) for frame in frames]
    weights = _weights_of(_labels(frames, poses, space))
    poses = _aligned(images, poses, space, weights)
    seen = _seen(images, poses, space, weights)
    mean = Volume(seen.mean(dim=0), space.spacing)
    points = mean.points + deformation(seen, mean)
    mean = Volume(_seen(images, poses, space, weights, points).mean(dim=0), space.spacing)
    deformed = _labels(frames, poses, space, mean.points + deformation(seen, mean))
    return Atlas(
        space.spacing,
        weights.numpy(),
        mean.voxels.numpy(),
        seen.half().numpy(),
        _labels(frames, poses, space),
        deformed,
    )


def _aligned(images: Sequence[Volume], poses: Tensor, space: Volume, weights: Tensor) -> Tensor:
    """Poses ``[R, 8]`` of images that are registered to their mean, ``ROUNDS`` times."""
    middle = poses[:, 3:].mean(dim=0)
    for _ in range(ROUNDS):
        seen = _seen(images, poses, space, weights)
        mean = Volume(seen.mean(dim=0), space.spacing)
        poses = torch.cat(
            [
                register_affine(image, mean, pose[None], weights=weights)[0]
                for image, pose in zip(images, poses, strict=True)
            ]
        )
        # Else all would look ever closer at the slices that are most alike.
        poses[:, 3:] -= poses[:, 3:].mean(dim=0) - middle
    return poses


def _seen(
    images: Sequence[Volume],
    poses: Tensor,
    space: Volume,
    weights: Tensor,
    points: Tensor | None = None,
) -> Tensor:
    """What is seen of each image in the space, standardised, ``[R, M, D, H, W]``."""
    given = space.points.expand(len(images), *space.points.shape) if points is None else points
    found = [
        image.at(posed(where, pose[None], space))[:, 0]
        for image, pose, where in zip(images, poses, given, strict=True)
    ]
    return standardised(torch.stack(found), weights)


def _labels(
    frames: Sequence[Frame], poses: Tensor, space: Volume, points: Tensor | None = None
) -> NDArray[np.int8]:
    """Of each frame in the space, ``UNLABELLED`` beyond the frame, ``[R, D, H, W]``."""
    given = space.points.expand(len(frames), *space.points.shape) if points is None else points
    found = [
        labels_at(frame.labels, frame.spacing, posed(at, pose[None], space)[0].numpy(), UNLABELLED)
        for frame, pose, at in zip(frames, poses, given, strict=True)
    ]
    return np.stack(found)


def _weights_of(labels: NDArray[np.int8]) -> Tensor:
    is_structure = (labels > BACKGROUND).mean(axis=0) > 0.02
    return torch.from_numpy(np.where(is_structure, 1.0, OUTSIDE).astype(np.float32))
