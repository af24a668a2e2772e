"""The U-Net with residual units."""

import torch
from torch import nn

from segmenters.network import NetworkSegmenter


class UNet(NetworkSegmenter):
    """MONAI's U-Net whose stages are residual units, as semiQCSeg uses it for the short axis.

    Reference:
        Kerfoot et al., "Left-Ventricle Quantification Using Residual U-Net", STACOM 2018.
        https://doi.org/10.1007/978-3-030-12029-0_40
        Ours: Dice and cross-entropy, AdamW with decay, and the augmentation of ``Augmentation``.
    """

    def build(self) -> nn.Module:
        # Imported when it is needed: MONAI loads readers of images and plotting with it.
        from monai.networks.nets.unet import UNet as MonaiUNet

        network: torch.nn.Module = MonaiUNet(
            spatial_dims=2,
            in_channels=self.modalities,
            out_channels=len(self.scheme.classes),
            channels=self.channels,
            strides=(2,) * (len(self.channels) - 1),
            num_res_units=2,
            dropout=self.dropout,
            norm=self.normalisation or "instance",
        )
        return network

    def deepest(self, network: nn.Module) -> nn.Module:
        from monai.networks.layers.simplelayers import SkipConnection

        *_, innermost = (part for part in network.modules() if isinstance(part, SkipConnection))
        bottom: nn.Module = innermost.submodule
        return bottom
