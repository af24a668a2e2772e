"""Registration of slices, many at once, by stationary velocity fields.

A displacement ``[N, 2, Y, X]`` is in voxels, rows first, and leads from the fixed image into the
moving one: ``warped[y, x] = moving[y + displacement[0], x + displacement[1]]``. Beyond its border
an image goes on as at the border.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SQUARINGS = 5
"""The velocity is followed for 1 in steps of 1/32, each of which hardly moves anything."""
WINDOW = 9
"""Rows and columns in which the correlation is taken."""
FLAT = 1e-2
"""Variance in a window, of 1 in the whole, that hardly counts as contrast."""
SMALLEST = 16
"""Rows and columns of the coarsest level, at least."""
NEGLIGIBLE = 1e-2
"""Gradient, of a voxel's share, below which a step gets smaller; equal images then stay."""


def register_slices(
    moving: Tensor,
    fixed: Tensor,
    *,
    steps: int = 30,
    levels: int = 3,
    smoothing: float = 3.0,
    smoothness: float = 0.1,
    rate: float = 0.3,
) -> Tensor:
    """How the voxels of each fixed slice lie in its moving slice, so that they correlate.

    Reference:
        Arsigny et al., "A log-Euclidean framework for statistics on diffeomorphisms", MICCAI
        2006: scaling and squaring of a velocity field. https://doi.org/10.1007/11866565_113
        Ours: Adam, coarse to fine, on the correlation in a window around each voxel.

    Args:
        moving: ``[N, 1, Y, X]``; brought to mean 0 and standard deviation 1, like ``fixed``.
        fixed: ``[N, 1, Y, X]``.
        steps: Of the optimizer, at each level.
        levels: Resolutions, each twice as fine as the one before.
        smoothing: Standard deviation of the Gaussian, in voxels of the level.
        smoothness: Weight of the field's squared derivatives.
        rate: Of Adam, in voxels of the level.

    Returns:
        Displacements, ``[N, 2, Y, X]``; see the module. A pair's does not depend on the others.

    Raises:
        ValueError: If the images are not slices of one shape.
    """
    _check_slices(moving, fixed)
    moving, fixed = _standardised(moving), _standardised(fixed)
    fit = _Fit(steps, smoothing, smoothness, rate)
    velocity = torch.zeros(len(fixed), 2, 1, 1, dtype=fixed.dtype, device=fixed.device)
    for size in _sizes(fixed.shape[-2:], levels):
        pair = [F.adaptive_avg_pool2d(image, size) for image in (moving, fixed)]
        velocity = fit.improved(_resized(velocity, size), *pair)
    return exponential(_resized(velocity, fixed.shape[-2:]))


def _check_slices(moving: Tensor, fixed: Tensor) -> None:
    if moving.shape != fixed.shape or moving.ndim != 4 or moving.shape[1] != 1:
        raise ValueError(
            f"slices must both have shape [N, 1, Y, X], got {tuple(moving.shape)}"
            f" and {tuple(fixed.shape)}"
        )


@dataclass(frozen=True)
class _Fit:
    """How a velocity is fitted at one resolution; see ``register_slices``."""

    steps: int
    smoothing: float
    smoothness: float
    rate: float

    def improved(self, velocity: Tensor, moving: Tensor, fixed: Tensor) -> Tensor:
        """The velocity, smoothed, under which two images correlate most."""
        velocity = velocity.requires_grad_()
        optimizer = torch.optim.Adam([velocity], eps=NEGLIGIBLE)
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.rate * (1 - step / self.steps)
            with torch.enable_grad():
                (velocity.grad,) = torch.autograd.grad(
                    self._loss(velocity, moving, fixed), velocity
                )
            optimizer.step()
        return smoothed(velocity.detach(), self.smoothing)

    def _loss(self, velocity: Tensor, moving: Tensor, fixed: Tensor) -> Tensor:
        smooth = smoothed(velocity, self.smoothing)
        warped = warp(moving, exponential(smooth))
        unlike = (1 - local_correlation(warped, fixed)).sum()
        return unlike + self.smoothness * _roughness(smooth)


def exponential(velocity: Tensor) -> Tensor:
    """Displacement ``[N, 2, Y, X]`` after following a stationary velocity for the time 1.

    That of ``-velocity`` is its inverse.
    """
    displacement: Tensor = velocity / float(2**SQUARINGS)
    for _ in range(SQUARINGS):
        displacement = composed(displacement, displacement)
    return displacement


def composed(first: Tensor, second: Tensor) -> Tensor:
    """The displacement that leads along ``first``, and from there along ``second``."""
    return first + warp(second, first)


def warp(
    volumes: Tensor, displacement: Tensor, mode: Literal["bilinear", "nearest"] = "bilinear"
) -> Tensor:
    """Images ``[N, C, Y, X]`` as seen through displacements ``[N, 2, Y, X]``; see the module.

    The displacements may be of another size than the images; they are in voxels of the images.
    """
    height, width = displacement.shape[-2:]
    rows = torch.arange(height, dtype=displacement.dtype, device=displacement.device)
    columns = torch.arange(width, dtype=displacement.dtype, device=displacement.device)
    y = displacement[:, 0] + rows[:, None]
    x = displacement[:, 1] + columns
    grid = torch.stack([_relative(x, volumes.shape[-1]), _relative(y, volumes.shape[-2])], dim=-1)
    return F.grid_sample(volumes, grid, mode=mode, padding_mode="border", align_corners=False)


def smoothed(field: Tensor, deviation: float) -> Tensor:
    """A field ``[N, C, Y, X]`` under a Gaussian of standard deviation ``deviation`` in voxels."""
    radius = max(1, round(2.5 * deviation))
    offsets = torch.arange(-radius, radius + 1, dtype=field.dtype, device=field.device)
    kernel = torch.exp(-0.5 * (offsets / deviation) ** 2)
    kernel = kernel / kernel.sum()
    single = field.reshape(-1, 1, *field.shape[-2:])
    padded = F.pad(single, (radius, radius, radius, radius), mode="replicate")
    along_rows = F.conv2d(padded, kernel.view(1, 1, -1, 1))
    return F.conv2d(along_rows, kernel.view(1, 1, 1, -1)).view_as(field)


def _relative(positions: Tensor, length: int) -> Tensor:
    """Positions in voxels as ``grid_sample`` counts them: -1 and 1 are the image's borders."""
    return (2 * positions + 1) / length - 1


def _sizes(size: torch.Size, levels: int) -> list[tuple[int, int]]:
    """Rows and columns of each level, the coarsest first."""
    finest = max(size)
    kept = [n for n in range(levels) if n == 0 or finest / 2**n >= SMALLEST]
    return [(max(1, round(size[0] / 2**n)), max(1, round(size[1] / 2**n))) for n in reversed(kept)]


def _resized(velocity: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """A velocity at another resolution, in voxels of that resolution."""
    found = F.interpolate(velocity, tuple(size), mode="bilinear", align_corners=False)
    ratios = [new / old for new, old in zip(size, velocity.shape[-2:], strict=True)]
    return found * found.new_tensor(ratios).view(1, 2, 1, 1)


def _standardised(images: Tensor) -> Tensor:
    deviation, mean = torch.std_mean(images, dim=(-2, -1), keepdim=True, correction=0)
    return (images - mean) / deviation.clamp(min=1e-6)


def local_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlation in a window around each voxel of two images ``[N, 1, Y, X]``."""
    window = min(WINDOW, *(n - 1 + n % 2 for n in first.shape[-2:]))
    mean_1, mean_2, square_1, square_2, product = (
        F.avg_pool2d(part, window, stride=1, padding=window // 2, count_include_pad=False)
        for part in (first, second, first**2, second**2, first * second)
    )
    # Added to both, it makes flat parts agree with flat parts; equal images have exactly 1.
    variances = ((square_1 - mean_1**2).clamp(min=0) + FLAT) * (
        (square_2 - mean_2**2).clamp(min=0) + FLAT
    )
    return (product - mean_1 * mean_2 + FLAT) / variances.sqrt()


def _roughness(velocity: Tensor) -> Tensor:
    return (velocity.diff(dim=-1) ** 2).sum() + (velocity.diff(dim=-2) ** 2).sum()
