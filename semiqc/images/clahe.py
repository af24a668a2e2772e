"""Contrast-limited adaptive histogram equalisation of whole batches, on whatever device."""

import torch
from torch import Tensor

TILES = 8
"""Along each axis, as usual."""
BINS = 64
"""Of a tile's histogram: a tile of a cropped heart has few pixels."""


@torch.no_grad()
def clahe(images: Tensor, limit: float = 2.0) -> Tensor:
    """Images whose contrast is evened out within tiles, without raising noise beyond a limit.

    Reference:
        Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV 1994.
        https://doi.org/10.1016/B978-0-12-336156-1.50061-6

    Args:
        images: ``[..., Y, X]``, of any range; each is taken from its own lowest to highest.
        limit: Highest bin of a tile's histogram, as a multiple of the mean bin.

    Returns:
        In [0, 1], of the same shape; 0 where an image has but one value.
    """
    height, width = images.shape[-2:]
    flat = images.reshape(-1, height, width)
    low, high = flat.amin((1, 2), keepdim=True), flat.amax((1, 2), keepdim=True)
    bins = ((flat - low) / (high - low).clamp(min=1e-12) * (BINS - 1)).round().long()
    tiles_y, tiles_x = min(TILES, height), min(TILES, width)
    own_y = _tile(height, tiles_y, images.device)
    own_x = _tile(width, tiles_x, images.device)
    curves = _curves(bins, own_y[:, None] * tiles_x + own_x, tiles_y * tiles_x, limit)
    equalised = _between_tiles(flat, bins, curves, (tiles_y, tiles_x))
    return torch.where(high > low, equalised, 0).view_as(images)


def _between_tiles(flat: Tensor, bins: Tensor, curves: Tensor, tiles: tuple[int, int]) -> Tensor:
    """New intensity of each pixel by the curves of the four tiles around it, ``[N, Y, X]``."""
    height, width = flat.shape[1:]
    equalised = torch.zeros_like(flat)
    for y, share_y in _neighbours(height, tiles[0], flat):
        for x, share_x in _neighbours(width, tiles[1], flat):
            index = (y[:, None] * tiles[1] + x) * BINS + bins
            value = curves.flatten(1).gather(1, index.flatten(1)).view_as(flat)
            equalised += share_y[:, None] * share_x * value
    return equalised


def _tile(length: int, tiles: int, device: torch.device) -> Tensor:
    """Tile of each pixel along one axis."""
    return torch.arange(length, device=device) * tiles // length


def _curves(bins: Tensor, tile: Tensor, tiles: int, limit: float) -> Tensor:
    """New intensity of each old one, ``[N, tiles, BINS]``: the clipped histogram, summed up."""
    count = len(bins)
    index = (tile * BINS + bins).flatten(1)
    ones = torch.ones((), device=bins.device).expand(index.shape)
    histogram = torch.zeros(count, tiles * BINS, device=bins.device).scatter_add_(1, index, ones)
    share = histogram.view(count, tiles, BINS)
    share = share / share.sum(-1, keepdim=True)
    clipped = share.clamp(max=limit / BINS)
    excess = 1 - clipped.sum(-1, keepdim=True)
    return (clipped + excess / BINS).cumsum(-1).clamp(max=1)


def _neighbours(length: int, tiles: int, like: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The two tiles whose centres lie around each pixel of an axis, and their shares in it."""
    pixels = torch.arange(length, device=like.device, dtype=like.dtype)
    position = ((pixels + 0.5) * tiles / length - 0.5).clamp(0, tiles - 1)
    first = position.floor()
    share = position - first
    second = (first + 1).clamp(max=tiles - 1)
    return [(first.long(), 1 - share), (second.long(), share)]
