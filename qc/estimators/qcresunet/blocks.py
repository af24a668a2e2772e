"""The parts of QCResUNet's network: encoder, decoder, and what makes error maps of both."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]

GAIN = 50.0
"""Of the maps' last layer, which begins as it would without. Adam moves a weight by no more than
the learning rate: logits that have to grow by ten would take thousands of steps."""
RARE = -2.0
"""Logit of an error before anything is learned: most voxels are right."""

RESNET34 = (3, 4, 6, 3)
"""Residual blocks in each of the four stages."""


class Encoder(nn.Module):
    """ResNet-34 in 3-D with instance normalisation and spatial dropout.

    Args:
        given: Channels of the input.
        width: Channels of the stem and the first block.
        strides: Of the stem, its pooling and blocks 2 to 4.
        dropout: Share of channels that each residual block zeroes in training.
        deepest: Whether there is a fourth block.
    """

    def __init__(
        self, given: int, width: int, strides: Sequence[Triple], dropout: float, *, deepest: bool
    ) -> None:
        super().__init__()
        self.stem = ConvolutionBlock(given, width, kernel=7, stride=strides[0])
        self.pool = nn.MaxPool3d(3, strides[1], padding=1)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        steps = [(1, 1, 1), *strides[2:]]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(before, after, step, dropout),
                *(ResidualBlock(after, after, (1, 1, 1), dropout) for _ in range(count - 1)),
            )
            for (before, after), step, count in list(
                zip(pairwise(widths), steps, RESNET34, strict=True)
            )[: 4 if deepest else 3]
        )

    def forward(self, given: Tensor) -> list[Tensor]:
        """Features of the stem and of each block, ``[B, F, Z, Y, X]`` each."""
        levels = [self.stem(given)]
        features = self.pool(levels[0])
        for block in self.blocks:
            features = block(features)
            levels.append(features)
        return levels


class Decoder(nn.Module):
    """From the third block up to the resolution of the stem, in three stages."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                UpStage(4 * width, 2 * width, 2 * width),
                UpStage(2 * width, width, 2 * width),
                UpStage(2 * width, width, width),
            ]
        )

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Features ``[B, F, Z, Y, X]`` from those of the stem and blocks 1 to 3."""
        features = levels[-1]
        for stage, skip in zip(self.stages, reversed(levels[:-1]), strict=True):
            features = stage(features, skip)
        return features


class Aggregation(nn.Module):
    """Error maps from the decoder's features, which attention weighs together with the query.

    Args:
        width: Channels of the features.
        structures: Channels of the query and of the maps.
        attention: Whether the query is looked at, and channels are weighed.
    """

    def __init__(self, width: int, structures: int, *, attention: bool) -> None:
        super().__init__()
        self.attention = ChannelAttention() if attention else None
        given = width + structures if attention else width
        self.readout = nn.Conv3d(given, structures, 1)
        with torch.no_grad():
            self.readout.weight.div_(GAIN)
            nn.init.constant_(self.readout.bias, RARE / GAIN)  # type: ignore[arg-type]

    def forward(self, features: Tensor, query: Tensor) -> Tensor:
        """Logits ``[B, S, Z, Y, X]`` at the resolution of the query."""
        features = F.interpolate(features, size=query.shape[2:], mode="nearest")
        if self.attention is not None:
            features = self.attention(torch.cat([features, query], dim=1))
        logits: Tensor = GAIN * self.readout(features)
        return logits


class ChannelAttention(nn.Module):
    """Efficient channel attention: each channel weighed by its mean and its neighbours' means."""

    def __init__(self) -> None:
        super().__init__()
        self.mixing = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """The features ``[B, F, Z, Y, X]``, weighed."""
        means = features.mean(dim=(2, 3, 4)).unsqueeze(1)
        weights = self.mixing(means).sigmoid().squeeze(1)
        weighed: Tensor = features * weights[:, :, None, None, None]
        return weighed


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; spatial dropout before they are summed."""

    def __init__(self, given: int, width: int, stride: Triple, dropout: float) -> None:
        super().__init__()
        self.first = ConvolutionBlock(given, width, kernel=3, stride=stride)
        self.second = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm3d(width, affine=True),
            nn.Dropout3d(dropout),
        )
        self.shortcut = shortcut_of(given, width, stride)
        self.activation = nn.LeakyReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Features of the next depth."""
        summed = self.second(self.first(features)) + self.shortcut(features)
        found: Tensor = self.activation(summed)
        return found


def shortcut_of(given: int, width: int, stride: Triple) -> nn.Module:
    """What a block's input becomes beside its convolutions."""
    if given == width and stride == (1, 1, 1):
        return nn.Identity()
    return nn.Sequential(
        nn.Conv3d(given, width, 1, stride, bias=False),
        nn.InstanceNorm3d(width, affine=True),
    )


class UpStage(nn.Module):
    """One stage of the decoder.

    Args:
        given: Channels from below.
        skipped: Channels from the encoder, and as many from below once they are upsampled.
        width: Channels of the output.
    """

    def __init__(self, given: int, skipped: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv3d(given, skipped, 1)
        self.convolutions = nn.Sequential(
            ConvolutionBlock(2 * skipped, width), ConvolutionBlock(width, width)
        )

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Features at the resolution of ``skip``."""
        raised = self.reduce(F.interpolate(features, size=skip.shape[2:], mode="nearest"))
        found: Tensor = self.convolutions(torch.cat([skip, raised], dim=1))
        return found


class ConvolutionBlock(nn.Sequential):
    """Convolution, instance normalisation and leaky rectifier."""

    def __init__(
        self, given: int, width: int, kernel: int = 3, stride: Triple = (1, 1, 1)
    ) -> None:
        super().__init__(
            nn.Conv3d(given, width, kernel, stride, padding=kernel // 2, bias=False),
            nn.InstanceNorm3d(width, affine=True),
            nn.LeakyReLU(),
        )
