"""A variational autoencoder of image-segmentation pairs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from semiqc.schemes import UNLABELLED

if TYPE_CHECKING:
    from lightning_fabric import Fabric

HALVINGS = 4
"""Convolutions each way; each halves or doubles rows and columns."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Slices with their segmentation.

    Args:
        images: In [0, 1], ``[B, M, Y, X]``.
        labels: Classes or ``UNLABELLED``, which no loss looks at, ``[B, Y, X]``.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, chosen: Tensor) -> "Pairs":
        """Those that a mask or indices choose."""
        return Pairs(self.images[chosen], self.labels[chosen])

    def on(self, fabric: "Fabric") -> "Pairs":
        """On its device, in the types that networks and losses take."""
        return Pairs(fabric.to_device(self.images).float(), fabric.to_device(self.labels).long())


class PairVAE(nn.Module):
    """Four convolutions and a dense layer from a pair to its Gaussian, and as many back.

    Reference:
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020, section 3.2. https://doi.org/10.1007/978-3-030-59719-1_9
        Ours: several classes, one-hot as input and by softmax as output; with two classes that
        is the paper's sigmoid. Kernels of 4 x 4 and the filters, which its text leaves open.

    Args:
        modalities: Of the images.
        classes: Of the segmentations, the background included.
        size: Rows and columns; multiples of 16.
        latent: Dimension of the latent space.
        width: Filters of the first convolution; each of the others has twice those before it.

    Raises:
        ValueError: If the size is not a multiple of 16.
    """

    def __init__(
        self, modalities: int, classes: int, size: tuple[int, int], latent: int, width: int
    ) -> None:
        super().__init__()
        if min(size) < 1 or any(length % 2**HALVINGS for length in size):
            raise ValueError(f"size must be multiples of {2**HALVINGS}, got {tuple(size)}")
        self.modalities = modalities
        self.classes = classes
        deepest = [width * 2 ** (HALVINGS - 1), *(length // 2**HALVINGS for length in size)]
        features = deepest[0] * deepest[1] * deepest[2]
        channels = modalities + classes
        filters = [width * 2**level for level in range(HALVINGS)]
        down: list[nn.Module] = []
        for before, after in zip([channels, *filters], filters, strict=False):
            down += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU()]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(features, 2 * latent))
        up: list[nn.Module] = [nn.Linear(latent, features), nn.Unflatten(1, deepest)]
        for before, after in zip(filters[::-1], [*filters[-2::-1], channels], strict=True):
            up += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        self.decoder = nn.Sequential(*up)
        # A fifth faster on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of each pair, ``[B, latent]`` both."""
        # Unlabelled voxels become a class of their own, which is not shown.
        classes = one_hot(pairs.labels - UNLABELLED, self.classes + 1)[..., 1:]
        given = torch.cat([pairs.images, classes.movedim(-1, 1).to(pairs.images.dtype)], dim=1)
        mean, log_variance = self.encoder(given).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-20, 10)

    def decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] ``[B, M, Y, X]`` and logits ``[B, C, Y, X]`` of ``[B, latent]``."""
        found = self.decoder(latents).float()
        images, logits = found.split([self.modalities, self.classes], dim=1)
        return images.sigmoid(), logits


def pair_losses(decoded: tuple[Tensor, Tensor], pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the segmentation and squared error of the image, ``[B]`` both.

    Means over the voxels that are labelled, and over modalities.
    """
    images, logits = decoded
    known = (pairs.labels != UNLABELLED).to(images.dtype)
    count = known.sum(dim=(1, 2)).clamp(min=1)
    entropy = cross_entropy(logits, pairs.labels, ignore_index=UNLABELLED, reduction="none")
    squared = (images - pairs.images).square().mean(dim=1) * known
    return entropy.sum(dim=(1, 2)) / count, squared.sum(dim=(1, 2)) / count


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence from the standard normal, mean over dimensions, ``[B]``."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(dim=1)
