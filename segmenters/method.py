"""What sets one way of training a network apart from another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from segmenters.deep_supervision import DeepSupervision
from segmenters.training import Checkpoint, TrainingSettings
from semiqc.study import Study

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Studies of a training, by what they are used for.

    Args:
        studies: With an expert's labels.
        pseudo: With labels that a segmenter gave and a gate admitted.
        validation: On which the weights are evaluated now and then.
        unlabelled: Whose images are used; what they have as labels is what a label bank says of
            them, ``UNLABELLED`` where nothing may be learned, and their weight how often they are
            drawn.
    """

    studies: Sequence[Study]
    pseudo: Sequence[Study] = ()
    validation: Sequence[Study] = ()
    unlabelled: Sequence[Study] = ()

    @property
    def all(self) -> tuple[Study, ...]:
        """All studies."""
        return (*self.studies, *self.pseudo, *self.validation, *self.unlabelled)


@dataclass(frozen=True)
class Part:
    """A stretch of a training whose data change from stretch to stretch.

    Args:
        last: Number of its last step.
        before: File with the state that the stretch before left; None for the first.
    """

    last: int
    before: Path | None = None


class TrainingStep(Protocol):
    """The step of a method, with the networks that it trains; see ``semiqc.optimise.Step``."""

    fabric: "Fabric"

    @property
    def networks(self) -> Mapping[Checkpoint, nn.Module]:
        """The network of the last step, and the average of its weights where one is kept."""
        ...

    @property
    def result(self) -> nn.Module:
        """The network that a snapshot is of."""
        ...

    @property
    def others(self) -> Mapping[str, nn.Module]:
        """By name, further networks that a training leaves in its folder."""
        ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """By name, all that an unfinished training keeps: networks and averages."""
        ...

    def losses(self, batch: Any, iteration: int) -> dict[str, Tensor]:  # noqa: ANN401
        """Named scalar terms; their sum is minimised."""
        ...

    def after_update(self) -> None:
        """Called once the optimizer has moved the weights."""
        ...


class Batches(Protocol):
    """Batches by number; the batch of a number is always the same."""

    def batches(self, first: int, last: int) -> Iterator[Any]:
        """Batches of these numbers."""
        ...


@dataclass(frozen=True)
class Setup:
    """What a method's step is made of.

    Args:
        networks: As ``fabric`` has set them up, each mapping ``[B, M, Y, X]`` to logits
            ``[B, C, Y, X]``; as many as the method trains.
        training: Settings.
        mirror_axes: Axes along which the anatomy may be mirrored.
        fabric: Moves batches to the device.
        patch: Rows and columns of a slice in training.
        deep: Heads on coarser levels of the first network; None where these do not learn.
    """

    networks: Sequence[nn.Module]
    training: TrainingSettings
    mirror_axes: tuple[str, ...]
    fabric: "Fabric"
    patch: tuple[int, int] = field(default=(128, 128))
    deep: DeepSupervision | None = None

    @property
    def plain(self) -> list[nn.Module]:
        """The networks without what ``fabric`` wraps them in."""
        return [network.module for network in self.networks]  # type: ignore[misc]


class Method(Protocol):
    """A way of training: which batches it takes, and what its step does with them."""

    @property
    def count(self) -> int:
        """Number of networks that it trains; the first is the result."""
        ...

    def identity(self) -> Any:  # noqa: ANN401
        """Name and settings, as JSON takes them: what a training by it depends on."""
        ...

    def sampler(self, data: TrainingData, setup: Setup) -> Batches:
        """Its batches of the data.

        Raises:
            ValueError: If the data are not enough.
        """
        ...

    def step(self, setup: Setup) -> TrainingStep:
        """Its step, with new networks."""
        ...


def seeded(seed: int, iteration: int) -> torch.Generator:
    """Generator on the CPU of what an iteration draws."""
    return torch.Generator().manual_seed((seed * 1_000_003 + iteration) % 2**63)
