"""Coarser levels of a decoder that learn, too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class DeepSupervision(nn.Module):
    """A head on each of a decoder's coarser levels, thrown away once the network is trained.

    The logits of a level are compared with the labels of its resolution. Each level counts half
    as much as the next finer one, in sum 1.

    Reference:
        Lee et al., "Deeply-Supervised Nets", AISTATS 2015; weights as in Isensee et al.,
        "nnU-Net: a self-configuring method for deep learning-based biomedical image
        segmentation", Nature Methods 2021. https://doi.org/10.1038/s41592-020-01008-z

    Args:
        levels: Modules that give features ``[B, F, Y, X]``, each with half the resolution of the
            one before; the first has half that of the images.
        filters: ``F`` of each.
        classes: To tell apart.
    """

    def __init__(self, levels: Sequence[nn.Module], filters: Sequence[int], classes: int) -> None:
        super().__init__()
        # In a tuple, which does not register them: they are the network's.
        self._levels = tuple(levels)
        self.heads = nn.ModuleList(nn.Conv2d(count, classes, 1) for count in filters)

    @property
    def shares(self) -> list[float]:
        """Of the loss, the images' resolution first; they sum to 1."""
        halved = [0.5**level for level in range(len(self.heads) + 1)]
        return [share / sum(halved) for share in halved]

    @contextmanager
    def heard(self) -> Iterator[list[Tensor]]:
        """The logits of each level, filled in when the network is called within the block."""
        found: list[Tensor] = []

        def hear(head: nn.Module, features: Tensor) -> None:
            found.insert(0, head(features))

        # A decoder runs from coarse to fine: the finest level is heard last and comes first.
        hooks = [
            level.register_forward_hook(lambda _m, _given, output, head=head: hear(head, output))
            for level, head in zip(self._levels, self.heads, strict=True)
        ]
        try:
            yield found
        finally:
            for hook in hooks:
                hook.remove()


def coarser(pixels: Tensor, level: int) -> Tensor:
    """Every ``2 ** level``-th row and column of pixels, ``[B, Y, X]``."""
    step = int(2**level)
    return pixels[:, ::step, ::step]


def pooled(terms: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The sum of terms, each times its share."""
    return torch.stack([term * share for term, share in zip(terms, shares, strict=True)]).sum()
