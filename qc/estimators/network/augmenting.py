"""What is done to crops in training.

Reference:
    Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality prediction",
    Medical Image Analysis 2025, section 3.4: random rotation, scaling, mirroring, Gaussian noise
    and gamma correction. https://arxiv.org/abs/2412.07156
    Ours: the ranges and probabilities, which the paper does not say: the ranges are nnU-Net's,
    except for the angle; volumes are turned in plane, for their slices are thick; ``usual``.
"""

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from qc.estimators.network.crops import Batch
from segmenters.augmentation import SMALL, Augmentation, augment
from semiqc.schemes import BACKGROUND, LabelScheme

Changes = Literal["usual", "qiu"]

QIU: dict[str, Any] = {
    "rotation": 30.0,
    "scale": (0.7, 1.4),
    "gamma": (0.7, 1.5),
    "noise": 0.1,
    **{"aspect": 0.0, "shift": 0.0, "elastic": 0.0, "bias": 0.0, "blur": 0.0},
    **{"contrast": (1.0, 1.0), "brightness": 0.0, "low_resolution": 1.0},
}
"""Settings of an ``Augmentation`` that does what the paper names, and nothing else."""
CHANGES: dict[str, dict[str, Any]] = {"usual": SMALL, "qiu": QIU}
"""Settings by the name of the list."""


def augmented(
    batch: Batch, changes: Changes, probability: float, scheme: LabelScheme, seed: int
) -> Batch:
    """The batch with each volume moved and recoloured as one.

    Args:
        batch: Of crops.
        changes: ``usual``: turned, scaled, shifted, bent and recoloured, and mirrored where the
            scheme allows it; ``qiu``: what the paper names, mirrored along all three axes.
        probability: Of each change; half of the volumes are mirrored unless it is 0.
        scheme: Of the labels.
        seed: Of all that is drawn.
    """
    count, _, slices, height, width = batch.images.shape
    generator = torch.Generator().manual_seed(seed)
    is_published = changes == "qiu"
    settings = CHANGES[changes]
    images, labels = augment(
        batch.images.reshape(count, -1, height, width),
        torch.cat([batch.labels, batch.reference], dim=1),
        Augmentation(probability=probability, spatial_probability=probability, **settings),
        generator,
        ("y", "x") if is_published else scheme.mirror_axes,
    )
    predicted, reference = labels.split(slices, dim=1)
    images, predicted = images.view_as(batch.images), predicted.clamp(min=BACKGROUND)
    if is_published and probability:
        over = torch.rand(count, generator=generator) < 0.5
        images, predicted, reference = (
            _turned_over(volume, over) for volume in (images, predicted, reference)
        )
    return replace(batch, images=images, labels=predicted, reference=reference)


def _turned_over(volumes: Tensor, over: Tensor) -> Tensor:
    """Volumes ``[B, ..., Z, Y, X]`` with the last slice first where ``over``, ``[B]``."""
    chosen = over.to(volumes.device).view(-1, *(1,) * (volumes.ndim - 1))
    return torch.where(chosen, volumes.flip(-3), volumes)
