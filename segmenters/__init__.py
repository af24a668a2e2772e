"""Segmenters: image in, class probabilities out."""

from segmenters.augment import Augmentation, augment
from segmenters.base import Observer, Segmenter
from segmenters.components import largest_components
from segmenters.crf import CRF
from segmenters.dropout import DropoutSamples
from segmenters.ensemble import Ensemble
from segmenters.evidence import FrameEvidence, Members, segment_with_evidence
from segmenters.fcn import FCN
from segmenters.features import FeatureSpace
from segmenters.network import NetworkSegmenter
from segmenters.prediction import predict, segment
from segmenters.training import Training
from segmenters.unet import UNet
from segmenters.views import View, Views
from segmenters.watcher import snapshot_file

__all__ = [
    "CRF",
    "FCN",
    "SEGMENTERS",
    "Augmentation",
    "DropoutSamples",
    "Ensemble",
    "FeatureSpace",
    "FrameEvidence",
    "Members",
    "NetworkSegmenter",
    "Observer",
    "Segmenter",
    "Training",
    "UNet",
    "View",
    "Views",
    "augment",
    "largest_components",
    "predict",
    "segment",
    "segment_with_evidence",
    "snapshot_file",
]

SEGMENTERS: dict[str, type[NetworkSegmenter]] = {
    "unet": UNet,
    "fcn": FCN,
}
"""Names that settings may use."""
