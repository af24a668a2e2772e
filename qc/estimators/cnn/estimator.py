"""Dice of each structure, read off image and segmentation by a convolutional network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from qc.estimators.frame_estimator import Judged
from qc.estimators.network.crops import Batch
from qc.estimators.network.estimator import NetworkEstimator
from qc.estimators.network.training import dice_of_areas, mean_error
from qc.frames import Frame
from semiqc.images.crop import CropBox
from semiqc.schemes import BACKGROUND, UNLABELLED
from semiqc.work.bounds import Size, Weight

Backbone = Literal["resnet18-2d", "resnet34-3d", "resnet50-3d", "unet-3d"]


@dataclass(kw_only=True, eq=False, repr=False)
class CNNRegression(NetworkEstimator):
    """Regresses the Dice of structures, the background, the whole and all classes at once.

    Learns from true Dice, or from another estimator's: see ``qc.graded.by_estimator``.

    Equation:
        loss = mean_s (f_s(image, one-hot segmentation) - dice_s)²

    Fails:
        On images unlike those it learned from, where it says what was usual in training; with
        few graded studies; it does not say where an error is.

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
        all_classes: Learn the Dice of all classes at once, too.
        See ``NetworkEstimator`` for the others.
    """

    needs_reference = False

    backbone: Backbone = "resnet18-2d"
    width: Size = 32
    all_classes: bool = True
    batch_size: Size = 16
    weight_decay: Weight = 1e-3

    @property
    def explained_layer(self) -> str:
        """Layer whose features tell where the network looks; see ``qc.explain``."""
        return {"resnet18-2d": "features.layer4", "unet-3d": "unet"}.get(self.backbone, "layer4")

    def _network(self) -> nn.Module:
        if self.backbone not in get_args(Backbone):
            known = ", ".join(get_args(Backbone))
            raise ValueError(f"unknown backbone '{self.backbone}'; known: {known}")
        # MONAI takes seconds to import, and only networks need it.
        from qc.estimators.cnn.networks import built

        channels = self.modalities + len(self.scheme.classes)
        outputs = len(self.scheme.structures) + 2 + self.all_classes
        return built(self.backbone, channels, outputs, self.width)

    def _losses(self, output: Any, batch: Batch) -> dict[str, Tensor]:  # noqa: ANN401
        told = [batch.dice, _background_and_whole(batch)]
        if self.all_classes:
            told.append(batch.all_classes[:, :1])
        targets = torch.cat(told, dim=1)
        return {"squared_error": mean_error(output.float().sigmoid(), targets, power=2)}

    def _read(
        self, outputs: Sequence[Any], frames: Sequence[Frame], boxes: Sequence[CropBox]
    ) -> list[Judged]:
        structures = len(self.scheme.structures)
        mean = torch.stack([output.float().sigmoid() for output in outputs]).mean(dim=0)
        found = mean.double().cpu().numpy()
        return [
            Judged(
                one[:structures],
                overall=one[structures : structures + 2],
                all_classes=np.array([one[-1], np.nan]) if self.all_classes else None,
            )
            for one in found
        ]


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
