"""Dice of each structure, read off image and segmentation by a convolutional network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from monai.networks.nets.resnet import resnet18, resnet34, resnet50
from monai.networks.nets.unet import UNet
from torch import Tensor, nn

from qc.estimators.crops import Batch
from qc.estimators.frame_estimator import Judged
from qc.estimators.network_estimator import NetworkEstimator
from qc.estimators.network_training import dice_of_areas, mean_error
from qc.frames import Frame
from semiqc.images.crop import CropBox
from semiqc.schemes import BACKGROUND, UNLABELLED

Backbone = Literal["resnet18-2d", "resnet34-3d", "resnet50-3d", "unet-3d"]
FULL_WIDTH = 64
"""Filters of a ResNet's first layer as published."""


@dataclass(kw_only=True, eq=False, repr=False)
class CNNRegression(NetworkEstimator):
    """Regresses the Dice of each structure; it says nothing of slices or voxels.

    Learns from true Dice, or from another estimator's: see ``qc.graded.by_estimator``.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018: 3-D
        ResNet-50 on image and one-hot segmentation, mean squared error; outputs for background,
        each class and the whole heart. https://doi.org/10.1007/978-3-030-00937-3_66
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020: ResNet-18 as a baseline. https://doi.org/10.1007/978-3-030-59719-1_9
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025: 3-D ResNet-34, ResNet-50 and a U-Net with a
        pooled head as baselines.
        Ours: crops around the segmentation; AdamW; augmentation; the 2-D network sees every
        slice, and its features are averaged over the slices of a frame. The first two layers of
        the 3-D ResNets, which halve the resolution, leave slices alone, for there are few.

    Args:
        backbone: Which network.
        width: Filters of its first layer; 64 as published.
        See ``NetworkEstimator`` for the others.
    """

    needs_reference = False

    backbone: Backbone = "resnet18-2d"
    width: int = 32
    batch_size: int = 16
    weight_decay: float = 1e-3

    @property
    def explained_layer(self) -> str:
        """Layer whose features tell where the network looks; see ``qc.explain``."""
        return {"resnet18-2d": "features.layer4", "unet-3d": "unet"}.get(self.backbone, "layer4")

    def _network(self) -> nn.Module:
        if self.backbone not in get_args(Backbone):
            known = ", ".join(get_args(Backbone))
            raise ValueError(f"unknown backbone '{self.backbone}'; known: {known}")
        channels = self.modalities + len(self.scheme.classes)
        outputs = len(self.scheme.structures) + 2
        if self.backbone == "resnet18-2d":
            return SliceMean(channels, outputs, self.width)
        if self.backbone == "unet-3d":
            return PooledUNet(channels, outputs, self.width)
        build = {"resnet34-3d": resnet34, "resnet50-3d": resnet50}[self.backbone]
        network = build(
            n_input_channels=channels,
            num_classes=outputs,
            conv1_t_stride=[1, 2, 2],
            **_shape(self.width, deep=self.backbone == "resnet50-3d"),
        )
        network.maxpool = nn.MaxPool3d(kernel_size=3, stride=(1, 2, 2), padding=1)
        return network

    def _losses(self, output: Any, batch: Batch) -> dict[str, Tensor]:  # noqa: ANN401
        targets = torch.cat([batch.dice, _background_and_whole(batch)], dim=1)
        return {"squared_error": mean_error(output.float().sigmoid(), targets, power=2)}

    def _read(
        self, outputs: Sequence[Any], frames: Sequence[Frame], boxes: Sequence[CropBox]
    ) -> list[Judged]:
        of_structures = slice(len(self.scheme.structures))
        mean = torch.stack([output.float().sigmoid() for output in outputs]).mean(dim=0)
        return [Judged(dice) for dice in mean[:, of_structures].double().cpu().numpy()]


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


def _background_and_whole(batch: Batch) -> Tensor:
    """Dice of the background and of all classes together in the crops, ``[B, 2]``."""
    known = batch.reference != UNLABELLED
    pairs = [
        (known & (batch.labels == BACKGROUND), known & (batch.reference == BACKGROUND)),
        (known & (batch.labels > BACKGROUND), known & (batch.reference > BACKGROUND)),
    ]
    axes = (1, 2, 3)
    found = [dice_of_areas((a & b).sum(axes), a.sum(axes) + b.sum(axes)) for a, b in pairs]
    return torch.stack(found, dim=1)
