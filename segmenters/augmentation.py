"""Augmentation of whole batches by tensor operations, on whatever device the batch is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate

from semiqc.schemes import UNLABELLED


@dataclass(frozen=True)
class Augmentation:
    """What is done to a batch, each slice drawing for itself.

    Ranges are those of nnU-Net where it has them (Isensee et al., Nature Methods 2021,
    https://doi.org/10.1038/s41592-020-01008-z), for slices normalised to about [0, 1].
    """

    probability: float = 0.3
    """Probability of each of the changes, in [0, 1]; 0 changes nothing."""
    rotation: float = 30.0
    """Largest angle in degrees."""
    scale: tuple[float, float] = (0.75, 1.3)
    """Smallest and largest magnification."""
    shift: float = 0.08
    """Largest shift as a share of the field of view."""
    elastic: float = 0.02
    """Standard deviation of the elastic displacement as a share of the field of view."""
    gamma: tuple[float, float] = (0.7, 1.5)
    """Smallest and largest exponent of the intensities."""
    contrast: tuple[float, float] = (0.75, 1.25)
    """Smallest and largest factor on the intensities."""
    brightness: float = 0.1
    """Standard deviation of what is added to all intensities."""
    noise: float = 0.1
    """Largest standard deviation of Gaussian noise."""
    blur: float = 1.0
    """Largest standard deviation of a Gaussian blur, in pixels."""
    low_resolution: float = 0.5
    """Smallest resolution that is simulated, as a share of the slice's."""

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must lie in [0, 1], got {self.probability}")


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
    if settings.probability == 0:
        return images, labels
    images, labels = _move(images, labels, settings, generator, mirror_axes)
    return _recolour(images, settings, generator), labels


def _move(
    images: Tensor,
    labels: Tensor,
    settings: Augmentation,
    generator: torch.Generator,
    mirror_axes: tuple[str, ...],
) -> tuple[Tensor, Tensor]:
    """All that moves voxels, as one sampling of the image and one of the labels."""
    count, _, height, width = images.shape
    angle = _drawn(count, -settings.rotation, settings.rotation, settings, generator, 0.0)
    angle = angle * (math.pi / 180)
    scale = _drawn(count, *settings.scale, settings, generator, 1.0)
    # A grid runs from -1 to 1, so a share of the field of view is twice as long in it.
    shift_x = _drawn(count, -2 * settings.shift, 2 * settings.shift, settings, generator, 0.0)
    shift_y = _drawn(count, -2 * settings.shift, 2 * settings.shift, settings, generator, 0.0)
    flip = {
        axis: 1.0 - 2.0 * (torch.rand(count, generator=generator) < 0.5).float()
        if axis in mirror_axes
        else torch.ones(count)
        for axis in ("y", "x")
    }
    ratio = height / width
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    matrix = torch.stack(
        [
            torch.stack([cosine * flip["x"], -sine * ratio * flip["x"], shift_x], dim=1),
            torch.stack([sine / ratio * flip["y"], cosine * flip["y"], shift_y], dim=1),
        ],
        dim=1,
    )
    grid = torch.nn.functional.affine_grid(
        matrix, [count, 1, height, width], align_corners=False
    ) + _displacement(count, height, width, settings, generator)
    grid = grid.to(images.device)
    moved = grid_sample(images, grid, padding_mode="border", align_corners=False)
    # Nearest sampling pads with 0; shifted by one, that is UNLABELLED.
    shifted = (labels - UNLABELLED).view(count, -1, height, width).to(images.dtype)
    sampled = grid_sample(shifted, grid, mode="nearest", align_corners=False)
    return moved, sampled.round().long().view_as(labels) + UNLABELLED


def _displacement(
    count: int, height: int, width: int, settings: Augmentation, generator: torch.Generator
) -> Tensor:
    """A smooth displacement, ``[B, Y, X, 2]`` in the units of a grid."""
    drawn = _chosen(count, settings, generator).view(-1, 1, 1, 1)
    coarse = torch.randn(count, 2, 6, 6, generator=generator) * (2 * settings.elastic) * drawn
    smooth = interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return smooth.movedim(1, -1)


def _recolour(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """All that changes intensities."""
    count, device = len(images), images.device
    images = _low_resolution(images, settings, generator)
    images = _blurred(images, settings, generator)

    def per_slice(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1).to(device)

    low = images.amin(dim=(1, 2, 3), keepdim=True)
    reach = (images.amax(dim=(1, 2, 3), keepdim=True) - low).clamp(min=1e-6)
    exponent = per_slice(_drawn(count, *settings.gamma, settings, generator, 1.0))
    images = ((images - low) / reach).clamp(min=1e-6) ** exponent * reach + low
    images = images * per_slice(_drawn(count, *settings.contrast, settings, generator, 1.0))
    chosen = _chosen(count, settings, generator)
    images = images + per_slice(
        torch.randn(count, generator=generator) * settings.brightness * chosen
    )
    strength = per_slice(_drawn(count, 0.0, settings.noise, settings, generator, 0.0))
    noise = torch.randn(images.shape, generator=generator).to(device)
    return images + strength * noise


def _low_resolution(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    chosen = torch.nonzero(_chosen(len(images), settings, generator)).flatten().to(images.device)
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
    chosen = torch.nonzero(_chosen(len(images), settings, generator)).flatten().to(images.device)
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


def _chosen(count: int, settings: Augmentation, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=generator) < settings.probability).float()


def _drawn(
    count: int,
    low: float,
    high: float,
    settings: Augmentation,
    generator: torch.Generator,
    unchanged: float,
) -> Tensor:
    """Uniform draws for the chosen slices, ``unchanged`` for the others, ``[B]``."""
    drawn = low + (high - low) * torch.rand(count, generator=generator)
    return torch.where(_chosen(count, settings, generator) > 0, drawn, unchanged)
