"""QC ResNet and QC U-Net: image and segmentation in, a few numbers out, in 2-D or 3-D.

Both halve the resolution by max pooling, in plane only, for a short axis has few slices.

Reference:
    Fournel et al., "Medical image segmentation automatic quality control: a multi-dimensional
    approach", Medical Image Analysis 2021, section 3.3 and figure 4.
    https://doi.org/10.1016/j.media.2021.102213
    Ours: the widths. The paper gives sizes in whole millions; at the widths below both networks
    come to them.
"""

from typing import Literal

from monai.networks.blocks.convolutions import Convolution
from monai.networks.layers.factories import Pool
from monai.networks.layers.utils import get_pool_layer
from monai.networks.nets.resnet import ResNetBottleneck
from torch import Tensor, cat, nn
from torch.nn.functional import pad

SpatialDims = Literal[2, 3]

RESNET_WIDTH = 17
"""1.7 million parameters in 2-D and 3.3 in 3-D; the paper says 2 and 3."""
UNET_WIDTH = 50
"""19 million parameters in 2-D and 20 in 3-D; the paper says 19 and 21."""
BLOCKS = (3, 4, 6, 3)
"""Bottlenecks of each stage of a ResNet-50."""
LEVELS = 5
"""Resolutions of the U-Net."""
DEEP_KERNELS = 2
"""Finest levels of the 3-D U-Net whose kernels reach over slices."""


class QCResNet(nn.Module):
    """A ResNet-50 with fewer feature maps, from ``[B, C, (Z,) Y, X]`` to ``[B, outputs]``.

    Args:
        spatial_dims: 2 or 3.
        channels: Of the input.
        outputs: Numbers to give.
        width: Feature maps of the stem; a stage has four times as many, and each twice as many
            as the one before.
    """

    def __init__(self, spatial_dims: SpatialDims, channels: int, outputs: int, width: int) -> None:
        super().__init__()
        stem = Convolution(
            spatial_dims, channels, width, kernel_size=7, act="RELU", norm="BATCH", bias=False
        )
        layers: list[nn.Module] = [stem]
        planes = width
        for stage, blocks in enumerate(BLOCKS):
            layers.append(_pool(spatial_dims))
            for _ in range(blocks):
                layers.append(_bottleneck(spatial_dims, planes, width * 2**stage))
                planes = width * 2**stage * ResNetBottleneck.expansion
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(_mean(spatial_dims), nn.Linear(planes, outputs))

    def forward(self, given: Tensor) -> Tensor:
        """One row of numbers for each of the batch."""
        numbers: Tensor = self.head(self.features(given))
        return numbers


class QCUNet(nn.Module):
    """A U-Net that could segment the image, and two layers that read numbers off its features.

    Reference:
        Ours, for the text leaves it open: kernels of the 3-D twin reach over slices in the two
        finest levels; the two layers are dense, on the mean of each feature map.

    Args:
        spatial_dims: 2 or 3.
        channels: Of the input, ``[B, C, (Z,) Y, X]``.
        outputs: Numbers to give, ``[B, outputs]``.
        width: Feature maps of the finest level; each has twice as many as the one above.
    """

    def __init__(self, spatial_dims: SpatialDims, channels: int, outputs: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        self.pool = _pool(spatial_dims)
        self.down = nn.ModuleList(
            _two_convolutions(spatial_dims, before, after, level)
            for level, (before, after) in enumerate(
                zip([channels, *widths[:-1]], widths, strict=True)
            )
        )
        self.up = nn.ModuleList(
            _upsampling(spatial_dims, 2 * after, after) for after in widths[:-1]
        )
        self.merge = nn.ModuleList(
            _two_convolutions(spatial_dims, 2 * after, after, level)
            for level, after in enumerate(widths[:-1])
        )
        self.head = nn.Sequential(
            _mean(spatial_dims), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
        )

    def forward(self, given: Tensor) -> Tensor:
        """One row of numbers for each of the batch; the image may be of any size."""
        multiple = 2 ** (LEVELS - 1)
        height, width = given.shape[-2:]
        features = pad(given, (0, -width % multiple, 0, -height % multiple))
        skipped: list[Tensor] = []
        for convolutions in self.down:
            features = convolutions(self.pool(features) if skipped else features)
            skipped.append(features)
        for level in reversed(range(LEVELS - 1)):
            features = cat([skipped[level], self.up[level](features)], dim=1)
            features = self.merge[level](features)
        numbers: Tensor = self.head(features)
        return numbers


def _in_plane(spatial_dims: SpatialDims, size: int) -> tuple[int, ...]:
    """Of a kernel or stride that leaves slices alone."""
    return (1,) * (spatial_dims - 2) + (size, size)


def _pool(spatial_dims: SpatialDims) -> nn.Module:
    size = _in_plane(spatial_dims, 2)
    pool: nn.Module = get_pool_layer(
        ("max", {"kernel_size": size, "stride": size, "ceil_mode": True}), spatial_dims
    )
    return pool


def _mean(spatial_dims: SpatialDims) -> nn.Module:
    return nn.Sequential(Pool[Pool.ADAPTIVEAVG, spatial_dims](1), nn.Flatten())


def _bottleneck(spatial_dims: SpatialDims, before: int, planes: int) -> nn.Module:
    after = planes * ResNetBottleneck.expansion
    shortcut = None
    if before != after:
        shortcut = Convolution(
            spatial_dims, before, after, kernel_size=1, act=None, norm="BATCH", bias=False
        )
    block: nn.Module = ResNetBottleneck(before, planes, spatial_dims, downsample=shortcut)
    return block


def _two_convolutions(spatial_dims: SpatialDims, before: int, after: int, level: int) -> nn.Module:
    kernel = (3,) * spatial_dims if level < DEEP_KERNELS else _in_plane(spatial_dims, 3)
    return nn.Sequential(
        *(
            Convolution(
                spatial_dims, given, after, kernel_size=kernel, act="RELU", norm="BATCH",
                bias=False,
            )
            for given in (before, after)
        )
    )  # fmt: skip


def _upsampling(spatial_dims: SpatialDims, before: int, after: int) -> nn.Module:
    size = _in_plane(spatial_dims, 2)
    upsampling: nn.Module = Convolution(
        spatial_dims, before, after, strides=size, kernel_size=size, is_transposed=True,
        conv_only=True, padding=0, output_padding=0,
    )  # fmt: skip
    return upsampling


NETWORKS: dict[str, tuple[type[QCResNet] | type[QCUNet], int]] = {
    "resnet": (QCResNet, RESNET_WIDTH),
    "unet": (QCUNet, UNET_WIDTH),
}
"""With the width at which they have the paper's size."""
