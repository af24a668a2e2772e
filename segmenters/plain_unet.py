"""The plain U-Net of nnU-Net."""

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from segmenters.network import NetworkSegmenter


class PlainUNet(NetworkSegmenter):
    """Two convolutions a level, the first strided but at full resolution; no residual units.

    Reference:
        Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical
        image segmentation", Nature Methods 2021. https://doi.org/10.1038/s41592-020-01008-z
        Ours: 16 filters at full resolution instead of 32, and batch normalisation, with which
        steps on a processor are faster; deep supervision only where ``training.deep_supervision``
        asks for it, for networks of this size gain little from it.
    """

    def build(self) -> nn.Module:
        norm = "instance" if self.normalisation == "instance" else "batch"
        return PlainUNetNetwork(
            self.modalities, len(self.scheme.classes), self.channels, self.dropout, norm
        )

    def deepest(self, network: nn.Module) -> nn.Module:
        return cast(PlainUNetNetwork, network).down[-1]

    @classmethod
    def coarse_filters(cls, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Of all but the coarsest, as in nnU-Net."""
        return channels[1:-2]

    def coarse_levels(self, network: nn.Module) -> list[nn.Module]:
        return list(cast(PlainUNetNetwork, network).up)[-2:0:-1]


class PlainUNetNetwork(nn.Module):
    """The network of ``PlainUNet``, ``[B, M, Y, X]`` to logits ``[B, C, Y, X]``.

    MONAI's ``DynUNet`` of the same blocks wants three levels or more; this takes any number.

    Args:
        modalities: Of the images.
        classes: To tell apart.
        channels: Filters of each level.
        dropout: Share of features dropped in training.
        norm: ``batch`` or ``instance``.
        dimensions: 2, or 3 of volumes ``[B, M, Z, Y, X]``, whose slices are not stepped over.
    """

    def __init__(
        self,
        modalities: int,
        classes: int,
        channels: tuple[int, ...],
        dropout: float,
        norm: str,
        *,
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        # Imported when it is needed: MONAI loads readers of images and plotting with it.
        from monai.networks.blocks.dynunet_block import (
            UnetBasicBlock,
            UnetOutBlock,
            UnetUpBlock,
        )

        shared: dict[str, Any] = {
            "kernel_size": 3,
            "norm_name": norm,
            "dropout": dropout or None,
        }
        step = 2 if dimensions == 2 else (1, 2, 2)
        self.down = nn.ModuleList(
            UnetBasicBlock(dimensions, before, after, stride=step if number else 1, **shared)
            for number, (before, after) in enumerate(pairwise((modalities, *channels)))
        )
        self.bottom: nn.Module = nn.Identity()
        self.up = nn.ModuleList(
            UnetUpBlock(dimensions, deep, fine, stride=1, upsample_kernel_size=step, **shared)
            for fine, deep in reversed(list(pairwise(channels)))
        )
        self.out = UnetOutBlock(dimensions, channels[0], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch."""
        features, skipped = images, []
        for level in self.down:
            features = level(features)
            skipped.append(features)
        features = self.bottom(features)
        for level, skip in zip(self.up, reversed(skipped[:-1]), strict=True):
            features = level(features, skip)
        logits: torch.Tensor = self.out(features)
        return logits
