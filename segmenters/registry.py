"""All segmenters by name."""

from segmenters.fcn import FCN
from segmenters.network import NetworkSegmenter
from segmenters.plain_unet import PlainUNet
from segmenters.trans_unet import TransUNet
from segmenters.unet import UNet

SEGMENTERS: dict[str, type[NetworkSegmenter]] = {
    "plain_unet": PlainUNet,
    "unet": UNet,
    "fcn": FCN,
    "trans_unet": TransUNet,
}
"""Names that settings may use."""
