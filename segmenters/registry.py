"""All segmenters by name."""

from segmenters.fcn import FCN
from segmenters.network import NetworkSegmenter
from segmenters.unet import UNet

SEGMENTERS: dict[str, type[NetworkSegmenter]] = {
    "unet": UNet,
    "fcn": FCN,
}
"""Names that settings may use."""
