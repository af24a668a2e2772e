"""The search for the pair on a manifold that is nearest to a given one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qc.estimators.manifold.network import Pairs, pair_losses

MOMENTS = (0.9, 0.999)
"""Decays of Adam's two moments."""
WINDOW = 5
"""Steps over which the loss must have fallen for the search to go on."""

Decode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From latents to images and logits of the segmentation."""
Passed = Callable[[Tensor, Tensor], None]
"""Told which pairs are still searching, ``[A]``, and where they are, ``[A, latent]``."""


def unwatched(items: Tensor, latents: Tensor) -> None:
    """Watch no search."""


@dataclass(frozen=True)
class Search:
    """How the pair on the manifold is found that is nearest to a given one.

    Adam follows the gradient of every pair by itself. A pair whose loss has not fallen by the
    share ``tolerance`` within ``WINDOW`` steps is done and leaves the batch; of the latents that
    it passed, the one of lowest loss is taken.

    Args:
        steps: At most.
        learning_rate: Of Adam.
        tolerance: Share of the loss.
        image_weight: Of the squared error of the image beside the cross-entropy.
    """

    steps: int
    learning_rate: float
    tolerance: float
    image_weight: float

    def run(
        self,
        decode: Decode,
        start: Tensor,
        pairs: Pairs,
        passed: Passed = unwatched,
    ) -> Tensor:
        """The latents found, ``[B, latent]``.

        Args:
            decode: From latents to images and logits.
            start: Where the search starts, ``[B, latent]``.
            pairs: What is to be matched.
            passed: Told which items are still searching, ``[A]``, and where they are.
        """
        found = start.clone()
        state = _State.at(start)
        lowest = torch.full((len(start), self.steps), torch.inf, device=start.device)
        for step in range(self.steps):
            passed(state.items, state.latents)
            loss, gradient = self._descent(decode, state.latents, pairs.of(state.items))
            before = (
                lowest[state.items, step - 1] if step else loss.new_full(loss.shape, torch.inf)
            )
            is_lower = loss < before
            found[state.items[is_lower]] = state.latents[is_lower]
            lowest[state.items, step] = torch.minimum(loss, before)
            state = state.moved(gradient, self.learning_rate, step + 1)
            if step >= WINDOW:
                earlier = lowest[state.items, step - WINDOW]
                state = state.of(lowest[state.items, step] < (1 - self.tolerance) * earlier)
            if not len(state.items):
                break
        return found

    def _descent(
        self,
        decode: Decode,
        latents: Tensor,
        pairs: Pairs,
    ) -> tuple[Tensor, Tensor]:
        """Loss of each pair, ``[A]``, and its gradient, ``[A, latent]``."""
        with torch.enable_grad():
            latents = latents.detach().requires_grad_()
            segmentation, image = pair_losses(decode(latents), pairs)
            loss = segmentation + self.image_weight * image
            (gradient,) = torch.autograd.grad(loss.sum(), latents)
        return loss.detach(), gradient


@dataclass(frozen=True, eq=False)
class _State:
    """The pairs that are still searching, where they are, and Adam's moments."""

    items: Tensor
    latents: Tensor
    mean: Tensor
    square: Tensor

    @classmethod
    def at(cls, start: Tensor) -> "_State":
        items = torch.arange(len(start), device=start.device)
        return cls(items, start, torch.zeros_like(start), torch.zeros_like(start))

    def of(self, chosen: Tensor) -> "_State":
        return _State(*(tensor[chosen] for tensor in vars(self).values()))

    def moved(self, gradient: Tensor, rate: float, step: int) -> "_State":
        first, second = MOMENTS
        mean = first * self.mean + (1 - first) * gradient
        square = second * self.square + (1 - second) * gradient.square()
        unbiased = mean / (1 - first**step), square / (1 - second**step)
        latents = self.latents - rate * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
        return replace(self, latents=latents, mean=mean, square=square)
