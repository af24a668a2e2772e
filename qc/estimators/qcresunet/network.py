"""The network of QCResUNet: one encoder, a head for the scores, a decoder for the error maps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from qc.estimators.qcresunet.blocks import Aggregation, Decoder, Encoder, Triple

ISOTROPIC: tuple[Triple, ...] = ((2, 2, 2),) * 5
"""Steps ``(z, y, x)`` of the stem, its pooling and blocks 2 to 4, for brain volumes."""
ANISOTROPIC: tuple[Triple, ...] = (*((1, 2, 2),) * 4, (2, 2, 2))
"""Likewise for short-axis stacks, whose slices are few."""
LEAST = 3
"""Voxels that an axis keeps at least: instance normalisation says nothing of fewer."""


def strides_for(size: Triple, *, isotropic: bool) -> tuple[Triple, ...]:
    """Steps of the encoder; an axis that would keep fewer than ``LEAST`` is not stepped over.

    Args:
        size: Of the input, ``(Z, Y, X)``.
        isotropic: Whether slices are stepped over like rows and columns.
    """
    left, found = np.array(size), []
    for wanted in ISOTROPIC if isotropic else ANISOTROPIC:
        after = -(-left // wanted)
        is_enough = after >= LEAST
        found.append(tuple(np.where(is_enough, wanted, 1).tolist()))
        left = np.where(is_enough, after, left)
    return tuple(found)


class Outputs(NamedTuple):
    """What the network says of a batch.

    Args:
        scores: Dice and normalised surface Dice of each structure, in [0, 1], ``[B, 2, S]``, or
            ``[B, 2, S + 1]`` with those of all classes at once; None without regression.
        maps: Logits that a voxel is wrongly in a structure or wrongly not, ``[B, S, Z, Y, X]``;
            None without maps.
    """

    scores: Tensor | None
    maps: Tensor | None


class QCResUNetNetwork(nn.Module):
    """A 3-D ResNet-34 with a shallow decoder that starts at its third block.

    Reference:
        Qiu et al., "QCResUNet: Joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025. https://arxiv.org/abs/2412.07156
        He et al., "Deep residual learning for image recognition", CVPR 2016: the encoder.
        https://doi.org/10.1109/CVPR.2016.90
        Wang et al., "ECA-Net", CVPR 2020: the attention.
        https://doi.org/10.1109/CVPR42600.2020.01155
        Ours: Dice and surface Dice of each structure beside the paper's one pair over all
        classes, squashed by a sigmoid. The paper names four of the five steps of its encoder:
        those from the pooling on; the stem's is the first of them. An axis of few voxels is halved
        less often, which changes nothing at the paper's sizes. The maps' last layer learns faster,
        see ``GAIN`` in ``blocks.py``.

    Args:
        modalities: Of the images.
        classes: Of the segmentation, the background being 0.
        structures: Label values of each structure; their masks are the query.
        width: Channels of the stem and the first block; 32 in the paper, 16.6 M parameters.
        strides: Of the encoder, see ``strides_for``.
        dropout: Share of channels that each residual block zeroes in training.
        drop_modalities: Probability that a modality is zeroed in training; one always stays.
        attention: Weigh decoder features and query before the maps; without, the maps are read
            off the decoder's features alone.
        regression: Give scores.
        maps: Give error maps.
        from_maps: Where both are given, let the scores begin from the Dice that the maps imply.
        all_classes: Give the scores of all classes at once, too.

    Raises:
        ValueError: If it were to give neither scores nor maps.
    """

    query: Tensor

    def __init__(
        self,
        modalities: int,
        classes: int,
        structures: Sequence[Sequence[int]],
        *,
        width: int = 32,
        strides: Sequence[Triple] = ANISOTROPIC,
        dropout: float = 0.3,
        drop_modalities: float = 0.0,
        attention: bool = True,
        regression: bool = True,
        maps: bool = True,
        from_maps: bool = True,
        all_classes: bool = True,
    ) -> None:
        super().__init__()
        if not (regression or maps):
            raise ValueError("regression and maps are both off, nothing would be estimated")
        self.modalities = modalities
        self.drop_modalities = drop_modalities
        self.register_buffer("query", query_of(structures, classes), persistent=False)
        given = modalities + len(structures)
        self.encoder = Encoder(given, width, strides, dropout, deepest=regression)
        self.all_classes = all_classes
        told = len(structures) + all_classes
        self.head = nn.Linear(8 * width, 2 * told) if regression else None
        # How far the implied Dice counts, for each score and structure.
        is_joined = regression and maps and from_maps
        self.trust = nn.Parameter(torch.ones(2, told)) if is_joined else None
        self.decoder = Decoder(width) if maps else None
        self.aggregation = (
            Aggregation(width, len(structures), attention=attention) if maps else None
        )
        # In bfloat16 a third faster on a CPU; in single precision alike.
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, given: Tensor) -> Outputs:
        """Estimate from images and one-hot segmentation, ``[B, M + C, Z, Y, X]``."""
        images, one_hot = given[:, : self.modalities], given[:, self.modalities :]
        if self.training and self.drop_modalities:
            images = images * kept_modalities(images, self.drop_modalities)
        query = torch.einsum("sc,bczyx->bszyx", self.query, one_hot).float()
        levels = self.encoder(torch.cat([images, query], dim=1))
        scores = maps = None
        if self.decoder is not None and self.aggregation is not None:
            maps = self.aggregation(self.decoder(levels[:4]), query).float()
        if self.head is not None:
            logits = self.head(levels[-1].mean(dim=(2, 3, 4))).float().unflatten(1, (2, -1))
            if self.trust is not None and maps is not None:
                implied = implied_dice(query, maps.sigmoid(), with_all=self.all_classes)
                logits = logits + self.trust * implied.logit(eps=0.01).unsqueeze(1)
            scores = logits.sigmoid()
        return Outputs(scores, maps)


def query_of(structures: Sequence[Sequence[int]], classes: int) -> Tensor:
    """Which classes make up each structure, ``[S, C]`` of 0 and 1."""
    query = torch.zeros(len(structures), classes)
    for row, values in zip(query, structures, strict=True):
        row[list(values)] = 1
    return query


def implied_dice(query: Tensor, errors: Tensor, *, with_all: bool = False) -> Tensor:
    """Dice of each structure if voxels are wrong with the probability that a map says.

    Args:
        query: Masks of the segmentation, ``[B, S, Z, Y, X]``.
        errors: Probability that a voxel is wrongly in the structure or wrongly not, likewise.
        with_all: Count the voxels of all structures together, too.

    Returns:
        ``[B, S]``, or ``[B, S + 1]`` with all; 1 where nothing is segmented and nothing is said
        to be missing.
    """
    axes = (2, 3, 4)
    kept = (query * (1 - errors)).sum(axes)
    missed = ((1 - query) * errors).sum(axes)
    segmented = query.sum(axes)
    if with_all:
        kept, missed, segmented = (
            torch.cat([of_each, of_each.sum(1, keepdim=True)], dim=1)
            for of_each in (kept, missed, segmented)
        )
    return (2 * kept + 1) / (segmented + kept + missed + 1)


def kept_modalities(images: Tensor, probability: float) -> Tensor:
    """Which modalities stay, ``[B, M, 1, 1, 1]`` of 0 and 1: each may be lost, never all.

    Args:
        images: ``[B, M, Z, Y, X]``.
        probability: With which each modality is lost.
    """
    chances = torch.rand(images.shape[:2], device=images.device)
    kept = (chances >= probability) | (chances == chances.amax(dim=1, keepdim=True))
    return kept.to(images.dtype)[:, :, None, None, None]
