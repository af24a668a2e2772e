"""What QCResUNet is compared with: ResNet-34, ResNet-50 and a U-Net of its blocks, scores alone.

Reference:
    Qiu et al., "QCResUNet: Joint subject-level and voxel-level segmentation quality prediction",
    Medical Image Analysis 2025, section 3.3: residual blocks as in QCResUNet; the U-Net's last
    features are averaged over voxels and read by a dense layer. https://arxiv.org/abs/2412.07156
    Ours: bottlenecks with the same normalisation and spatial dropout, which the paper does not
    draw; widths of the U-Net, which double up to eight times the first, as the paper names only
    its five upsampling stages. Dice and surface Dice as in ``network``.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from qc.estimators.qcresunet.blocks import (
    RESNET34,
    ConvolutionBlock,
    ResidualBlock,
    Triple,
    UpStage,
    shortcut_of,
)
from qc.estimators.qcresunet.network import Outputs

Baseline = Literal["resnet34", "resnet50", "unet"]

EXPANSION = 4
"""Of a bottleneck: its output by the channels of its middle."""
WIDEST = 8
"""Channels of the U-Net's deepest levels, in those of the first."""


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut, the middle one of kernel 3."""

    def __init__(self, given: int, width: int, stride: Triple, dropout: float) -> None:
        super().__init__()
        after = EXPANSION * width
        self.branch = nn.Sequential(
            ConvolutionBlock(given, width, kernel=1),
            ConvolutionBlock(width, width, kernel=3, stride=stride),
            nn.Conv3d(width, after, 1, bias=False),
            nn.InstanceNorm3d(after, affine=True),
            nn.Dropout3d(dropout),
        )
        self.shortcut = shortcut_of(given, after, stride)
        self.activation = nn.LeakyReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Features of the next depth."""
        found: Tensor = self.activation(self.branch(features) + self.shortcut(features))
        return found


class ResNet(nn.Sequential):
    """Features ``[B, F, Z, Y, X]`` by a ResNet of the numbers of blocks of ResNet-34 and -50.

    Args:
        given: Channels of the input.
        width: Channels of the stem.
        strides: Of the stem, its pooling and blocks 2 to 4.
        dropout: Share of channels that each block zeroes in training.
        deep: Bottlenecks, as in ResNet-50, in place of two convolutions.
    """

    def __init__(
        self, given: int, width: int, strides: Sequence[Triple], dropout: float, *, deep: bool
    ) -> None:
        block: type[Bottleneck] | type[ResidualBlock] = Bottleneck if deep else ResidualBlock
        expansion = EXPANSION if deep else 1
        layers: list[nn.Module] = [
            ConvolutionBlock(given, width, kernel=7, stride=strides[0]),
            nn.MaxPool3d(3, strides[1], padding=1),
        ]
        before = width
        steps: list[Triple] = [(1, 1, 1), *strides[2:]]
        for level, (count, step) in enumerate(zip(RESNET34, steps, strict=True)):
            for number in range(count):
                stride: Triple = step if number == 0 else (1, 1, 1)
                layers.append(block(before, width * 2**level, stride, dropout))
                before = width * 2**level * expansion
        super().__init__(*layers)
        self.channels = before


class PlainUNet(nn.Module):
    """Features ``[B, F, Z, Y, X]`` at the resolution of the input, by a U-Net of six levels.

    Args:
        given: Channels of the input.
        width: Channels of the first level.
        strides: Between one level and the next.
        dropout: Share of channels that each level zeroes in training.
    """

    def __init__(self, given: int, width: int, strides: Sequence[Triple], dropout: float) -> None:
        super().__init__()
        widths = [width * min(2**level, WIDEST) for level in range(len(strides) + 1)]
        steps: list[Triple] = [(1, 1, 1), *strides]
        self.down = nn.ModuleList(
            nn.Sequential(
                ConvolutionBlock(before, after, stride=step),
                ConvolutionBlock(after, after),
                nn.Dropout3d(dropout),
            )
            for (before, after), step in zip(pairwise([given, *widths]), steps, strict=True)
        )
        self.up = nn.ModuleList(
            UpStage(below, here, here) for here, below in reversed(list(pairwise(widths)))
        )
        self.channels = width

    def forward(self, given: Tensor) -> Tensor:
        """Down to the deepest level and up again."""
        levels = []
        features = given
        for stage in self.down:
            features = stage(features)
            levels.append(features)
        for stage, skip in zip(self.up, reversed(levels[:-1]), strict=True):
            features = stage(features, skip)
        return features


class ScoreNetwork(nn.Module):
    """Dice and surface Dice, read off the mean of a network's features.

    Args:
        features: With ``channels``.
        modalities: Of the images.
        query: Which classes make up each structure, ``[S, C]``.
        all_classes: Give the scores of all classes at once beside those of structures.
    """

    query: Tensor

    def __init__(
        self,
        features: "ResNet | PlainUNet",
        modalities: int,
        query: Tensor,
        *,
        all_classes: bool = True,
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.register_buffer("query", query, persistent=False)
        self.features = features
        self.head = nn.Linear(features.channels, 2 * (len(query) + all_classes))

    def forward(self, given: Tensor) -> Outputs:
        """Scores alone, from images and one-hot segmentation ``[B, M + C, Z, Y, X]``."""
        images, one_hot = given[:, : self.modalities], given[:, self.modalities :]
        query = torch.einsum("sc,bczyx->bszyx", self.query, one_hot).float()
        features = self.features(torch.cat([images, query], dim=1))
        scores: Tensor = self.head(features.mean(dim=(2, 3, 4))).float().unflatten(1, (2, -1))
        return Outputs(scores.sigmoid(), None)


def baseline_network(
    name: str,
    modalities: int,
    query: Tensor,
    width: int,
    strides: Sequence[Triple],
    dropout: float,
    *,
    all_classes: bool = True,
) -> ScoreNetwork:
    """A network to compare with.

    Args:
        name: ``resnet34``, ``resnet50`` or ``unet``.
        modalities: Of the images.
        query: Which classes make up each structure, ``[S, C]``.
        width: Channels of its first layer.
        strides: Five, see ``strides_for``.
        dropout: Share of channels zeroed in training.
        all_classes: Give the scores of all classes at once beside those of structures.

    Raises:
        ValueError: If there is no such network.
    """
    given = modalities + len(query)
    if name not in ("resnet34", "resnet50", "unet"):
        raise ValueError(f"unknown baseline '{name}'; known: resnet34, resnet50, unet")
    features = (
        PlainUNet(given, width, strides, dropout)
        if name == "unet"
        else ResNet(given, width, strides, dropout, deep=name == "resnet50")
    )
    return ScoreNetwork(features, modalities, query, all_classes=all_classes)
