"""The supervised step."""

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from segmenters.augmentation import augment
from segmenters.losses import cross_entropy, dice_loss
from segmenters.sampler import SliceBatch
from segmenters.training import Checkpoint, TrainingSettings


class Supervised:
    """Dice and cross-entropy over augmented slices; keeps the average of the weights.

    Args:
        network: As ``fabric`` has set it up; maps ``[B, M, Y, X]`` to logits ``[B, C, Y, X]``.
        training: Augmentation, seed and average.
        mirror_axes: Axes along which the anatomy may be mirrored.
        fabric: Moves batches to the device.
    """

    def __init__(
        self,
        network: nn.Module,
        training: TrainingSettings,
        mirror_axes: tuple[str, ...],
        fabric: Fabric,
    ) -> None:
        self.network = network
        self.fabric = fabric
        self.training = training
        self.mirror_axes = mirror_axes
        self.plain: nn.Module = network.module  # type: ignore[assignment]
        self.average = None if training.ema is None else _average_of(self.plain, training.ema)

    @property
    def networks(self) -> dict[Checkpoint, nn.Module]:
        """The network, and that with the average of its weights where one is kept."""
        found: dict[Checkpoint, nn.Module] = {"last": self.plain}
        return found | ({"ema": self.average.module} if self.average else {})

    @property
    def result(self) -> nn.Module:
        """The network that a snapshot is of: the average where one is kept."""
        return self.average.module if self.average else self.plain

    def losses(self, batch: SliceBatch, iteration: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(self.training.seed * 1_000_003 + iteration)
        images, labels = augment(
            self.fabric.to_device(batch.images),
            self.fabric.to_device(batch.labels),
            self.training.augmentation,
            generator,
            self.mirror_axes,
        )
        logits = self.network(images).float()
        return {
            "dice_loss": dice_loss(logits, labels),
            "cross_entropy": cross_entropy(logits, labels),
        }

    def after_update(self) -> None:
        if self.average:
            self.average.update_parameters(self.plain)


def _average_of(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """A copy that follows the weights and buffers by an exponential moving average.

    Args:
        network: Whose weights are averaged; it is left as it is.
        decay: Share of the average that is kept at each update.
    """
    return torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay),
        use_buffers=True,
    )
