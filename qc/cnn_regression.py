"""Dice of each structure, read off image and segmentation by a convolutional network."""

from typing import Literal

from qc.network_estimator import NetworkEstimator
from semiqc.study import LabelScheme

Backbone = Literal["resnet18-2d", "resnet34-3d", "resnet50-3d", "unet-3d"]


class CNNRegression(NetworkEstimator):
    """Regresses the Dice of each structure; no error maps, no slices.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018: 3-D
        ResNet-50, image and one-hot segmentation in, mean squared error.
        https://doi.org/10.1007/978-3-030-00937-3_66
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020: 2-D ResNet-18 as a baseline. https://doi.org/10.1007/978-3-030-59719-1_9
        Qiu et al., "QCResUNet", Medical Image Analysis 2025: 3-D ResNet-34, ResNet-50 and a
        U-Net with pooled head as baselines.
        Ours: besides the structures, background and whole foreground are regressed as
        Robinson's outputs have them, for training only; AdamW with a warm-up; crops around the
        segmentation; batches even over ten bins of Dice.
    """

    def __init__(
        self,
        scheme: LabelScheme,
        *,
        backbone: Backbone = "resnet18-2d",
        modalities: int = 1,
        size: tuple[int, int, int] = (8, 96, 96),
        width: int = 32,
        steps: int = 600,
        batch_size: int = 16,
        learning_rate: float = 5e-4,
        weight_decay: float = 1e-3,
        members: int = 1,
        augmentation: float = 0.3,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.scheme = scheme
        self.backbone = backbone
        self.modalities = modalities
        self.size = size
        self.width = width
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.members = members
        self.augmentation = augmentation
        self.seed = seed
        self.device = device
