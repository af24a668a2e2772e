"""Which pixels a mixture takes from another slice."""

import math

import torch
from torch import Tensor

AREA = (0.02, 0.4)
ASPECT = (0.3, 1 / 0.3)
"""Of a CutMix box: its share of the slice, and rows over columns."""


def copy_paste_box(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A box of two thirds of each side, anywhere: bool ``[1, Y, X]``.

    Reference:
        Bai et al., "Bidirectional Copy-Paste for Semi-Supervised Medical Image Segmentation",
        CVPR 2023. https://doi.org/10.1109/CVPR52729.2023.01108
    """
    sides = torch.tensor([[2 * length // 3 for length in size]])
    spare = torch.tensor([size]) - sides
    corners = (torch.rand(1, 2, generator=generator) * spare).long()
    return _boxes(corners, corners + sides, size)


def cutmix_boxes(
    count: int, size: tuple[int, int], generator: torch.Generator, probability: float = 0.5
) -> Tensor:
    """A box for some of the slices, by area and aspect: bool ``[B, Y, X]``.

    Reference:
        Yang et al., "Revisiting Weak-to-Strong Consistency in Semi-Supervised Semantic
        Segmentation", CVPR 2023. https://doi.org/10.1109/CVPR52729.2023.00699
        Ours: a box longer than the slice is cut off, not drawn anew.

    Args:
        count: Of slices.
        size: Rows and columns.
        generator: Of all that is drawn.
        probability: That a slice has a box.
    """
    area, aspect, chance = torch.rand(3, count, generator=generator)
    area = (AREA[0] + (AREA[1] - AREA[0]) * area) * math.prod(size)
    aspect = ASPECT[0] + (ASPECT[1] - ASPECT[0]) * aspect
    sides = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=1)
    sides = sides.round().long().minimum(torch.tensor([size]))
    sides = sides * (chance < probability).unsqueeze(1)
    spare = torch.tensor([size]) - sides
    corners = (torch.rand(count, 2, generator=generator) * (spare + 1)).long()
    return _boxes(corners, corners + sides, size)


def beta_boxes(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A box for each slice, whose area is one minus a draw of Beta(4, 4): bool ``[B, Y, X]``.

    Reference:
        Zhao et al., "Alternate Diverse Teaching for Semi-supervised Medical Image Segmentation",
        ECCV 2024. https://arxiv.org/abs/2311.17325

    Args:
        count: Of slices.
        size: Rows and columns.
        generator: Of all that is drawn.
    """
    # The median of seven uniform draws is one of Beta(4, 4).
    kept = torch.rand(count, 7, generator=generator).median(dim=1).values
    whole = torch.tensor([size])
    sides = ((1 - kept).sqrt().unsqueeze(1) * whole).long()
    centres = whole / 8 + torch.rand(count, 2, generator=generator) * (whole - whole / 8)
    first = centres.long() - sides // 2
    return _boxes(first, first + sides, size)


def _boxes(first: Tensor, end: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes from the first to before the last row and column, both ``[B, 2]``."""
    rows, columns = (
        (torch.arange(length) >= first[:, axis, None])
        & (torch.arange(length) < end[:, axis, None])
        for axis, length in enumerate(size)
    )
    return rows.unsqueeze(2) & columns.unsqueeze(1)
