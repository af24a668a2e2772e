"""Augmentation of whole batches by tensor operations, on whatever device the batch is."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate

from semiqc.schemes import UNLABELLED

LARGEST = 1000
"""Of degrees, factors and deviations."""

SMALL: dict[str, Any] = {
    "rotation": 30.0,
    "scale": (0.75, 1.3),
    "aspect": 0.0,
    "bias": 0.0,
}
"""Settings of an ``Augmentation`` of images that lie alike."""


@dataclass(frozen=True)
class Augmentation:
    """What is done to a batch, each slice drawing for itself.

    Ranges are those of nnU-Net where it has them (Isensee et al., Nature Methods 2021,
    https://doi.org/10.1038/s41592-020-01008-z), for slices normalised to about [0, 1].
    Ours: places change more often than in nnU-Net, whose trainings are hundreds of times longer.
    """

    spatial_probability: float = 0.7
    """Probability of each change of place, in [0, 1]: rotation, scale, aspect and shift."""
    probability: float = 0.25
    """Probability of each other change, in [0, 1]. With both at 0 nothing is changed."""
    rotation: float = 180.0
    """Largest angle in degrees."""
    scale: tuple[float, float] = (0.7, 1.4)
    """Smallest and largest magnification."""
    aspect: float = 0.15
    """How much one axis is stretched against the other at most, as a share."""
    shift: float = 0.08
    """Largest shift as a share of the field of view."""
    mirror: bool = True
    """Whether slices are mirrored where the label scheme allows it, each axis in half of them."""
    elastic: float = 0.02
    """Standard deviation of the elastic displacement as a share of the field of view."""
    gamma: tuple[float, float] = (0.7, 1.5)
    """Smallest and largest exponent of the intensities, and of the inverted intensities."""
    contrast: tuple[float, float] = (0.75, 1.25)
    """Smallest and largest factor on the intensities."""
    brightness: float = 0.1
    """Standard deviation of what is added to all intensities."""
    bias: float = 0.3
    """Standard deviation of a smooth field whose exponential the intensities are multiplied by."""
    noise: float = 0.1
    """Largest standard deviation of Gaussian noise."""
    blur: float = 1.0
    """Largest standard deviation of a Gaussian blur, in pixels."""
    low_resolution: float = 0.5
    """Smallest resolution that is simulated, as a share of the slice's."""

    def __post_init__(self) -> None:
        for name in ("probability", "spatial_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0 <= self.aspect < 1:
            raise ValueError(f"aspect must lie in [0, 1), got {self.aspect}")
        if not 0 < self.low_resolution <= 1:
            raise ValueError(f"low_resolution must lie in (0, 1], got {self.low_resolution}")
        for name in ("scale", "gamma", "contrast"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= LARGEST:
                raise ValueError(f"{name} must rise from above 0, got {getattr(self, name)}")
        for name in ("rotation", "shift", "elastic", "brightness", "bias", "noise", "blur"):
            if not 0 <= getattr(self, name) <= LARGEST:
                raise ValueError(
                    f"{name} must not be negative, and {LARGEST} at most,"
                    f" got {getattr(self, name)}"
                )

    @property
    def is_off(self) -> bool:
        """Whether nothing is changed."""
        return self.probability == self.spatial_probability == 0


def augment(
    images: Tensor,
    labels: Tensor,
    settings: Augmentation,
    generator: torch.Generator,
    mirror_axes: tuple[str, ...] = (),
) -> tuple[Tensor, Tensor]:
    """A changed batch; what comes into view from outside is ``UNLABELLED``.

    Args:
        images: ``[B, M, Y, X]``.
        labels: ``[B, Y, X]`` int64, or ``[B, K, Y, X]`` where each has several that move alike.
        settings: What is done.
        generator: Of all that is drawn, on the CPU.
        mirror_axes: Out of ``"y"`` and ``"x"``: where anatomy may be mirrored.

    Returns:
        Images and labels of the same shapes.
    """
    if settings.is_off:
        return images, labels
    images, labels = move(images, labels, settings, generator, mirror_axes)
    return recolour(images, settings, generator), labels


LEVELS = 255
"""Of a weight that is moved with its label."""


def with_weights(labels: Tensor, weights: Tensor) -> Tensor:
    """Labels and weights ``[B, Y, X]`` as ``move`` and ``augment`` take them, ``[B, 2, Y, X]``."""
    return torch.stack([labels, (weights * LEVELS).round().long()], dim=1)


def labels_and_weights(moved: Tensor) -> tuple[Tensor, Tensor]:
    """What ``with_weights`` joined; what came from outside weighs nothing."""
    return moved[:, 0], moved[:, 1].clamp(min=0).float() / LEVELS


def move(
    images: Tensor,
    labels: Tensor,
    settings: Augmentation,
    generator: torch.Generator,
    mirror_axes: tuple[str, ...] = (),
) -> tuple[Tensor, Tensor]:
    """All that moves voxels, labels as images; see ``augment``."""
    count, _, height, width = images.shape
    matrix = _matrix(count, height / width, settings, generator, mirror_axes)
    grid = torch.nn.functional.affine_grid(
        matrix, [count, 1, height, width], align_corners=False
    ) + _displacement(count, height, width, settings, generator)
    grid = grid.to(images.device)
    moved = grid_sample(images, grid, padding_mode="border", align_corners=False)
    # Nearest sampling pads with 0; shifted by one, that is UNLABELLED.
    shifted = (labels - UNLABELLED).view(count, -1, height, width).to(images.dtype)
    sampled = grid_sample(shifted, grid, mode="nearest", align_corners=False)
    return moved, sampled.round().long().view_as(labels) + UNLABELLED


def _matrix(
    count: int,
    ratio: float,
    settings: Augmentation,
    generator: torch.Generator,
    mirror_axes: tuple[str, ...],
) -> Tensor:
    """From the places of changed slices to those of the slices, ``[B, 2, 3]``.

    Args:
        count: Of slices.
        ratio: Rows over columns.
        settings: What is done.
        generator: Of all that is drawn.
        mirror_axes: Where anatomy may be mirrored.
    """
    chance = settings.spatial_probability
    drawn = partial(_drawn, count, probability=chance, generator=generator)
    angle = drawn(-settings.rotation, settings.rotation) * (math.pi / 180)
    scale = drawn(*settings.scale, unchanged=1.0)
    stretch = torch.exp(drawn(-1.0, 1.0) * math.log1p(settings.aspect) / 2)
    # A grid runs from -1 to 1, so a share of the field of view is twice as long in it.
    shift_x = drawn(-2 * settings.shift, 2 * settings.shift)
    shift_y = drawn(-2 * settings.shift, 2 * settings.shift)
    axes = mirror_axes if settings.mirror else ()
    flip_y, flip_x = (_flips(count, axis in axes, generator) for axis in ("y", "x"))
    along_x, along_y = flip_x * stretch / scale, flip_y / (stretch * scale)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return torch.stack(
        [
            torch.stack([cosine * along_x, -sine * ratio * along_x, shift_x], dim=1),
            torch.stack([sine / ratio * along_y, cosine * along_y, shift_y], dim=1),
        ],
        dim=1,
    )


def _flips(count: int, may_flip: bool, generator: torch.Generator) -> Tensor:
    """1 or -1 for each slice; 1 for all that may not be mirrored."""
    if not may_flip:
        return torch.ones(count)
    return 1.0 - 2.0 * (torch.rand(count, generator=generator) < 0.5).float()


def _displacement(
    count: int, height: int, width: int, settings: Augmentation, generator: torch.Generator
) -> Tensor:
    """A smooth displacement, ``[B, Y, X, 2]`` in the units of a grid."""
    smooth = _smooth(count, 2, (height, width), settings, generator)
    return smooth.movedim(1, -1) * (2 * settings.elastic)


def _smooth(
    count: int,
    planes: int,
    size: tuple[int, int],
    settings: Augmentation,
    generator: torch.Generator,
) -> Tensor:
    """Smooth fields of about unit standard deviation, ``[B, planes, Y, X]``; of some slices 0."""
    chosen = _chosen(count, settings.probability, generator).view(-1, 1, 1, 1)
    coarse = torch.randn(count, planes, 6, 6, generator=generator) * chosen
    return interpolate(coarse, size, mode="bicubic", align_corners=False)


def recolour(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """All that changes intensities and leaves voxels where they are; see ``augment``."""
    count, device = len(images), images.device
    images = _low_resolution(images, settings, generator)
    images = _blurred(images, settings, generator)
    size = (images.shape[-2], images.shape[-1])
    field = _smooth(count, 1, size, settings, generator).to(device)
    images = images * torch.exp(settings.bias * field)
    images = _with_gamma(images, settings, generator)
    images = 1 - _with_gamma(1 - images, settings, generator)

    def drawn(low: float, high: float, unchanged: float = 0.0) -> Tensor:
        values = _drawn(count, low, high, settings.probability, generator, unchanged)
        return values.view(-1, 1, 1, 1).to(device)

    images = images * drawn(*settings.contrast, unchanged=1.0)
    reach = 3**0.5 * settings.brightness
    images = images + drawn(-reach, reach)
    noise = torch.randn(images.shape, generator=generator).to(device)
    return images + drawn(0.0, settings.noise) * noise


def _with_gamma(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Intensities to a power, their range kept."""
    exponent = _drawn(len(images), *settings.gamma, settings.probability, generator, 1.0)
    low = images.amin(dim=(1, 2, 3), keepdim=True)
    reach = (images.amax(dim=(1, 2, 3), keepdim=True) - low).clamp(min=1e-6)
    power = exponent.view(-1, 1, 1, 1).to(images.device)
    return ((images - low) / reach).clamp(min=1e-6) ** power * reach + low


def _low_resolution(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    some = _chosen(len(images), settings.probability, generator)
    chosen = torch.nonzero(some).flatten().to(images.device)
    share = settings.low_resolution
    share += (1 - share) * float(torch.rand((), generator=generator))
    if not len(chosen):
        return images
    size = images.shape[-2:]
    coarse = [max(1, round(n * share)) for n in size]
    changed = interpolate(images[chosen], coarse, mode="nearest")
    changed = interpolate(changed, size, mode="bilinear", align_corners=False)
    return images.index_copy(0, chosen, changed)


def _blurred(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    some = _chosen(len(images), settings.probability, generator)
    chosen = torch.nonzero(some).flatten().to(images.device)
    deviation = settings.blur * float(torch.rand((), generator=generator))
    if not len(chosen) or deviation < 0.1:
        return images
    radius = math.ceil(3 * deviation)
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (offsets / deviation) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    changed = images[chosen].flatten(0, 1).unsqueeze(1)
    changed = torch.nn.functional.pad(changed, (radius,) * 4, mode="replicate")
    changed = conv2d(conv2d(changed, kernel.unsqueeze(2)), kernel.unsqueeze(3))
    return images.index_copy(0, chosen, changed.view_as(images[chosen]))


def _chosen(count: int, probability: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=generator) < probability).float()


def _drawn(
    count: int,
    low: float,
    high: float,
    probability: float,
    generator: torch.Generator,
    unchanged: float = 0.0,
) -> Tensor:
    """Uniform draws for the chosen slices, ``unchanged`` for the others, ``[B]``."""
    drawn = low + (high - low) * torch.rand(count, generator=generator)
    return torch.where(_chosen(count, probability, generator) > 0, drawn, unchanged)
