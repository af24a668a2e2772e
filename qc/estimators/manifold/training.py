"""How the autoencoder of the manifold learns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from qc.base import ProgressCallback
from qc.estimators.manifold.network import Pairs, PairVAE, divergence, pair_losses
from qc.estimators.network.schedules import warmed_up
from qc.estimators.network.training import CLIP, REPORT_EVERY
from segmenters.augmentation import Augmentation, augment
from semiqc.optimise import optimise
from semiqc.schemes import BACKGROUND, UNLABELLED

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LARGEST_SHIFT = 0.2
"""Of a spoilt segmentation, as a share of the region."""
HOLE = 1 / 3
"""Rows and columns of the hole in a spoilt segmentation, likewise."""


@dataclass(frozen=True)
class PairTraining:
    """Settings of a training; see ``ManifoldSearch``."""

    steps: int
    batch_size: int
    learning_rate: float
    beta: float
    augmentation: float
    spoiling: float
    mirror_axes: tuple[str, ...]
    seed: int

    def run(
        self, network: PairVAE, pairs: Pairs, fabric: "Fabric", observe: ProgressCallback
    ) -> None:
        """Train on the slices in which something is labelled."""
        pairs = pairs.of((pairs.labels != UNLABELLED).flatten(1).any(dim=1))
        wrapped = network.to(fabric.device).train()
        optimizer = torch.optim.Adam(wrapped.parameters(), lr=self.learning_rate)
        optimise(
            _Reconstruction(wrapped, fabric, self.beta),
            self._batches(pairs, network.classes),
            optimizer,
            report=lambda step, values: observe(step, self.steps),
            report_every=REPORT_EVERY,
            seed=self.seed,
            schedule=lambda step: warmed_up(self.learning_rate, step / self.steps),
            clip=CLIP,
            fabric=fabric,
        )

    def _batches(self, pairs: Pairs, classes: int) -> Iterator[tuple[Pairs, Pairs]]:
        """Good pairs, and before them the same with some segmentations spoilt."""
        settings = gentle(self.augmentation)
        for step in range(1, self.steps + 1):
            rng = np.random.default_rng([self.seed, step])
            chosen = pairs.of(torch.from_numpy(rng.integers(len(pairs), size=self.batch_size)))
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            images, labels = augment(
                chosen.images.float(),
                chosen.labels.long(),
                settings,
                generator,
                self.mirror_axes,
            )
            images = images.clamp(0, 1)
            shown = spoilt(labels, classes, self.spoiling, generator)
            yield Pairs(images, shown), Pairs(images, labels)


class _Reconstruction:
    """A step: find each good pair again from a draw of the Gaussian of the one that is shown."""

    def __init__(self, network: PairVAE, fabric: "Fabric", beta: float) -> None:
        self.network = network
        self.fabric = fabric
        self.beta = beta

    def losses(self, batch: tuple[Pairs, Pairs], iteration: int) -> dict[str, Tensor]:
        shown, good = (pairs.on(self.fabric) for pairs in batch)
        with self.fabric.autocast():
            mean, log_variance = self.network.encode(shown)
            latents = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            decoded = self.network.decode(latents)
        segmentation, image = pair_losses(decoded, good)
        return {
            "segmentation": segmentation.mean(),
            "image": image.mean(),
            "divergence": self.beta * divergence(mean, log_variance).mean(),
        }

    def after_update(self) -> None:
        pass


def spoilt(labels: Tensor, classes: int, probability: float, generator: torch.Generator) -> Tensor:
    """Segmentations ``[B, Y, X]``, some of them lost, confused, shifted or with a hole."""
    found = labels.clone()
    for number in torch.nonzero(torch.rand(len(labels), generator=generator) < probability):
        kind = KINDS[int(torch.randint(len(KINDS), (), generator=generator))]
        known = labels[number[0]].clamp(min=BACKGROUND)
        found[number[0]] = kind(known, classes, generator)
    return torch.where(labels == UNLABELLED, UNLABELLED, found)


def lost(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """Nothing is segmented."""
    return torch.full_like(labels, BACKGROUND)


def confused(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """One class is taken for another, or missed."""
    taken = torch.randint(1, classes, (), generator=generator)
    return torch.where(labels == taken, torch.randint(classes, (), generator=generator), labels)


def shifted(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """The whole has moved; what leaves the region on one side comes back on the other."""
    shares = (2 * torch.rand(2, generator=generator) - 1) * LARGEST_SHIFT
    by = [round(float(n * share)) for n, share in zip(labels.shape, shares, strict=True)]
    return labels.roll(by, (0, 1))


def holed(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """A rectangle is missing."""
    found = labels.clone()
    places = torch.rand(2, generator=generator) * (1 - HOLE)
    rows, columns = (
        slice(round(float(n * place)), round(float(n * (place + HOLE))))
        for n, place in zip(labels.shape, places, strict=True)
    )
    found[rows, columns] = BACKGROUND
    return found


Kind = Callable[[Tensor, int, torch.Generator], Tensor]
KINDS: tuple[Kind, ...] = (lost, confused, shifted, holed)


def gentle(probability: float) -> Augmentation:
    """Changes that leave a good pair a good one, small enough for a few latent dimensions."""
    return Augmentation(
        probability=probability,
        spatial_probability=probability,
        mirror=False,
        aspect=0.0,
        bias=0.0,
        rotation=15.0,
        scale=(0.85, 1.15),
        shift=0.08,
        elastic=0.01,
        noise=0.0,
        blur=0.0,
        low_resolution=1.0,
    )
