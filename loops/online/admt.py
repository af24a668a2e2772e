"""Alternating teachers that learn at different times and are shown different views."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from loops.online.labels import check_shares, need_average, pseudo_labelled
from loops.online.mixing import beta_boxes
from loops.online.ramp import ramp
from loops.online.sampler import TwoStreamBatch, TwoStreams, halves
from loops.online.slices import Slices
from loops.online.terms import dice_terms, loss_terms
from loops.online.views import strong, usual, weak
from segmenters.method import Setup, TrainingData, seeded
from segmenters.step import Student, average_of, probabilities
from semiqc.work.bounds import Share, Steps, Weight


@dataclass(frozen=True)
class ADMT:
    """Two averaged teachers follow the student in turn, and label unlabelled slices together.

    For a random number of steps the first follows and the strong view is jittered, then the second
    does and the strong view is mixed. Half of ``batch_size`` are labelled slices.

    Reference:
        Zhao et al., "Alternate Diverse Teaching for Semi-supervised Medical Image Segmentation",
        ECCV 2024. https://arxiv.org/abs/2311.17325
        Ours: both teachers predict with the averages of their normalisation, in the release the
        one that follows does with that of the batch; what the student says of the weak view is
        found without gradient, and mixed as the labels are, in the release it is not; the result
        is an average of the student of its own. Optimizer and augmentation are those of the
        training.
    """

    confidence: Share = 0.95
    """Probability that a pixel's class must have, in [0, 1]."""
    weight: Weight = 2.0
    """Of the loss over unlabelled slices, beside 1 for labelled ones."""
    ramp: Share = 0.25
    """Share of the steps in which that weight grows, in [0, 1]."""
    jitter: Share = 0.5
    """Probability of each strong change of intensity in a jittered view, in [0, 1]."""
    longest_turn: Steps = 50
    """Steps in a row in which one teacher follows the student, at most."""
    conflict: bool = True
    """Whether the student has its say where the teachers differ and it is surer."""

    def __post_init__(self) -> None:
        check_shares(self, "confidence", "ramp", "jitter")
        if self.longest_turn < 1:
            raise ValueError(f"longest_turn must be at least 1, got {self.longest_turn}")
        if not self.weight >= 0:
            raise ValueError(f"weight must not be negative, got {self.weight}")

    @property
    def count(self) -> int:
        """One network."""
        return 1

    def identity(self) -> Any:  # noqa: ANN401
        return ["admt", asdict(self)]

    def sampler(self, data: TrainingData, setup: Setup) -> TwoStreams:
        return halves(data, setup)

    def step(self, setup: Setup) -> "ADMTStep":
        return ADMTStep(self, setup)


class ADMTStep(Student):
    """The step of ``ADMT``.

    Args:
        method: Its settings.
        setup: With one network.
    """

    def __init__(self, method: ADMT, setup: Setup) -> None:
        decay = need_average(setup, "admt")
        super().__init__(setup)
        self.method = method
        self.setup = setup
        self.teachers = [average_of(self.plain, decay) for _ in range(2)]
        start = seeded(setup.training.seed, 0)
        self.turns = turns(setup.training.steps, method.longest_turn, start)
        self.turn = 0

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The network, its average and both teachers."""
        first, second = self.teachers
        return super().modules | {"teacher_1": first, "teacher_2": second}

    def losses(self, batch: TwoStreamBatch, iteration: int) -> dict[str, Tensor]:
        method, generator = self.method, seeded(self.training.seed, iteration)
        self.turn = int(self.turns[iteration - 1])
        labelled, unlabelled = weak(batch, self.setup, generator)
        seen = self._strong(self._taught(unlabelled), generator)
        images = torch.cat([usual(labelled.images, self.setup, generator), seen.images])
        logits = self.network(images).float()
        count = len(labelled)
        weight = method.weight * ramp(iteration, self.training.steps, method.ramp)
        return {
            **loss_terms(logits[:count], labelled, self.setup, 0.5),
            **dice_terms(logits[count:], seen, self.setup, weight, "unlabelled_"),
        }

    def _taught(self, unlabelled: Slices) -> Slices:
        """Unlabelled slices with the labels on which the teachers settle."""
        images = unlabelled.images
        found = [probabilities(teacher, images, self.fabric) for teacher in self.teachers]
        fused = fuse(*found)
        if self.method.conflict:
            differ = found[0].argmax(dim=1) != found[1].argmax(dim=1)
            if differ.any():
                fused = contested(fused, self._students(images), differ)
        return pseudo_labelled(unlabelled, fused, confidence=self.method.confidence)

    def _students(self, images: Tensor) -> Tensor:
        """What the student says, with the averages of its normalisation."""
        self.plain.eval()
        found = probabilities(self.plain, images, self.fabric)
        self.plain.train()
        return found

    def _strong(self, taught: Slices, generator: torch.Generator) -> Slices:
        """The strong view of the turn."""
        if self.turn == 0:
            images = strong(taught.images, self.setup, self.method.jitter, generator)
            return replace(taught, images=images)
        device = taught.images.device
        boxes = beta_boxes(len(taught), self.setup.patch, generator).to(device)
        other = torch.randperm(len(taught), generator=generator).to(device)
        return taught.pasted(taught[other], boxes)

    def after_update(self) -> None:
        super().after_update()
        self.teachers[self.turn].update_parameters(self.plain)


def turns(steps: int, longest: int, generator: torch.Generator) -> Tensor:
    """Whose turn it is in each step, 0 or 1, ``[steps]``; each lasts up to ``longest`` steps."""
    lasting = torch.randint(1, longest + 1, (steps,), generator=generator)
    return torch.arange(steps).remainder(2).repeat_interleave(lasting)[:steps]


def fuse(first: Tensor, second: Tensor) -> Tensor:
    """Probabilities of two teachers, each weighed by ``exp(-H)`` in each pixel.

    Args:
        first: ``[B, C, Y, X]``.
        second: Likewise.

    Returns:
        Probabilities of the same shape; ``H`` is the entropy in bits.
    """
    weights = [
        torch.exp((found * found.clamp(min=1e-8).log2()).sum(dim=1, keepdim=True))
        for found in (first, second)
    ]
    return (weights[0] * first + weights[1] * second) / (weights[0] + weights[1])


def contested(fused: Tensor, students: Tensor, differ: Tensor) -> Tensor:
    """Probabilities in which the student's stand where it has its say.

    Args:
        fused: Of the teachers, ``[B, C, Y, X]``.
        students: Likewise.
        differ: Where the teachers' labels differ, bool ``[B, Y, X]``.

    Returns:
        The student's where the teachers differ, it names another class than they do together, and
        it is surer; else the teachers'.
    """
    (sure, label), (surer, other) = fused.max(dim=1), students.max(dim=1)
    has_say = differ & (label != other) & (surer > sure)
    return torch.where(has_say.unsqueeze(1), students, fused)
