"""How a network learns the quality of segmentations from batches of crops."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from qc.estimators.network.crops import Batch, augmented, network_input
from semiqc.images.prefetch import ahead
from semiqc.optimise import Report, optimise
from semiqc.schemes import LabelScheme

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CLIP = 12.0
"""Largest norm of the gradient."""
REPORT_EVERY = 10
"""Steps between two reports."""
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""

Losses = Callable[[object, Batch], dict[str, Tensor]]
"""Named terms that are minimised, of a network's output on a batch."""


@dataclass(frozen=True)
class NetworkTraining:
    """AdamW with a warm-up, then a learning rate that falls, on augmented crops.

    Args:
        scheme: Of the labels.
        steps: Of the optimizer.
        learning_rate: At its highest.
        weight_decay: Of AdamW.
        augmentation: Probability of each change of the crops.
        seed: Of augmentation and of what the network draws.
        fabric: Device and precision.
    """

    scheme: LabelScheme
    steps: int
    learning_rate: float
    weight_decay: float
    augmentation: float
    seed: int
    fabric: "Fabric"

    def run(
        self, network: nn.Module, batches: Iterator[Batch], losses: Losses, report: Report
    ) -> None:
        """Train a network; it is then on the fabric's device.

        Args:
            network: With its first weights.
            batches: One for each step.
            losses: Of the network's output on a batch.
            report: Told the losses after every ``REPORT_EVERY`` steps.
        """
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        wrapped, optimizer = self.fabric.setup(network, optimizer)
        network.train()
        optimise(
            _Regression(self, wrapped, losses),
            ahead(batches),
            optimizer,
            report=report,
            report_every=REPORT_EVERY,
            seed=self.seed,
            schedule=lambda step: warmed_up(self.learning_rate, step / self.steps),
            clip=CLIP,
            fabric=self.fabric,
        )


@dataclass(frozen=True, eq=False)
class _Regression:
    """A step of a network on an augmented batch."""

    training: NetworkTraining
    network: nn.Module
    terms: Losses

    def losses(self, batch: Batch, iteration: int) -> dict[str, Tensor]:
        own = self.training
        moved = augmented(batch, own.augmentation, own.scheme, own.seed + iteration)
        batch = Batch(*(own.fabric.to_device(tensor) for tensor in vars(moved).values()))
        given = network_input(batch.images, batch.labels, own.scheme)
        return self.terms(self.network(given), batch)

    def after_update(self) -> None:
        pass


def warmed_up(highest: float, done: float) -> float:
    """Learning rate after a share of the steps: it rises for ``WARM_UP``, and falls linearly."""
    return highest * min(1.0, done / WARM_UP) * (1 - 0.99 * done)


def mean_error(found: Tensor, targets: Tensor, power: int) -> Tensor:
    """Mean of the ``power`` of absolute errors where the target is a number; else 0."""
    known = torch.isfinite(targets)
    # A target that is NaN would make the gradient NaN even where its error is not used.
    errors = (found - targets.nan_to_num()).abs() ** power
    return torch.where(known, errors, 0).sum() / known.sum().clamp(min=1)


def dice_of_areas(both: Tensor, total: Tensor) -> Tensor:
    """Dice from voxels in both, and in either added up, of any shape; NaN where there are none."""
    return torch.where(total > 0, 2 * both / total.clamp(min=1), torch.nan)
