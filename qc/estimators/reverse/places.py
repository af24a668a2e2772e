"""Where in an image the references' space may lie, before it is looked at closely."""

import numpy as np
import torch
from torch import Tensor

from semiqc.images.registration.affine import (
    POSE,
    Size,
    Spacing,
    Volume,
    extent_of,
    register_affine,
    worth_of,
)

COARSE = 4
"""Voxels of the space along a side of those in which an image is first looked for."""
TURNS = (-70.0, -35.0, 0.0, 35.0, 70.0)
"""Angles, in degrees, at which it is looked for."""
SIZES = (1.0, 0.78)
"""Sizes at which it is looked for, of that of the mean; a heart that has contracted is smaller."""
TRIED, KEPT = 16, 5
"""Places that are looked at closely, and of these, those that are compared with references."""


def candidates(image: Volume, mean: Volume, weights: Tensor) -> Tensor:
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
