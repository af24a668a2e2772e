"""The VGG-like fully convolutional network."""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from segmenters.network import NetworkSegmenter

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Of each resolution level, as in VGG-16."""

COMBINED = 64
"""Filters of the two convolutions over all levels."""


class FCN(NetworkSegmenter):
    """Five resolution levels, each upsampled to full resolution and concatenated.

    16 convolutions with weights: 13 in the levels, the first of each but the finest with stride
    2; two with 64 filters over the concatenated levels; one to the classes. Batch normalisation
    and ReLU follow all but the last.

    Reference:
        Bai et al., "Automated cardiovascular magnetic resonance image analysis with fully
        convolutional networks", JCMR 2018. https://doi.org/10.1186/s12968-018-0471-x
        Ours: no convolution with 32 filters between each level and its upsampling, which the
        authors' code has (https://github.com/baiwenjia/ukbb_cardiac); upsampling is
        bilinear at any number of levels; dropout, if asked for, before the last convolution; the
        loss and augmentation of every segmenter here. Ruijsink et al. 2020 count 17
        convolutions.
    """

    def build(self) -> nn.Module:
        network = FCNNetwork(
            self.modalities, len(self.scheme.classes), self.channels, self.dropout
        )
        return with_instance_norm(network) if self.normalisation == "instance" else network

    def deepest(self, network: nn.Module) -> nn.Module:
        return cast(FCNNetwork, network).levels[-1]


class FCNNetwork(nn.Module):
    """The network of ``FCN``, ``[B, M, Y, X]`` to logits ``[B, C, Y, X]``.

    Args:
        modalities: Of the images.
        classes: To tell apart.
        channels: Filters of each level, at most five.
        dropout: Share of combined features dropped in training.
    """

    def __init__(
        self, modalities: int, classes: int, channels: tuple[int, ...], dropout: float
    ) -> None:
        super().__init__()
        if not 1 <= len(channels) <= len(CONVOLUTIONS):
            raise ValueError(f"channels must name 1 to 5 levels, got {channels}")
        widths = pairwise((modalities, *channels))
        self.levels = nn.ModuleList(
            _level(before, after, count, stride=1 if number == 0 else 2)
            for number, ((before, after), count) in enumerate(
                zip(widths, CONVOLUTIONS, strict=False)
            )
        )
        self.combine = nn.Sequential(
            *_convolution(sum(channels), COMBINED, size=1),
            *_convolution(COMBINED, COMBINED, size=1),
            nn.Dropout2d(dropout),
            nn.Conv2d(COMBINED, classes, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch."""
        size = images.shape[-2:]
        features, found = images, []
        for level in self.levels:
            features = level(features)
            found.append(interpolate(features, size, mode="bilinear", align_corners=False))
        logits: Tensor = self.combine(torch.cat(found, dim=1))
        return logits


def _level(before: int, after: int, count: int, stride: int) -> nn.Sequential:
    first = _convolution(before, after, stride=stride)
    rest = [part for _ in range(count - 1) for part in _convolution(after, after)]
    return nn.Sequential(*first, *rest)


def _convolution(before: int, after: int, *, size: int = 3, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def with_instance_norm(network: nn.Module) -> nn.Module:
    """The network with instance normalisation in place of its batch normalisation."""
    for parent in list(network.modules()):
        for name, part in parent.named_children():
            if isinstance(part, nn.BatchNorm2d):
                setattr(parent, name, nn.InstanceNorm2d(part.num_features, affine=True))
    return network
