"""All segmenters by name."""

from segmenters.fcn import FCN
from segmenters.network import NetworkSegmenter
from segmenters.plain_unet import PlainUNet
from segmenters.trans_unet import TransUNet
from segmenters.unet import UNet
from segmenters.unet_3d import UNet3d

SEGMENTERS: dict[str, type[NetworkSegmenter]] = {
    "plain_unet": PlainUNet,
    "unet": UNet,
    "fcn": FCN,
    "trans_unet": TransUNet,
    "unet_3d": UNet3d,
}
"""Names that settings may use."""
