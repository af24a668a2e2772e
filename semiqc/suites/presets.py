"""Arguments of estimators and sources as papers have them: ``semiqc qc fit --preset paper``.

They are sized for a GPU. What a paper does not say is said to be ours here.
"""

from collections.abc import Mapping
from typing import Any

Preset = Mapping[str, Mapping[str, Any]]
"""By name of an estimator or a source, arguments of its constructor."""

PAPER: Preset = {
    # Robinson et al., MICCAI 2018: ResNet-50 of 224 x 224 x 8 x 5; the epochs are ours.
    "cnn": {
        "backbone": "resnet50-3d", "width": 64, "size": (8, 224, 224), "batch_size": 46,
        "optimizer": "adam", "learning_rate": 1e-5, "schedule": "inverse", "weight_decay": 0.0,
        "augmentation": 0.0, "epochs": 100, "hold_out": True, "precision": "bf16-mixed",
    },
    # Fournel et al., Medical Image Analysis 2021: the 2-D QC U-Net; the batches are ours.
    "slicewise": {
        "backbone": "unet", "dimension": "2d", "width": 50, "size": (12, 128, 128),
        "optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "weight_decay": 0.0,
        "augmentation": 0.0, "epochs": 80, "hold_out": True, "precision": "bf16-mixed",
    },
    # Qiu et al., Medical Image Analysis 2025, with its table 3; the size of the stack is ours.
    "qcresunet": {
        "width": 32, "dropout": 0.3, "size": (16, 160, 160), "batch_size": 4, "from_maps": False,
        "optimizer": "adam", "learning_rate": 2.1e-4, "schedule": "exponential",
        "weight_decay": 1e-4, "epochs": 100, "members": 3, "hold_out": True, "changes": "qiu",
        "precision": "bf16-mixed",
    },
    # Wang et al., MICCAI 2020: the divergence is summed over the 8 dimensions, which here is a
    # mean; no pair is spoilt. So many steps for its 100 epochs with early stopping is ours.
    "manifold": {
        "latent": 8, "beta": 0.08, "batch_size": 16, "learning_rate": 1e-4, "steps": 20_000,
        "spoiling": 0.0, "image_weight": 1.0, "calibrate": False,
    },
    # Robinson et al., J Cardiovasc Magn Reson 2019: each of 100 references registered by itself.
    "rca": {"way": "pairwise", "references": 100, "calibrate": False},
    # Qiu et al., table 2: shifts and deformations up to 20 voxels, whatever the image's size.
    "seggen": {"times": 3, "largest_share": 1.0},
}  # fmt: skip

WANG: Preset = {
    "manifold": PAPER["manifold"],
    # Wang et al., MICCAI 2020, section 3: ResNet-18 on the pair of image and segmentation, its
    # target the Dice. The paper tells how its autoencoder was trained: window, optimiser, rate,
    # batch and epochs, with early stopping on the validation set. That the baseline was trained
    # like it, at the published width and without augmentation, is ours.
    "cnn": {
        "backbone": "resnet18-2d", "width": 64, "size": (12, 96, 96), "batch_size": 16,
        "optimizer": "adam", "learning_rate": 1e-4, "schedule": "constant", "weight_decay": 0.0,
        "augmentation": 0.0, "epochs": 100, "hold_out": True, "precision": "bf16-mixed",
    },
}  # fmt: skip
"""Wang et al.'s method beside their baselines; the other is ``svr``, whose settings are ours."""

PRESETS: dict[str, Preset] = {"paper": PAPER, "wang": WANG}
"""Names that ``--preset`` takes."""
