"""How the autoencoder of the manifold learns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from qc.base import Observer
from qc.manifold_network import Pairs, PairVAE, divergence, pair_losses
from qc.network_estimator import CLIP, REPORT_EVERY, WARM_UP
from segmenters.augment import Augmentation, augment
from semiqc.optimise import optimise
from semiqc.study import UNLABELLED


@dataclass(frozen=True)
class PairTraining:
    """Settings of a training; see ``ManifoldSearch``."""

    steps: int
    batch_size: int
    learning_rate: float
    beta: float
    augmentation: float
    mirror_axes: tuple[str, ...]
    seed: int

    def run(self, network: PairVAE, pairs: Pairs, fabric: Fabric, observe: Observer) -> None:
        """Train on the slices in which something is labelled."""
        pairs = pairs.of((pairs.labels != UNLABELLED).flatten(1).any(dim=1))
        wrapped = network.to(fabric.device).train()
        optimizer = torch.optim.Adam(wrapped.parameters(), lr=self.learning_rate)
        optimise(
            _Reconstruction(wrapped, fabric, self.beta),
            self._batches(pairs),
            optimizer,
            report=lambda step, values: observe(step, self.steps),
            report_every=REPORT_EVERY,
            seed=self.seed,
            schedule=self._rate,
            clip=CLIP,
            fabric=fabric,
        )

    def _rate(self, step: int) -> float:
        done = step / self.steps
        return self.learning_rate * min(1.0, done / WARM_UP) * (1 - 0.99 * done)

    def _batches(self, pairs: Pairs) -> Iterator[Pairs]:
        settings = gentle(self.augmentation)
        for step in range(1, self.steps + 1):
            rng = np.random.default_rng([self.seed, step])
            chosen = pairs.of(torch.from_numpy(rng.integers(len(pairs), size=self.batch_size)))
            images, labels = augment(
                chosen.images.float(),
                chosen.labels.long(),
                settings,
                torch.Generator().manual_seed(int(rng.integers(2**62))),
                self.mirror_axes,
            )
            yield Pairs(images.clamp(0, 1), labels)


class _Reconstruction:
    """A step: reconstruct each pair from a draw of its Gaussian."""

    def __init__(self, network: PairVAE, fabric: Fabric, beta: float) -> None:
        self.network = network
        self.fabric = fabric
        self.beta = beta

    def losses(self, batch: Pairs, iteration: int) -> dict[str, Tensor]:
        batch = batch.on(self.fabric)
        with self.fabric.autocast():
            mean, log_variance = self.network.encode(batch)
            latents = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            decoded = self.network.decode(latents)
        segmentation, image = pair_losses(decoded, batch)
        return {
            "segmentation": segmentation.mean(),
            "image": image.mean(),
            "divergence": self.beta * divergence(mean, log_variance).mean(),
        }

    def after_update(self) -> None:
        pass


def gentle(probability: float) -> Augmentation:
    """Changes that leave a good pair a good one, small enough for a few latent dimensions."""
    return Augmentation(
        probability=probability,
        rotation=15.0,
        scale=(0.85, 1.15),
        shift=0.06,
        elastic=0.01,
        noise=0.0,
        blur=0.0,
        low_resolution=1.0,
    )
