"""A U-Net with a transformer at its deepest level."""

from typing import cast

import torch
from torch import Tensor, nn

from segmenters.network import NetworkSegmenter
from segmenters.plain_unet import PlainUNetNetwork

LAYERS = 2
"""Of the transformer; twelve as published."""
HEADS = 8
"""Of its attention, at most; a divisor of the channels."""
LONGEST = 10_000.0
"""Wavelength of the slowest position code, as Vaswani et al. have it."""


class TransUNet(NetworkSegmenter):
    """The plain U-Net whose deepest features attend to each other over the whole slice.

    It fails in ways of its own, which is why ladders of segmenters may have it beside U-Nets, as
    Qiu et al. have nnFormer beside nnU-Net.

    Reference:
        Chen et al., "TransUNet: transformers make strong encoders for medical image
        segmentation", 2021. https://arxiv.org/abs/2102.04306
        Ours: nnU-Net's convolutions in place of a ResNet-50, two layers instead of twelve, and
        positions as sines and cosines, so that slices of any size will do.
    """

    def build(self) -> nn.Module:
        norm = "instance" if self.normalisation == "instance" else "batch"
        network = PlainUNetNetwork(
            self.modalities, len(self.scheme.classes), self.channels, self.dropout, norm
        )
        network.bottom = Attention(self.channels[-1], self.dropout)
        return network

    def deepest(self, network: nn.Module) -> nn.Module:
        return cast(PlainUNetNetwork, network).bottom


class Attention(nn.Module):
    """Features ``[B, F, Y, X]``, each place of which has looked at all others.

    Args:
        channels: ``F``.
        dropout: Share of features dropped in training.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        heads = max(n for n in range(1, HEADS + 1) if channels % n == 0)
        layer = nn.TransformerEncoderLayer(
            channels, heads, 2 * channels, dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, features: Tensor) -> Tensor:
        """The features, of the same shape."""
        given = features + positions(features)
        tokens = self.layers(given.flatten(2).transpose(1, 2))
        found: Tensor = tokens.transpose(1, 2).reshape(features.shape)
        return found


def positions(features: Tensor) -> Tensor:
    """Sines and cosines of row and column, by turns over the channels, ``[F, Y, X]``.

    Reference:
        Vaswani et al., "Attention is all you need", NeurIPS 2017.
        https://arxiv.org/abs/1706.03762
    """
    channels, height, width = features.shape[1:]
    places = torch.arange(channels, device=features.device)
    slowness = LONGEST ** (-(places // 4).float() * 4 / channels)
    rows = torch.arange(height, device=features.device).float()[None, :, None]
    columns = torch.arange(width, device=features.device).float()[None, None, :]
    kind = places[:, None, None] % 4
    angles = slowness[:, None, None] * torch.where(kind < 2, rows, columns)
    return torch.where(kind % 2 == 0, angles.sin(), angles.cos()).to(features.dtype)
