"""Crops around segmentations, as networks see them, and what lies beyond them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qc.estimators.frame_estimator import Judged
from qc.frames import Frame, GradedFrame
from semiqc.images.crop import CropBox, box_around, share_of_dice
from semiqc.measuring.masks import masks
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops around segmentations, with what is known of them.

    Args:
        images: ``[B, M, Z, Y, X]`` float32.
        labels: Predicted classes, ``[B, Z, Y, X]`` int64.
        reference: Classes or ``UNLABELLED``, ``[B, Z, Y, X]`` int64; ``UNLABELLED`` where the
            crop reaches beyond the frame.
        dice: Of the frames, as far as they lie within the crop's rows and columns, ``[B, S]``; NaN
            where a structure is in neither.
        nsd: Likewise, where the estimator ``needs_nsd``; else NaN.
        all_classes: Dice and surface Dice of all classes at once, likewise, ``[B, 2]``; NaN where
            nobody asks.
    """

    images: Tensor
    labels: Tensor
    reference: Tensor
    dice: Tensor
    nsd: Tensor
    all_classes: Tensor


@dataclass(frozen=True, eq=False)
class CroppedFrames:
    """Graded frames to learn from, of which batches of crops are made.

    Args:
        frames: ``N`` of them.
        dice: True, ``[N, S]``.
        nsd: True surface Dice, ``[N, S]``; NaN where nobody asks.
        all_classes: True Dice and surface Dice of all classes at once, ``[N, 2]``, likewise.
        scheme: Of the labels.
        size: Slices, rows and columns of a crop.
        needs_reference: Whether a frame without a reference is refused.
    """

    frames: Sequence[GradedFrame]
    dice: NDArray[np.float64]
    nsd: NDArray[np.float64]
    all_classes: NDArray[np.float64]
    scheme: LabelScheme
    size: tuple[int, int, int]
    needs_reference: bool

    def batch(self, drawn: NDArray[np.intp]) -> Batch:
        """The crops of the frames with these numbers."""
        images, labels, references, shares, of_all = [], [], [], [], []
        for index in drawn:
            graded = self.frames[index]
            frame, reference = graded.frame(), self._reference(graded)
            box = box_around(frame.labels, self.size)
            images.append(box.cut(frame.image, 0))
            labels.append(box.cut(frame.labels, BACKGROUND))
            references.append(box.cut(reference, UNLABELLED))
            shares.append(share_of_dice(*_areas(frame, box, self.scheme).sum(axis=-1)))
            of_all.append([_share_of_all(frame.labels, box)])
        dice, nsd = (_within_crop(of[drawn], np.array(shares)) for of in (self.dice, self.nsd))
        all_classes = _within_crop(self.all_classes[drawn], np.array(of_all))
        return Batch(
            images=torch.from_numpy(np.stack(images)),
            labels=torch.from_numpy(np.stack(labels)).long(),
            reference=torch.from_numpy(np.stack(references)).long(),
            dice=torch.from_numpy(dice).float(),
            nsd=torch.from_numpy(nsd).float(),
            all_classes=torch.from_numpy(all_classes).float(),
        )

    def _reference(self, graded: GradedFrame) -> NDArray[np.int8]:
        if graded.graded.reference is None and not self.needs_reference:
            return np.full(graded.graded.prediction.labels.shape[1:], UNLABELLED, dtype=np.int8)
        return graded.reference()


def network_input(images: Tensor, labels: Tensor, scheme: LabelScheme) -> Tensor:
    """Images ``[B, M, Z, Y, X]`` and labels ``[B, Z, Y, X]``, one-hot, as ``[B, M + C, ...]``."""
    classes = torch.arange(len(scheme.classes), device=labels.device)
    one_hot = labels.unsqueeze(1) == classes.view(1, -1, 1, 1, 1)
    return torch.cat([images, one_hot.to(images.dtype)], dim=1)


def masks_in(given: Tensor, scheme: LabelScheme) -> Tensor:
    """Where each structure is, ``[B, S, ...]``, in what ``network_input`` gave."""
    one_hot = given[:, -len(scheme.classes) :]
    return torch.stack([one_hot[:, list(part.values)].sum(1) for part in scheme.structures], dim=1)


def _areas(frame: Frame, box: CropBox, scheme: LabelScheme) -> NDArray[np.int64]:
    """Voxels of each structure and slice in the box, and anywhere: ``[2, S, Z]``."""
    predicted = masks(frame.labels, scheme)
    return np.stack([box.within(predicted).sum((-2, -1)), predicted.sum((-2, -1))])


def _share_of_all(labels: NDArray[np.int8], box: CropBox) -> float:
    """What is left of the Dice of all classes once what is segmented beyond the box counts."""
    segmented = labels != BACKGROUND
    return float(share_of_dice(box.within(segmented).sum(), segmented.sum()))


def _within_crop(
    of_frames: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Dice of a crop from that of its frame; NaN where the crop shows nothing of it."""
    shown = np.where(share > 0, share, np.nan)
    return np.asarray(np.minimum(of_frames / shown, 1))


def _overall_beyond(
    told: NDArray[np.float64], labels: NDArray[np.int8], box: CropBox
) -> NDArray[np.float64]:
    """Dice of background and foreground in the frame, from those in the box, ``[2]``.

    What is segmented beyond the box is wrong, and background there right.
    """
    planes = np.stack([labels == BACKGROUND, labels != BACKGROUND])
    within = np.array([box.within(plane).sum() for plane in planes])
    whole = planes.sum(axis=(1, 2, 3))
    beyond = int(whole[0] - within[0])
    background = (told[0] * within[0] + beyond) / max(int(whole[0]), 1)
    return np.array([background, told[1] * share_of_dice(within[1], whole[1])])


def with_beyond(judged: Judged, frame: Frame, box: CropBox, scheme: LabelScheme) -> Judged:
    """What is said of a frame once what is segmented beyond the box counts too."""
    within, whole = _areas(frame, box, scheme)
    share = share_of_dice(within.sum(axis=-1), whole.sum(axis=-1))
    of_slices, maps = judged.slice_dice, judged.error_maps
    if of_slices is not None:
        is_seen = (within > 0) | (whole == 0)
        by_slice = np.where(whole > 0, share_of_dice(within, whole), 1)
        of_slices = np.where(is_seen, of_slices * by_slice, 0)
    if maps is not None and (within < whole).any():
        is_wrong = masks(frame.labels, scheme)
        box.within(is_wrong)[:] = False
        maps = np.where(is_wrong, np.float16(1), maps)
    return replace(
        judged,
        dice=judged.dice * share,
        nsd=None if judged.nsd is None else judged.nsd * share,
        slice_dice=of_slices,
        error_maps=maps,
        overall=None
        if judged.overall is None
        else _overall_beyond(judged.overall, frame.labels, box),
        all_classes=None
        if judged.all_classes is None
        else judged.all_classes * _share_of_all(frame.labels, box),
    )
