"""Cross pseudo supervision."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from loops.online.labels import check_shares, need_average, pseudo_labelled
from loops.online.ramp import ramp
from loops.online.sampler import TwoStreamBatch, TwoStreams, halves
from loops.online.slices import Slices
from loops.online.terms import loss_terms, summed
from loops.online.views import strong, usual, weak
from segmenters.method import Setup, TrainingData, seeded
from segmenters.step import Student, average_of, probabilities
from semiqc.work.bounds import Amount, Share, Weight

PEER = "peer"
"""Name of the file that the second network is left in."""


@dataclass(frozen=True)
class CPS:
    """Two networks, each of which learns unlabelled slices by the labels of the other.

    Half of ``batch_size`` are labelled slices, the same for both networks. The first network is
    the result; the average of the second is left beside it, as ``peer.safetensors``.

    Reference:
        Chen et al., "Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision", CVPR
        2021. https://arxiv.org/abs/2106.01226
        Ours: the moving average of a network labels the weak view, and the other learns a strong
        view of its own; Dice beside cross-entropy; an early weight. Optimizer and augmentation are
        those of the training.

    Two networks that start from the same weights would remain the same. Here each draws colours
    and dropped features of its own, and the second starts beside those weights.
    """

    confidence: Share = 0.0
    """Probability in the average that a pixel's class must have, in [0, 1]."""
    largest_component: bool = True
    """Whether the label of a structure is its largest component in each slice."""
    weight: Weight = 1.0
    """Of the loss over unlabelled slices, beside 1 for labelled ones."""
    ramp: Share = 0.1
    """Share of the steps in which that weight grows, in [0, 1]."""
    jitter: Share = 0.5
    """Probability of each strong change of intensity in the strong views, in [0, 1]."""
    perturbation: Amount = 0.1
    """Standard deviation of what is added to the second network's weights at the start, as a share
    of that of each layer's weights."""

    def __post_init__(self) -> None:
        check_shares(self, "confidence", "ramp", "jitter", "perturbation")
        if not self.weight >= 0:
            raise ValueError(f"weight must not be negative, got {self.weight}")

    @property
    def count(self) -> int:
        """Two networks."""
        return 2

    def identity(self) -> Any:  # noqa: ANN401
        return ["cps", asdict(self)]

    def sampler(self, data: TrainingData, setup: Setup) -> TwoStreams:
        return halves(data, setup)

    def step(self, setup: Setup) -> "CPSStep":
        return CPSStep(self, setup)


class CPSStep(Student):
    """The step of ``CPS``.

    Args:
        method: Its settings.
        setup: With two networks.
    """

    def __init__(self, method: CPS, setup: Setup) -> None:
        decay = need_average(setup, "cps")
        perturb(setup.plain[1], method.perturbation, seeded(setup.training.seed, 0))
        super().__init__(setup)
        self.method = method
        self.setup = setup
        self.averages = [self.average or average_of(self.plain, decay)]
        self.averages.append(average_of(setup.plain[1], decay))

    @property
    def others(self) -> dict[str, nn.Module]:
        """The average of the second network, with which the first may agree or not."""
        return {PEER: self.averages[1].module}

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Both networks and both averages."""
        second = {"network_2": self.setup.plain[1], "average_2": self.averages[1]}
        return super().modules | second

    def losses(self, batch: TwoStreamBatch, iteration: int) -> dict[str, Tensor]:
        generator = seeded(self.training.seed, iteration)
        labelled, unlabelled = weak(batch, self.setup, generator)
        weight = self.method.weight * ramp(iteration, self.training.steps, self.method.ramp)
        terms = [
            self._terms(network, labelled, self._taught(teacher, unlabelled), weight, generator)
            for network, teacher in zip(self.setup.networks, self.averages[::-1], strict=True)
        ]
        return summed(*terms)

    def _taught(self, teacher: nn.Module, unlabelled: Slices) -> Slices:
        """Unlabelled slices with the labels of a teacher."""
        return pseudo_labelled(
            unlabelled,
            probabilities(teacher, unlabelled.images, self.fabric),
            confidence=self.method.confidence,
            largest=self.method.largest_component,
        )

    def _terms(
        self,
        network: nn.Module,
        labelled: Slices,
        taught: Slices,
        weight: float,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Terms of one network, which draws its own colours."""
        seen = usual(labelled.images, self.setup, generator)
        guessed = strong(taught.images, self.setup, self.method.jitter, generator)
        logits = network(torch.cat([seen, guessed])).float()
        count = len(labelled)
        return {
            **loss_terms(logits[:count], labelled, self.setup, 0.5),
            **loss_terms(logits[count:], taught, self.setup, weight / 2, "unlabelled_"),
        }

    def after_update(self) -> None:
        super().after_update()
        self.averages[1].update_parameters(self.setup.plain[1])


@torch.no_grad()
def perturb(network: nn.Module, share: float, generator: torch.Generator) -> None:
    """Add noise to each tensor of weights, a share of their own standard deviation.

    Weights that are all alike, as those of a normalisation at its start, are left as they are.
    """
    for weights in network.parameters():
        if weights.numel() > 1:
            noise = torch.randn(weights.shape, generator=generator).to(weights.device)
            weights.add_(noise * share * weights.std())
