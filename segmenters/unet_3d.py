"""A U-Net that sees whole volumes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from segmenters.base import StepObserver
from segmenters.method import Method, Part
from segmenters.network import NetworkSegmenter
from segmenters.plain_unet import PlainUNetNetwork
from segmenters.step import SupervisedMethod
from segmenters.volumes import DEPTH, VolumeMethod
from semiqc.schemes import LabelScheme
from semiqc.study import Study


class UNet3d(NetworkSegmenter):
    """The plain U-Net with convolutions over three axes; it errs in ways that no slice shows.

    It learns from ``DEPTH`` neighbouring slices at a time, in batches of as many slices as other
    segmenters have, and segments all slices of a frame at once. Slices are never stepped over,
    for they are few and thick, so that stacks of any number will do. On a processor it computes
    in single precision whatever is asked for. The arguments are those of ``NetworkSegmenter``.

    Reference:
        Çiçek et al., "3D U-Net: learning dense volumetric segmentation from sparse annotation",
        MICCAI 2016. https://doi.org/10.1007/978-3-319-46723-8_49
        Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical
        image segmentation", Nature Methods 2021: blocks, and steps in plane alone.
        https://doi.org/10.1038/s41592-020-01008-z
        Ours: 16 filters at full resolution instead of 32; no deep supervision.
    """

    def __init__(self, scheme: LabelScheme, modalities: int = 1, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(scheme, modalities, **settings)
        if self.training.device == "cpu" or not torch.cuda.is_available():
            # Gradients of bfloat16 convolutions over volumes of few filters crash in oneDNN.
            self.training = replace(self.training, precision="32-true")

    def build(self) -> nn.Module:
        norm = self.normalisation or "instance"
        classes = len(self.scheme.classes)
        return OfVolumes(self.modalities, classes, self.channels, self.dropout, norm)

    def deepest(self, network: nn.Module) -> nn.Module:
        (shown,) = (part for part in network.modules() if isinstance(part, Shown))
        return shown.slices

    def fit(
        self,
        studies: Sequence[Study],
        pseudo: Sequence[Study] = (),
        validation: Sequence[Study] = (),
        *,
        observe: StepObserver | None = None,
        folder: Path | None = None,
        unlabelled: Sequence[Study] = (),
        method: Method | None = None,
        part: Part | None = None,
    ) -> Self:
        """See ``NetworkSegmenter.fit``.

        Raises:
            ValueError: If a method is asked for that learns from single slices.
        """
        if not isinstance(method, SupervisedMethod | None):
            raise ValueError(
                f"unet_3d learns from labels alone, not by {type(method).__name__}, which draws"
                " single slices; choose another segmenter.kind"
            )
        return super().fit(
            studies,
            pseudo,
            validation,
            observe=observe,
            folder=folder,
            unlabelled=unlabelled,
            method=VolumeMethod(),
            part=part,
        )


class OfVolumes(nn.Module):
    """Slices of volumes, ``[N, M, Y, X]``, to logits ``[N, C, Y, X]``.

    In training ``N`` is a multiple of ``DEPTH``, which is how many slices a volume has; else all
    slices are of one.

    Args:
        modalities: Of the images.
        classes: To tell apart.
        channels: Filters of each level.
        dropout: Share of features dropped in training.
        norm: ``batch`` or ``instance``.
    """

    def __init__(
        self, modalities: int, classes: int, channels: tuple[int, ...], dropout: float, norm: str
    ) -> None:
        super().__init__()
        self.unet = PlainUNetNetwork(modalities, classes, channels, dropout, norm, dimensions=3)
        self.unet.bottom = Shown()

    def forward(self, slices: Tensor) -> Tensor:
        """Logits of a batch."""
        depth = DEPTH if self.training else len(slices)
        volumes = slices.unflatten(0, (-1, depth)).transpose(1, 2)
        logits: Tensor = self.unet(volumes)
        return logits.transpose(1, 2).flatten(0, 1)


class Shown(nn.Module):
    """Features as they are, ``[B, F, Z, Y, X]``; its ``slices`` are shown them slice by slice."""

    def __init__(self) -> None:
        super().__init__()
        self.slices = nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """The features."""
        if not self.training:
            self.slices(features.transpose(1, 2).flatten(0, 1))
        return features
