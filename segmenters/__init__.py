"""Segmenters: image in, class probabilities out."""

from segmenters.augment import Augmentation, augment
from segmenters.base import Observer, Segmenter
from segmenters.components import largest_components
from segmenters.crf import CRF
from segmenters.fcn import FCN
from segmenters.network import NetworkSegmenter
from segmenters.prediction import predict, segment
from segmenters.training import Training
from segmenters.unet import UNet
from segmenters.watcher import snapshot_file

__all__ = [
    "CRF",
    "FCN",
    "SEGMENTERS",
    "Augmentation",
    "NetworkSegmenter",
    "Observer",
    "Segmenter",
    "Training",
    "UNet",
    "augment",
    "largest_components",
    "predict",
    "segment",
    "snapshot_file",
]

SEGMENTERS: dict[str, type[NetworkSegmenter]] = {
    "unet": UNet,
    "fcn": FCN,
}
"""Names that settings may use."""
