"""Supervised training."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from segmenters.augmentation import augment, labels_and_weights, with_weights
from segmenters.deep_supervision import coarser, pooled
from segmenters.losses import cross_entropy, dice_loss
from segmenters.method import Setup, TrainingData, seeded
from segmenters.sampler import SliceBatch, SliceSampler
from segmenters.training import Checkpoint

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class SupervisedMethod:
    """Learns from labels, an expert's or pseudo-labels; see ``segmenters.method.Method``."""

    count: int = 1

    def identity(self) -> Any:  # noqa: ANN401
        return "supervised"

    def sampler(self, data: TrainingData, setup: Setup) -> SliceSampler:
        training = setup.training
        return SliceSampler(
            data.studies,
            data.pseudo,
            batch_size=training.batch_size,
            patch=setup.patch,
            pseudo_ratio=training.pseudo_ratio,
            foreground=training.foreground,
            seed=training.seed,
        )

    def step(self, setup: Setup) -> "Supervised":
        return Supervised(setup)


class Student:
    """A network that learns, and the average of its weights; see ``TrainingStep``.

    What it learns from is for a subclass to say, in ``losses``.

    Args:
        setup: Of its networks the first is the student.
    """

    def __init__(self, setup: Setup) -> None:
        self.network = setup.networks[0]
        self.plain = setup.plain[0]
        self.fabric = setup.fabric
        self.training = setup.training
        self.mirror_axes = setup.mirror_axes
        decay = setup.training.ema
        self.average = None if decay is None else average_of(self.plain, decay)

    @property
    def networks(self) -> dict[Checkpoint, nn.Module]:
        """The network, and that with the average of its weights where one is kept."""
        found: dict[Checkpoint, nn.Module] = {"last": self.plain}
        return found | ({"ema": self.average.module} if self.average else {})

    @property
    def result(self) -> nn.Module:
        """The network that a snapshot is of: the average where one is kept."""
        return self.average.module if self.average else self.plain

    @property
    def others(self) -> dict[str, nn.Module]:
        """None."""
        return {}

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The network and the average."""
        found: dict[str, nn.Module] = {"network": self.plain}
        return found | ({"average": self.average} if self.average else {})

    def after_update(self) -> None:
        if self.average:
            self.average.update_parameters(self.plain)


class Supervised(Student):
    """Dice and cross-entropy over augmented slices.

    Args:
        setup: Of its networks the first is the student.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.deep = setup.deep

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The network, the average, and the heads of coarser levels that learn."""
        return super().modules | ({} if self.deep is None else {"deep": self.deep})

    def losses(self, batch: SliceBatch, iteration: int) -> dict[str, Tensor]:
        images, labels, weights = self._augmented(batch, iteration)
        if self.deep is None:
            return self._compared(self.network(images), labels, weights)
        with self.deep.heard() as of_levels:
            logits = [self.network(images), *of_levels]
        found = [
            self._compared(
                one, coarser(labels, level), None if weights is None else coarser(weights, level)
            )
            for level, one in enumerate(logits)
        ]
        return {
            name: pooled([terms[name] for terms in found], self.deep.shares) for name in found[0]
        }

    def _compared(
        self, logits: Tensor, labels: Tensor, weights: Tensor | None
    ) -> dict[str, Tensor]:
        logits, background = logits.float(), self.training.dice_background
        return {
            "dice_loss": dice_loss(logits, labels, weights, background=background),
            "cross_entropy": cross_entropy(logits, labels, weights),
        }

    def _augmented(
        self, batch: SliceBatch, iteration: int
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Images, labels, and weights where the pixels do not all count alike."""
        known = batch.labels
        if batch.weights is not None:
            known = with_weights(batch.labels, batch.weights)
        images, labels = augment(
            self.fabric.to_device(batch.images),
            self.fabric.to_device(known),
            self.training.augmentation,
            seeded(self.training.seed, iteration),
            self.mirror_axes,
        )
        if batch.weights is None:
            return images, labels, None
        return images, *labels_and_weights(labels)


@torch.no_grad()
def probabilities(network: nn.Module, images: Tensor, fabric: "Fabric") -> Tensor:
    """What a network that is not trained says of images ``[B, M, Y, X]``, ``[B, C, Y, X]``."""
    with fabric.autocast():
        logits: Tensor = network(images)
    return logits.float().softmax(dim=1)


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """A copy that follows the weights and buffers by an exponential moving average.

    It predicts as a network that is not trained does: without dropout, with the averages of the
    normalisation.

    In the first updates less of the average is kept, ``n / (n + 10)`` after ``n`` updates, so that
    the weights at the start are forgotten in short trainings too.

    Args:
        network: Whose weights are averaged; it is left as it is.
        decay: Share of the average that is kept at each update.
    """

    @torch.no_grad()
    def update(averages: list[Tensor], weights: list[Tensor], _: Tensor) -> None:
        # The count given is on the weights' device; this one is not, and no GPU is waited for.
        done = int(average.n_averaged)
        kept = min(decay, done / (done + 10))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, weights, 1 - kept)
        else:
            torch._foreach_copy_(averages, weights)

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)  # type: ignore[arg-type]
    return average.eval()
