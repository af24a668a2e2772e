"""Slices with what is said of their pixels, and batches of labelled and unlabelled ones."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices, their labels, and how much each pixel counts.

    Args:
        images: ``[B, M, Y, X]``.
        labels: Class of each pixel, or ``UNLABELLED`` where nothing is learned, ``[B, Y, X]``.
        weights: In [0, 1], ``[B, Y, X]``.
        probabilities: Of each class, where labels are soft, ``[B, C, Y, X]``.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor
    probabilities: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, which: slice | Tensor) -> "Slices":
        return self._each(lambda tensor: tensor[which])

    def rolled(self, by: int) -> "Slices":
        """Each slice in the place of the one ``by`` places later."""
        return self._each(lambda tensor: tensor.roll(-by, dims=0))

    def pasted(self, patch: "Slices", inside: Tensor) -> "Slices":
        """With all that a patch has in its place.

        Args:
            patch: As many slices; of it stands what lies inside.
            inside: Whether a pixel is the patch's, bool ``[B, Y, X]`` or ``[1, Y, X]``.
        """

        def mixed(own: Tensor, others: Tensor) -> Tensor:
            return torch.where(inside if own.ndim == 3 else inside.unsqueeze(1), others, own)

        soft = None
        if self.probabilities is not None and patch.probabilities is not None:
            soft = mixed(self.probabilities, patch.probabilities)
        return Slices(
            mixed(self.images, patch.images),
            mixed(self.labels, patch.labels),
            mixed(self.weights, patch.weights),
            soft,
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Slices":
        soft = self.probabilities
        return Slices(
            change(self.images),
            change(self.labels),
            change(self.weights),
            None if soft is None else change(soft),
        )


def joined(*parts: Slices) -> Slices:
    """Slices one after the other; all of them have probabilities or none."""
    soft = [part.probabilities for part in parts if part.probabilities is not None]
    return Slices(
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.weights for part in parts]),
        torch.cat(soft) if soft else None,
    )
