"""Networks from image and segmentation to some numbers."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.networks.nets.resnet import resnet18, resnet34, resnet50
from monai.networks.nets.unet import UNet
from torch import Tensor, nn

FULL_WIDTH = 64
"""Filters of a ResNet's first layer as published."""


def built(backbone: str, channels: int, outputs: int, width: int) -> nn.Module:
    """A network with random weights, from ``[B, C, Z, Y, X]`` to ``[B, outputs]``.

    Args:
        backbone: One of ``qc.estimators.cnn.estimator.Backbone``.
        channels: Of the input.
        outputs: Numbers to give.
        width: Filters of the first layer.
    """
    if backbone == "resnet18-2d":
        return SliceMean(channels, outputs, width)
    if backbone == "unet-3d":
        return PooledUNet(channels, outputs, width)
    build = {"resnet34-3d": resnet34, "resnet50-3d": resnet50}[backbone]
    network = build(
        n_input_channels=channels,
        num_classes=outputs,
        conv1_t_stride=[1, 2, 2],
        **_shape(width, deep=backbone == "resnet50-3d"),
    )
    network.maxpool = nn.MaxPool3d(kernel_size=3, stride=(1, 2, 2), padding=1)
    return network


class SliceMean(nn.Module):
    """A 2-D ResNet-18 on each slice; a dense layer on the mean of their features.

    Args:
        channels: Of the input.
        outputs: Of the dense layer.
        width: Filters of the first layer.
    """

    def __init__(self, channels: int, outputs: int, width: int) -> None:
        super().__init__()
        self.features = resnet18(
            spatial_dims=2,
            n_input_channels=channels,
            feed_forward=False,
            conv1_t_stride=2,
            **_shape(width),
        )
        self.features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dense = nn.Linear(8 * width, outputs)

    def forward(self, given: Tensor) -> Tensor:
        """``[B, C, Z, Y, X]`` to ``[B, outputs]``; slices without any segmentation count too."""
        count, channels, slices, height, width = given.shape
        flat = given.transpose(1, 2).reshape(count * slices, channels, height, width)
        features = self.features(flat).view(count, slices, -1)
        found: Tensor = self.dense(features.mean(dim=1))
        return found


class PooledUNet(nn.Module):
    """MONAI's U-Net, its last feature map averaged over voxels, and a dense layer.

    Args:
        channels: Of the input.
        outputs: Of the dense layer.
        width: Filters of the first level; each of the four below has twice those above it.
    """

    def __init__(self, channels: int, outputs: int, width: int) -> None:
        super().__init__()
        levels = [width * 2**level for level in range(5)]
        in_plane: Any = [
            (1, 2, 2)
        ] * 4  # MONAI takes a stride for each axis, and says it does not.
        self.unet = UNet(
            spatial_dims=3,
            in_channels=channels,
            out_channels=levels[0],
            channels=levels,
            strides=in_plane,
            num_res_units=2,
        )
        self.dense = nn.Linear(levels[0], outputs)

    def forward(self, given: Tensor) -> Tensor:
        """``[B, C, Z, Y, X]`` to ``[B, outputs]``."""
        found: Tensor = self.dense(self.unet(given).mean(dim=(2, 3, 4)))
        return found


def _shape(width: int, *, deep: bool = False) -> Mapping[str, Any]:
    """Widths and shortcuts of a published ResNet in MONAI's words."""
    return {
        "widen_factor": width / FULL_WIDTH,
        "shortcut_type": "B",
        "bias_downsample": deep,
    }
