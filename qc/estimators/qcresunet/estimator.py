"""Scores of a segmentation, and the voxels in which it errs, from one network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from qc.estimators.frame_estimator import Judged
from qc.estimators.network.crops import Batch, masks_in
from qc.estimators.network.estimator import NetworkEstimator
from qc.estimators.network.training import mean_error
from qc.estimators.qcresunet.baselines import Baseline, baseline_network
from qc.estimators.qcresunet.network import (
    Outputs,
    QCResUNetNetwork,
    implied_dice,
    query_of,
    strides_for,
)
from qc.frames import Frame
from semiqc.images.crop import CropBox
from semiqc.measuring.masks import frame_dice, masks, slice_dice
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.work.bounds import OpenShare, Share, Size, Weight

SMOOTHING = 1.0
"""Voxels added to both sides of the Dice of error maps, so that no error at all is learnable."""


@dataclass(kw_only=True, eq=False, repr=False)
class QCResUNet(NetworkEstimator):
    """Dice and surface Dice of structures and of all classes at once, with maps of the errors.

    Equation:
        loss = |dice - d| + |nsd - n| + map_weight (BCE(map, errors) + 1 - soft dice(map, errors))

    Fails:
        With few studies, from which maps are learned before scores; on images unlike those it
        learned from; on small errors at the border, which its maps show blurred.

    Reference:
        Qiu et al., "QCResUNet: Joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025. https://arxiv.org/abs/2412.07156
        The paper's settings are those of ``semiqc qc fit --preset paper``; of brains also
        ``isotropic=True`` and ``size=(160, 192, 160)``. The defaults suit a CPU.
        Ours: scores per structure, not one over all; AdamW with a warm-up; crops around the
        segmentation; binary cross-entropy of both kinds of voxel, where the paper writes only
        that of errors; Dice of slices, and without regression of frames, by what the prediction
        is once its errors are put right; scores that begin from the Dice that the maps imply, for
        maps are learned better than scores from few studies; modalities lost in training; 0 for
        a structure that the prediction lacks.

    Args:
        scheme: Label values and structures of the predictions it judges.
        modalities: Of the images; one that a study lacks is all zero.
        size: Slices, rows and columns of the box around the segmentation.
        width: Channels of the network's stem.
        isotropic: Whether slices are stepped over like rows and columns.
        dropout: Share of channels zeroed in training.
        drop_modalities: Probability that a modality is zeroed in training; one always stays.
        attention: Weigh features and segmentation before the maps.
        regression: Regress the scores; without, Dice is read off the maps and NSD is not given.
        maps: Give error maps.
        baseline: In its place a network that the paper compares with, of the same blocks, which
            regresses the scores alone: ``resnet34``, ``resnet50`` or ``unet``. What is said of
            attention and maps does not count then.
        from_maps: Let the scores begin from the Dice that the maps imply.
        all_classes: Regress the scores of all classes at once, too, which the paper has alone.
        map_weight: Lambda, by which the losses of the maps are multiplied.
        steps: Of the optimizer, for each member.
        batch_size: Frames in a step.
        learning_rate: Of AdamW at its highest.
        weight_decay: Of AdamW.
        members: Networks whose scores are averaged and whose maps are voted on.
        augmentation: Probability of each change of the crops.
        seed: Of weights, batches and augmentation.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``bf16-mixed`` is faster where the processor knows bfloat16.
    """

    needs_nsd = True
    estimates_slices = True
    gives_error_maps = True

    width: Size = 8
    isotropic: bool = False
    dropout: OpenShare = 0.1
    drop_modalities: Share = 0.0
    attention: bool = True
    regression: bool = True
    maps: bool = True
    baseline: Baseline | None = None
    from_maps: bool = True
    all_classes: bool = True
    map_weight: Weight = 1.0

    def _network(self) -> nn.Module:
        classes = len(self.scheme.classes)
        structures = [structure.values for structure in self.scheme.structures]
        strides = strides_for(self.size, isotropic=self.isotropic)
        if self.baseline is not None:
            query = query_of(structures, classes)
            given = (self.modalities, query, self.width, strides, self.dropout)
            return baseline_network(self.baseline, *given, all_classes=self.all_classes)
        return QCResUNetNetwork(
            self.modalities,
            classes,
            structures,
            width=self.width,
            strides=strides,
            dropout=self.dropout,
            drop_modalities=self.drop_modalities,
            attention=self.attention,
            regression=self.regression,
            maps=self.maps,
            from_maps=self.from_maps,
            all_classes=self.all_classes,
        )

    @property
    def explained_layer(self) -> str:
        """Layer whose features tell where the network looks; see ``qc.explain``.

        Where the Dice is read off the maps or begins from them it is the decoder's last, and what
        the head adds is not shown.
        """
        if self.baseline is not None:
            return "features"
        by_maps = self.maps and (self.from_maps or not self.regression)
        return "decoder.stages.2" if by_maps else "encoder.blocks.3"

    def dice_told(self, output: object, given: Tensor) -> Tensor:
        """The regressed Dice, or without regression the one that the maps imply."""
        scores, maps = cast(Outputs, output)
        if scores is not None:
            return scores[:, 0, : len(self.scheme.structures)]
        return implied_dice(masks_in(given, self.scheme), cast(Tensor, maps).sigmoid())

    def _losses(self, output: object, batch: Batch) -> dict[str, Tensor]:
        scores, maps = cast(Outputs, output)
        losses = {}
        if scores is not None:
            targets = torch.stack([batch.dice, batch.nsd], dim=1)
            if self.all_classes:
                targets = torch.cat([targets, batch.all_classes.unsqueeze(2)], dim=2)
            for name, found, true in zip(
                ("dice", "nsd"), scores.unbind(1), targets.unbind(1), strict=True
            ):
                losses[name] = mean_error(found, true, power=1)
        if maps is not None:
            errors, known = error_targets(batch.labels, batch.reference, self.scheme)
            losses["map_dice"] = self.map_weight * map_dice_loss(maps, errors, known)
            losses["map_ce"] = self.map_weight * map_entropy(maps, errors, known)
        return losses

    def _read(
        self, outputs: Sequence[object], frames: Sequence[Frame], boxes: Sequence[CropBox]
    ) -> list[Judged]:
        members = [cast(Outputs, output) for output in outputs]
        scores = _stacked([member.scores for member in members])
        logits = _stacked([member.maps for member in members])
        maps = None if logits is None else majority(torch.from_numpy(logits).sigmoid()).numpy()
        judged = []
        for number, (frame, box) in enumerate(zip(frames, boxes, strict=True)):
            estimated = None if scores is None else scores[:, number].mean(axis=0)
            cropped = None if maps is None else maps[number]
            judged.append(self._one(estimated, cropped, frame, box))
        return judged

    def _one(
        self,
        scores: NDArray[np.float32] | None,
        cropped: NDArray[np.float32] | None,
        frame: Frame,
        box: CropBox,
    ) -> Judged:
        """From scores ``[2, S]``, or ``[2, S + 1]`` with all, and maps ``[S, Z', Y', X']``."""
        error_maps = of_slices = nsd = of_all = None
        if cropped is not None:
            slices, rows, columns = frame.labels.shape
            whole = box.put_back(cropped, (slices, rows, columns), 0)
            error_maps = np.asarray(whole, dtype=np.float16)
            predicted = box.within(masks(frame.labels, self.scheme))
            corrected = predicted ^ (box.within(error_maps) > 0.5)
            of_slices = slice_dice(predicted, corrected)
            dice = np.nan_to_num(frame_dice(predicted, corrected))
        if scores is not None:
            structures = len(self.scheme.structures)
            dice, nsd = scores[:, :structures].astype(np.float64)
            of_all = scores[:, -1].astype(np.float64) if self.all_classes else None
        return Judged(dice, nsd, of_slices, error_maps, all_classes=of_all)


def error_targets(labels: Tensor, reference: Tensor, scheme: LabelScheme) -> tuple[Tensor, Tensor]:
    """Where a segmentation errs in each structure, and where that is known.

    Args:
        labels: Predicted classes, ``[B, Z, Y, X]``.
        reference: Classes or ``UNLABELLED``, likewise.
        scheme: Says which classes make up a structure.

    Returns:
        Errors, ``[B, S, Z, Y, X]`` bool, and known voxels, ``[B, 1, Z, Y, X]`` bool.
    """
    errors = [
        torch.isin(labels, values) ^ torch.isin(reference, values)
        for values in (
            torch.tensor(structure.values, device=labels.device) for structure in scheme.structures
        )
    ]
    known = (reference != UNLABELLED).unsqueeze(1)
    return torch.stack(errors, dim=1) & known, known


def map_dice_loss(logits: Tensor, errors: Tensor, known: Tensor) -> Tensor:
    """One minus the soft Dice of error maps over all voxels of a batch, mean of structures.

    Args:
        logits: ``[B, S, Z, Y, X]``.
        errors: True errors, likewise.
        known: Voxels that count, ``[B, 1, Z, Y, X]``.
    """
    found = logits.sigmoid() * known
    axes = (0, 2, 3, 4)
    both = (found * errors).sum(axes)
    sizes = found.sum(axes) + errors.sum(axes)
    return 1 - ((2 * both + SMOOTHING) / (sizes + SMOOTHING)).mean()


def map_entropy(logits: Tensor, errors: Tensor, known: Tensor) -> Tensor:
    """Mean binary cross-entropy of error maps over the voxels that count; 0 where none does.

    Args:
        logits: ``[B, S, Z, Y, X]``.
        errors: True errors, likewise.
        known: Voxels that count, ``[B, 1, Z, Y, X]``.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, errors.to(logits.dtype), reduction="none")
    counted = known.sum().clamp(min=1) * logits.shape[1]
    return (entropy * known).sum() / counted


def majority(probabilities: Tensor) -> Tensor:
    """Mean probability of those members that side with most, so that 0.5 parts as the vote does.

    Args:
        probabilities: Of each member, ``[N, ...]``; a tie counts as no error.

    Returns:
        ``[...]``.
    """
    votes = probabilities > 0.5
    won = votes.sum(dim=0) * 2 > len(votes)
    siding = votes == won
    return (probabilities * siding).sum(dim=0) / siding.sum(dim=0)


def _stacked(of_members: Sequence[Tensor | None]) -> NDArray[np.float32] | None:
    found = [tensor.cpu() for tensor in of_members if tensor is not None]
    return torch.stack(found).numpy() if found else None
