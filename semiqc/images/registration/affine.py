"""Affine registration of a volume to another, from many starts at once.

Points are in mm from a volume's centre, ordered ``(z, y, x)``. A pose ``[8]`` leads from points of
the fixed volume to points of the moving one: along ``z`` it shifts and scales, within the slices
it shifts, turns, scales and shears. Its numbers are the shifts along ``z``, ``y`` and ``x`` as
shares of half the fixed volume's extent, the logarithm of the scale along ``z``, and what the
matrix within the slices has beyond 1, row by row.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

POSE = 8
"""Numbers of a pose."""
SPREAD = (math.inf, math.inf, math.inf, 0.15, 0.3, 0.3, 0.3, 0.3)
"""How far each may be from nothing before it counts against the pose; shifts never do."""
FLAT = 1e-4
"""Standard deviation that does not count as contrast."""
LONGEST = 0.2
"""Largest change of each number in a step."""

Size = tuple[int, int, int]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Volume:
    """An image in space.

    Args:
        voxels: ``[C, Z, Y, X]`` float32.
        spacing: In mm, ordered ``(z, y, x)``.
    """

    voxels: Tensor
    spacing: Spacing

    @property
    def size(self) -> Size:
        """Slices, rows and columns."""
        return self.voxels.shape[1], self.voxels.shape[2], self.voxels.shape[3]

    @property
    def points(self) -> Tensor:
        """Where the voxels are, ``[Z, Y, X, 3]``."""
        return points_of(self.size, self.spacing)

    def at(self, points: Tensor, *, beyond: str = "border") -> Tensor:
        """What is seen at points ``[..., 3]``, linearly between voxels: ``[C, ...]``.

        Args:
            points: In mm from the centre.
            beyond: ``border`` goes on as at the border; ``zeros`` fades to 0 within a voxel.
        """
        grid = (points / _halves(self)).flip(-1).reshape(1, 1, 1, -1, 3)
        found = F.grid_sample(self.voxels[None], grid, padding_mode=beyond, align_corners=False)
        return found.view(len(self.voxels), *points.shape[:-1])

    def coarser(self, spacing: float) -> "Volume":
        """With rows and columns about so many mm apart, if they are closer now."""
        rows, columns = (
            max(1, min(n, round(n * mm / spacing)))
            for n, mm in zip(self.size[1:], self.spacing[1:], strict=True)
        )
        return self.resized((self.size[0], rows, columns))

    def resized(self, size: Size) -> "Volume":
        """Of the same extent with fewer voxels, each the mean of those it covers."""
        return Volume(F.adaptive_avg_pool3d(self.voxels, size), _spacing_after(self, size))


def points_of(size: Size, spacing: Spacing) -> Tensor:
    """Where the voxels of a volume are, in mm from its centre, ``[Z, Y, X, 3]``."""
    axes = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * mm
        for n, mm in zip(size, spacing, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def posed(points: Tensor, poses: Tensor, fixed: Volume) -> Tensor:
    """Where each pose ``[S, 8]`` puts points ``[Z, Y, X, 3]`` of it, ``[S, Z, Y, X, 3]``."""
    halves = _halves(fixed)
    matrix = poses[:, 4:].view(-1, 2, 2) + torch.eye(2)
    moved = torch.einsum("sij,zyxj->szyxi", matrix, points[..., 1:])
    moved = moved + (poses[:, 1:3] * halves[1:]).view(-1, 1, 1, 1, 2)
    scale, shift = poses[:, 3].exp().view(-1, 1, 1, 1), (poses[:, 0] * halves[0]).view(-1, 1, 1, 1)
    return torch.cat([(scale * points[..., 0] + shift).unsqueeze(-1), moved], dim=-1)


def matrix_of(pose: Tensor, fixed: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A pose ``[8]`` as the matrix ``[3, 3]`` and the shift in mm ``[3]`` of ``posed``."""
    matrix = np.zeros((3, 3))
    matrix[0, 0] = float(pose[3].exp())
    matrix[1:, 1:] = pose[4:].view(2, 2).double().numpy() + np.eye(2)
    return matrix, (pose[:3] * _halves(fixed)).double().numpy()


def extent_of(volume: Volume) -> Spacing:
    """Of a volume, in mm."""
    z, y, x = (n * mm for n, mm in zip(volume.size, volume.spacing, strict=True))
    return z, y, x


def register_affine(
    moving: Volume,
    fixed: Volume,
    starts: Tensor,
    *,
    weights: Tensor | None = None,
    steps: int = 10,
    prior: float = 0.02,
) -> tuple[Tensor, Tensor]:
    """Poses under which the moving volume looks most like the fixed one, from several starts.

    A step is the small motion that explains what differs best, by the mean of both gradients.

    Reference:
        Benhimane and Malis, "Real-time image-based tracking of planes using efficient
        second-order minimization", IROS 2004. https://doi.org/10.1109/IROS.2004.1389474
        Ours: standardised volumes, so that the correlation is what grows; the prior.

    Args:
        moving: Of about the resolution of ``fixed``.
        fixed: Of as many channels.
        starts: Poses to begin with, ``[S, 8]``.
        weights: Of the fixed voxels, ``[Z', Y', X']``; None for all alike.
        steps: After the last, each start's best pose is given.
        prior: What a pose loses that is as far from nothing as ``SPREAD`` in all its numbers.

    Returns:
        Poses ``[S, 8]``, and how good each is: correlation less loss, ``[S]``.
    """
    target = _Target.of(fixed, weights, prior)
    poses = best = starts
    best_worth = torch.full((len(starts),), -math.inf)
    for step in range(steps + 1):
        seen = target.seen(moving, poses)
        worth = target.worth(seen, poses)
        best = torch.where((worth > best_worth)[:, None], poses, best)
        best_worth = torch.maximum(worth, best_worth)
        if step < steps:
            poses = _moved(poses, target.step(seen, poses))
    return best, best_worth


@dataclass(frozen=True, eq=False)
class _Target:
    """The fixed volume, standardised, and what each step needs of it."""

    fixed: Volume
    image: Tensor
    shares: Tensor
    gradient: Tensor
    directions: Tensor
    prior: float

    @classmethod
    def of(cls, fixed: Volume, weights: Tensor | None, prior: float) -> "_Target":
        shares = torch.ones(fixed.size) if weights is None else weights
        shares = shares / shares.sum().clamp(min=1e-6)
        image = _standardised(fixed.voxels.unsqueeze(0), shares)
        directions = fixed.points / _halves(fixed)
        return cls(fixed, image, shares, _gradient(image), directions, prior)

    def seen(self, moving: Volume, poses: Tensor) -> Tensor:
        """The moving volume under each pose, standardised, ``[S, C, Z, Y, X]``."""
        points = posed(self.fixed.points, poses, self.fixed)
        return _standardised(moving.at(points).transpose(0, 1), self.shares)

    def worth(self, seen: Tensor, poses: Tensor) -> Tensor:
        """Correlation less what a pose loses for being far from nothing, ``[S]``."""
        correlation = (self.shares * seen * self.image).sum((-3, -2, -1)).mean(dim=1)
        return correlation - self.prior * _far(poses)

    def step(self, seen: Tensor, poses: Tensor) -> Tensor:
        """The small motion that explains best what is different, ``[S, 8]``."""
        slopes = _slopes((self.gradient + _gradient(seen)) / 2, self.directions)
        return _step(slopes, self.image - seen, self.shares, poses, self.prior)


def worth_of(
    moving: Volume,
    fixed: Volume,
    poses: Tensor,
    *,
    weights: Tensor | None = None,
    prior: float = 0.02,
) -> Tensor:
    """How good poses ``[S, 8]`` are, ``[S]``; see ``register_affine``."""
    return register_affine(moving, fixed, poses, weights=weights, steps=0, prior=prior)[1]


def _far(poses: Tensor) -> Tensor:
    return ((poses / poses.new_tensor(SPREAD)) ** 2).mean(dim=1)


def _gradient(images: Tensor) -> Tensor:
    """By voxel along each axis, ``[S, C, Z, Y, X]`` to ``[S, C, Z, Y, X, 3]``."""
    found = []
    for axis in (-3, -2, -1):
        length = images.shape[axis]
        after = torch.arange(1, length + 1).clamp(max=length - 1)
        before = torch.arange(-1, length - 1).clamp(min=0)
        rise = images.index_select(axis, after) - images.index_select(axis, before)
        apart = (after - before).clamp(min=1).view(-1, *[1] * (-axis - 1))
        found.append(rise / apart * (length / 2))
    return torch.stack(found, dim=-1)


def _slopes(gradient: Tensor, directions: Tensor) -> Tensor:
    """How the image changes with each number of a small motion, ``[S, C, Z, Y, X, 8]``."""
    z, in_plane = gradient[..., :1], gradient[..., 1:]
    turning = in_plane.unsqueeze(-1) * directions[..., 1:].unsqueeze(-2)
    return torch.cat([gradient, z * directions[..., :1], turning.flatten(-2)], dim=-1)


def _step(slopes: Tensor, missing: Tensor, shares: Tensor, poses: Tensor, prior: float) -> Tensor:
    """The small motion that explains best what is missing, ``[S, 8]``."""
    channels = missing.shape[1]
    weighted = slopes * (shares / channels).unsqueeze(-1)
    normal = torch.einsum("sczyxi,sczyxj->sij", weighted, slopes)
    right = torch.einsum("sczyxi,sczyx->si", weighted, missing)
    hold = 2 * prior / POSE / poses.new_tensor(SPREAD) ** 2
    # A share of each diagonal keeps the steps short where slopes are alike or nil.
    damping = 0.02 * normal.diagonal(dim1=1, dim2=2) + 1e-3 + hold
    right = right - hold * poses
    step: Tensor = torch.linalg.solve(normal + torch.diag_embed(damping), right)
    return step.clamp(-LONGEST, LONGEST)


def _moved(poses: Tensor, step: Tensor) -> Tensor:
    """Poses that first do the small motion ``step``, then what they did before."""
    matrix = poses[:, 4:].view(-1, 2, 2) + torch.eye(2)
    turned = matrix @ (step[:, 4:].view(-1, 2, 2) + torch.eye(2)) - torch.eye(2)
    along = poses[:, :1] + poses[:, 3:4].exp() * step[:, :1]
    shift = poses[:, 1:3] + (matrix @ step[:, 1:3].unsqueeze(-1)).squeeze(-1)
    scale = poses[:, 3:4] + torch.log1p(step[:, 3:4])
    return torch.cat([along, shift, scale, turned.flatten(1)], dim=1)


def _standardised(images: Tensor, shares: Tensor) -> Tensor:
    """Images ``[..., Z, Y, X]`` of weighted mean 0 and standard deviation 1; 0 where flat."""
    space = (-3, -2, -1)
    centred = images - (shares * images).sum(space, keepdim=True)
    variance = (shares * centred**2).sum(space, keepdim=True)
    return centred / (variance + FLAT**2).sqrt()


def _halves(volume: Volume) -> Tensor:
    """Half its extent, ``[3]``."""
    return torch.tensor(extent_of(volume), dtype=torch.float32) / 2


def _spacing_after(volume: Volume, size: tuple[int, ...]) -> Spacing:
    z, y, x = (mm / n for mm, n in zip(extent_of(volume), size, strict=True))
    return z, y, x
