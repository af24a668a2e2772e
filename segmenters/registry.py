"""All segmenters by name."""

from segmenters.fcn import FCN
from segmenters.network import NetworkSegmenter
from segmenters.plain_unet import PlainUNet
from segmenters.unet import UNet

SEGMENTERS: dict[str, type[NetworkSegmenter]] = {
    "plain_unet": PlainUNet,
    "unet": UNet,
    "fcn": FCN,
}
"""Names that settings may use."""
