"""Dice of each slice, read off image and segmentation; Dice of the volume recovered from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qc.estimators.frame_estimator import Judged
from qc.estimators.network.crops import Batch, masks_in
from qc.estimators.network.estimator import NetworkEstimator
from qc.estimators.network.training import dice_of_areas, mean_error
from qc.estimators.slicewise.scores import volume_dice
from qc.frames import Frame
from semiqc.images.clahe import clahe
from semiqc.images.crop import CropBox, box_around
from semiqc.measuring.masks import masks
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme
from semiqc.work.bounds import Size

Backbone = Literal["resnet", "unet"]
Dimension = Literal["2d", "3d"]


@dataclass(kw_only=True, eq=False, repr=False)
class SlicewiseDice(NetworkEstimator):
    """Regresses Dice and volume similarity of every slice; the 3-D Dice follows from them.

    As ``3d`` it is the paper's comparison: the same network in three dimensions regresses the
    3-D Dice directly, and says nothing of slices. Dice is that of background and of every
    structure; the background's only helps to learn.

    Equation:
        R_z = P_z (2 + mvsf_z) / (2 - mvsf_z)
        dice = Σ_z dice_z (R_z + P_z) / Σ_z (R_z + P_z), P_z and R_z: areas predicted, of reference

    Fails:
        Where whole slices were missed, whose area can only be guessed from their neighbours; where
        slices look right one by one and do not fit together.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control: a
        multi-dimensional approach", Medical Image Analysis 2021.
        https://doi.org/10.1016/j.media.2021.102213
        Ours: structures rather than classes. A slice that has a structure in neither
        segmentation counts with an MVSF of 0 and not at all with a Dice, which the paper has as
        0; so the MVSF of a slice without a prediction tells how likely one was missed. Outputs
        are kept in their ranges by a logistic curve and a hyperbolic tangent. AdamW with a
        warm-up; augmentation; batches even over ten bins of Dice. Parameters of CLAHE and the
        crop, which the paper leaves open: see ``semiqc.images.clahe`` and ``semiqc.images.crop``.

    Args:
        scheme: Label values and structures of the predictions it judges.
        backbone: ``resnet`` (QC ResNet) or ``unet`` (QC U-Net).
        dimension: ``2d``, or ``3d`` for the direct regression.
        width: Feature maps of the network's first layer; None for the paper's size.
        equalise: Even out the contrast of every slice by CLAHE.
        modalities: Of the images.
        size: Slices, rows and columns of the box around the segmentation. In ``2d`` every slice
            is judged, and only training draws so many.
        steps: Of the optimizer, for each member.
        batch_size: Frames in a step.
        learning_rate: Of AdamW at its highest.
        weight_decay: Of AdamW.
        members: Networks whose estimates are averaged.
        augmentation: Probability of each change to the crops.
        seed: Of weights, batches and augmentation.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``bf16-mixed`` is faster where the processor knows bfloat16.

    Attributes:
        networks_: One per member.
    """

    estimates_slices = True

    backbone: Backbone = "resnet"
    dimension: Dimension = "2d"
    width: Size | None = None
    equalise: bool = True

    def _network(self) -> nn.Module:
        # MONAI takes seconds to import, and only networks need it.
        from qc.estimators.slicewise.networks import NETWORKS

        if self.backbone not in NETWORKS or self.dimension not in ("2d", "3d"):
            raise ValueError(
                f"backbone must be one of {', '.join(NETWORKS)} and dimension 2d or 3d,"
                f" got {self.backbone} and {self.dimension}"
            )
        kind, full_width = NETWORKS[self.backbone]
        width = full_width if self.width is None else self.width
        channels = self.modalities + len(self.scheme.classes)
        regions = 1 + len(self.scheme.structures)
        equalised = self.modalities if self.equalise else 0
        if self.dimension == "2d":
            return _BySlice(kind(2, channels, 2 * regions, width), equalised)
        return _ByVolume(kind(3, channels, regions, width), equalised)

    @property
    def explained_layer(self) -> str:
        """Layer whose features tell where the network looks; see ``qc.explain``."""
        return "network.features" if self.backbone == "resnet" else "network.merge.0"

    def dice_told(self, output: object, given: Tensor) -> Tensor:
        """In ``2d`` the mean over slices, by the area that the structure has in each."""
        estimated = cast(Tensor, output)
        if self.dimension == "3d":
            return estimated[:, 1:]
        areas = masks_in(given, self.scheme).sum((-2, -1))
        return (estimated[:, 0, 1:] * areas).sum(-1) / areas.sum(-1).clamp(min=1)

    def box_of(self, frame: Frame) -> CropBox:
        if self.dimension == "3d":
            return super().box_of(frame)
        return box_around(frame.labels, (None, *self.size[1:]))

    def _losses(self, output: object, batch: Batch) -> dict[str, Tensor]:
        estimated = cast(Tensor, output)
        both, predicted, reference = slice_areas(batch.labels, batch.reference, self.scheme)
        if self.dimension == "3d":
            background = dice_of_areas(both[:, 0].sum(-1), (predicted + reference)[:, 0].sum(-1))
            dice = torch.cat([background.unsqueeze(1), batch.dice], dim=1)
            return {"dice": mean_error(estimated, dice, power=2)}
        total = predicted + reference
        dice = dice_of_areas(both, total)
        fraction = 2 * (reference - predicted) / total.clamp(min=1)
        is_known = (batch.reference != UNLABELLED).any(-1).any(-1).unsqueeze(1)
        fraction = torch.where(is_known, fraction, torch.nan)
        targets = torch.stack([dice, fraction], dim=1)
        return {"dice and mvsf": mean_error(estimated, targets, power=2)}

    def _read(
        self, outputs: Sequence[object], frames: Sequence[Frame], boxes: Sequence[CropBox]
    ) -> list[Judged]:
        mean = torch.stack([cast(Tensor, output) for output in outputs]).mean(0)
        numbers = mean.cpu().numpy().astype(np.float64)
        if self.dimension == "3d":
            return [Judged(number[1:]) for number in numbers]
        pairs = zip(frames, boxes, strict=True)
        areas = [box.within(masks(one.labels, self.scheme)).sum((-2, -1)) for one, box in pairs]
        found = zip(areas, numbers, strict=True)
        return [_recovered(area, *number[:, 1:]) for area, number in found]


def _recovered(
    areas: NDArray[np.float64], dice: NDArray[np.float64], fractions: NDArray[np.float64]
) -> Judged:
    """From areas, Dice and MVSF of slices, ``[S, Z]``.

    A slice without a prediction has Dice 0 where the reference is likelier than not to have the
    structure there, and else NaN.
    """
    of_empty = np.where(fractions > 1, 0.0, np.nan)
    return Judged(
        volume_dice(areas, dice, fractions),
        slice_dice=np.where(areas > 0, dice, of_empty),
        slice_mvsf=fractions,
    )


def slice_areas(
    labels: Tensor, reference: Tensor, scheme: LabelScheme
) -> tuple[Tensor, Tensor, Tensor]:
    """Voxels of background and of every structure in each slice, where the reference is known.

    Args:
        labels: Predicted classes, ``[B, Z, Y, X]``.
        reference: Classes or ``UNLABELLED``, ``[B, Z, Y, X]``.
        scheme: Whose structures to count.

    Returns:
        In both, in the prediction, and in the reference; each ``[B, 1 + S, Z]``.
    """
    is_known = reference != UNLABELLED
    regions = [(BACKGROUND,), *(structure.values for structure in scheme.structures)]
    pairs = []
    for values in regions:
        of_region = torch.tensor(values, device=labels.device)
        mine = torch.isin(labels, of_region) & is_known
        theirs = torch.isin(reference, of_region)
        pairs.append(torch.stack([mine & theirs, mine, theirs]).sum((-2, -1)))
    both, predicted, annotated = torch.stack(pairs, dim=2).float()
    return both, predicted, annotated


class _BySlice(nn.Module):
    """From ``[B, M + C, Z, Y, X]`` to Dice and MVSF, ``[B, 2, K, Z]``.

    Args:
        network: From ``[B, M + C, Y, X]`` to ``[B, 2 * K]``.
        equalised: How many of the first channels are images whose contrast is evened out.
    """

    def __init__(self, network: nn.Module, equalised: int) -> None:
        super().__init__()
        # Twice as fast as channels first on a CPU.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.equalised = equalised

    def forward(self, given: Tensor) -> Tensor:
        count, slices = len(given), given.shape[2]
        as_batch = _equalised(given, self.equalised).transpose(1, 2).flatten(0, 1)
        numbers = self.network(as_batch).float().view(count, slices, 2, -1).permute(0, 2, 3, 1)
        return torch.stack([numbers[:, 0].sigmoid(), 2 * numbers[:, 1].tanh()], dim=1)


class _ByVolume(nn.Module):
    """From ``[B, M + C, Z, Y, X]`` to Dice, ``[B, K]``; arguments as of ``_BySlice``."""

    def __init__(self, network: nn.Module, equalised: int) -> None:
        super().__init__()
        self.network = network
        self.equalised = equalised

    def forward(self, given: Tensor) -> Tensor:
        dice: Tensor = self.network(_equalised(given, self.equalised)).float().sigmoid()
        return dice


def _equalised(given: Tensor, channels: int) -> Tensor:
    if not channels:
        return given
    return torch.cat([clahe(given[:, :channels]), given[:, channels:]], dim=1)
