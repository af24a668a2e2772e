"""The network of QCResUNet: one encoder, a head for the scores, a decoder for the error maps."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]

ISOTROPIC: tuple[Triple, ...] = ((2, 2, 2),) * 5
"""Steps ``(z, y, x)`` of the stem, its pooling and blocks 2 to 4, for brain volumes."""
ANISOTROPIC: tuple[Triple, ...] = (*((1, 2, 2),) * 4, (2, 2, 2))
"""Likewise for short-axis stacks, whose slices are few."""
LEAST = 3
"""Voxels that an axis keeps at least: instance normalisation says nothing of fewer."""
GAIN = 50.0
"""Of the maps' last layer, which begins as it would without. Adam moves a weight by no more than
the learning rate: logits that have to grow by ten would take thousands of steps."""
RARE = -2.0
"""Logit of an error before anything is learned: most voxels are right."""

RESNET34 = (3, 4, 6, 3)
"""Residual blocks in each of the four stages."""


def strides_for(size: Triple, *, isotropic: bool) -> tuple[Triple, ...]:
    """Steps of the encoder; an axis that would keep fewer than ``LEAST`` is not stepped over.

    Args:
        size: Of the input, ``(Z, Y, X)``.
        isotropic: Whether slices are stepped over like rows and columns.
    """
    left, found = np.array(size), []
    for wanted in ISOTROPIC if isotropic else ANISOTROPIC:
        after = -(-left // wanted)
        is_enough = after >= LEAST
        found.append(tuple(np.where(is_enough, wanted, 1).tolist()))
        left = np.where(is_enough, after, left)
    return tuple(found)


class Outputs(NamedTuple):
    """What the network says of a batch.

    Args:
        scores: Dice and normalised surface Dice of each structure, in [0, 1], ``[B, 2, S]``; None
            without regression.
        maps: Logits that a voxel is wrongly in a structure or wrongly not, ``[B, S, Z, Y, X]``;
            None without maps.
    """

    scores: Tensor | None
    maps: Tensor | None


class QCResUNetNetwork(nn.Module):
    """A 3-D ResNet-34 with a shallow decoder that starts at its third block.

    Reference:
        Qiu et al., "QCResUNet: Joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025. https://arxiv.org/abs/2412.07156
        He et al., "Deep residual learning for image recognition", CVPR 2016: the encoder.
        https://doi.org/10.1109/CVPR.2016.90
        Wang et al., "ECA-Net", CVPR 2020: the attention.
        https://doi.org/10.1109/CVPR42600.2020.01155
        Ours: Dice and surface Dice of each structure, squashed by a sigmoid, where the paper
        regresses one pair over all. The paper names four of the five steps of its encoder: those
        from the pooling on; the stem's is the first of them. An axis of few voxels is halved less
        often, which changes nothing at the paper's sizes. The maps' last layer learns faster,
        see ``GAIN``.

    Args:
        modalities: Of the images.
        classes: Of the segmentation, the background being 0.
        structures: Label values of each structure; their masks are the query.
        width: Channels of the stem and the first block; 32 in the paper, 16.6 M parameters.
        strides: Of the encoder, see ``strides_for``.
        dropout: Share of channels that each residual block zeroes in training.
        drop_modalities: Probability that a modality is zeroed in training; one always stays.
        attention: Weigh decoder features and query before the maps; without, the maps are read
            off the decoder's features alone.
        regression: Give scores.
        maps: Give error maps.
        from_maps: Where both are given, let the scores begin from the Dice that the maps imply.

    Raises:
        ValueError: If it were to give neither scores nor maps.
    """

    query: Tensor

    def __init__(
        self,
        modalities: int,
        classes: int,
        structures: Sequence[Sequence[int]],
        *,
        width: int = 32,
        strides: Sequence[Triple] = ANISOTROPIC,
        dropout: float = 0.3,
        drop_modalities: float = 0.0,
        attention: bool = True,
        regression: bool = True,
        maps: bool = True,
        from_maps: bool = True,
    ) -> None:
        super().__init__()
        if not (regression or maps):
            raise ValueError("regression and maps are both off, nothing would be estimated")
        self.modalities = modalities
        self.drop_modalities = drop_modalities
        query = torch.zeros(len(structures), classes)
        for row, values in zip(query, structures, strict=True):
            row[list(values)] = 1
        self.register_buffer("query", query, persistent=False)
        given = modalities + len(structures)
        self.encoder = Encoder(given, width, strides, dropout, deepest=regression)
        self.head = nn.Linear(8 * width, 2 * len(structures)) if regression else None
        # How far the implied Dice counts, for each score and structure.
        is_joined = regression and maps and from_maps
        self.trust = nn.Parameter(torch.ones(2, len(structures))) if is_joined else None
        self.decoder = Decoder(width) if maps else None
        self.aggregation = (
            Aggregation(width, len(structures), attention=attention) if maps else None
        )

    def forward(self, given: Tensor) -> Outputs:
        """Estimate from images and one-hot segmentation, ``[B, M + C, Z, Y, X]``."""
        images, one_hot = given[:, : self.modalities], given[:, self.modalities :]
        if self.training and self.drop_modalities:
            images = images * kept_modalities(images, self.drop_modalities)
        query = torch.einsum("sc,bczyx->bszyx", self.query, one_hot).float()
        levels = self.encoder(torch.cat([images, query], dim=1))
        scores = maps = None
        if self.decoder is not None and self.aggregation is not None:
            maps = self.aggregation(self.decoder(levels[:4]), query).float()
        if self.head is not None:
            logits = self.head(levels[-1].mean(dim=(2, 3, 4))).float().unflatten(1, (2, -1))
            if self.trust is not None and maps is not None:
                implied = implied_dice(query, maps.sigmoid())
                logits = logits + self.trust * implied.logit(eps=0.01).unsqueeze(1)
            scores = logits.sigmoid()
        return Outputs(scores, maps)


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
        self.shortcut: nn.Module = nn.Identity()
        if given != width or stride != (1, 1, 1):
            self.shortcut = nn.Sequential(
                nn.Conv3d(given, width, 1, stride, bias=False),
                nn.InstanceNorm3d(width, affine=True),
            )
        self.activation = nn.LeakyReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Features of the next depth."""
        summed = self.second(self.first(features)) + self.shortcut(features)
        found: Tensor = self.activation(summed)
        return found


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


def implied_dice(query: Tensor, errors: Tensor) -> Tensor:
    """Dice of each structure if voxels are wrong with the probability that a map says.

    Args:
        query: Masks of the segmentation, ``[B, S, Z, Y, X]``.
        errors: Probability that a voxel is wrongly in the structure or wrongly not, likewise.

    Returns:
        ``[B, S]``; 1 where nothing is segmented and nothing is said to be missing.
    """
    axes = (2, 3, 4)
    kept = (query * (1 - errors)).sum(axes)
    missed = ((1 - query) * errors).sum(axes)
    return (2 * kept + 1) / (query.sum(axes) + kept + missed + 1)


def kept_modalities(images: Tensor, probability: float) -> Tensor:
    """Which modalities stay, ``[B, M, 1, 1, 1]`` of 0 and 1: each may be lost, never all.

    Args:
        images: ``[B, M, Z, Y, X]``.
        probability: With which each modality is lost.
    """
    chances = torch.rand(images.shape[:2], device=images.device)
    kept = (chances >= probability) | (chances == chances.amax(dim=1, keepdim=True))
    return kept.to(images.dtype)[:, :, None, None, None]
