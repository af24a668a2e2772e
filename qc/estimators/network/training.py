"""How a network learns the quality of segmentations from batches of crops."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from qc.estimators.network.augmenting import Changes, augmented
from qc.estimators.network.crops import Batch, network_input
from qc.estimators.network.validation import BestWeights
from semiqc.images.prefetch import ahead
from semiqc.optimise import Report, optimise
from semiqc.schemes import LabelScheme

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CLIP = 12.0
"""Largest norm of the gradient."""
REPORT_EVERY = 10
"""Steps between two reports."""

Optimizer = Literal["adamw", "adam"]
OPTIMIZERS: dict[str, type[torch.optim.Adam] | type[torch.optim.AdamW]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
}

Losses = Callable[[object, Batch], dict[str, Tensor]]
"""Named terms that are minimised, of a network's output on a batch."""


@dataclass(frozen=True)
class NetworkTraining:
    """Adam on augmented crops.

    Args:
        scheme: Of the labels.
        steps: Of the optimizer.
        rate: Learning rate of each step, from 1.
        weight_decay: Of the optimizer.
        optimizer: ``adamw``, or ``adam`` with the decay in the gradient.
        augmentation: Probability of each change of the crops.
        changes: Which changes, see ``qc.estimators.network.augmenting``.
        seed: Of augmentation and of what the network draws.
        fabric: Device and precision.
    """

    scheme: LabelScheme
    steps: int
    rate: Callable[[int], float]
    weight_decay: float
    optimizer: Optimizer
    augmentation: float
    changes: Changes
    seed: int
    fabric: "Fabric"

    def run(
        self,
        network: nn.Module,
        batches: Iterator[Batch],
        losses: Losses,
        report: Report,
        held: Sequence[Batch] = (),
        steps_of_epoch: int = 1,
    ) -> None:
        """Train a network; it is then on the fabric's device.

        Args:
            network: With its first weights.
            batches: One for each step.
            losses: Of the network's output on a batch.
            report: Told the losses after every ``REPORT_EVERY`` steps.
            held: Whose loss after each epoch chooses the weights; none leaves the last.
            steps_of_epoch: Between two looks at these.
        """
        optimizer = OPTIMIZERS[self.optimizer](
            network.parameters(), lr=self.rate(1), weight_decay=self.weight_decay
        )
        wrapped, optimizer = self.fabric.setup(network, optimizer)
        network.train()
        step = _Regression(self, wrapped, losses)
        best = BestWeights(network, partial(step.loss_of, held), steps_of_epoch)
        step = replace(step, best=best if held else None)
        optimise(
            step,
            ahead(batches),
            optimizer,
            report=report,
            report_every=REPORT_EVERY,
            seed=self.seed,
            schedule=self.rate,
            clip=CLIP,
            fabric=self.fabric,
        )
        if held:
            best.restore()


@dataclass(frozen=True, eq=False)
class _Regression:
    """A step of a network on an augmented batch."""

    training: NetworkTraining
    network: nn.Module
    terms: Losses
    best: BestWeights | None = None

    def losses(self, batch: Batch, iteration: int) -> dict[str, Tensor]:
        own = self.training
        drawn = own.changes, own.augmentation, own.scheme, own.seed + iteration
        return self._losses(augmented(batch, *drawn))

    def after_update(self) -> None:
        if self.best is not None:
            self.best.after_step()

    @torch.no_grad()
    def loss_of(self, held: Sequence[Batch]) -> float:
        """Mean loss of frames, seen as they are."""
        self.network.eval()
        with self.training.fabric.autocast():
            found = [
                (len(batch.labels) * float(sum(self._losses(batch).values())), len(batch.labels))
                for batch in held
            ]
        self.network.train()
        return sum(loss for loss, _ in found) / sum(count for _, count in found)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        own = self.training
        batch = Batch(*(own.fabric.to_device(tensor) for tensor in vars(batch).values()))
        given = network_input(batch.images, batch.labels, own.scheme)
        return self.terms(self.network(given), batch)


def mean_error(found: Tensor, targets: Tensor, power: int) -> Tensor:
    """Mean of the ``power`` of absolute errors where the target is a number; else 0."""
    known = torch.isfinite(targets)
    # A target that is NaN would make the gradient NaN even where its error is not used.
    errors = (found - targets.nan_to_num()).abs() ** power
    return torch.where(known, errors, 0).sum() / known.sum().clamp(min=1)


def dice_of_areas(both: Tensor, total: Tensor) -> Tensor:
    """Dice from voxels in both, and in either added up, of any shape; NaN where there are none."""
    return torch.where(total > 0, 2 * both / total.clamp(min=1), torch.nan)
