"""Bidirectional copy-paste."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from loops.online.copy_paste import copy_pasted
from loops.online.labels import check_shares, need_average, pseudo_labelled
from loops.online.mixing import copy_paste_box
from loops.online.sampler import TwoStreamBatch, TwoStreams, two_streams
from loops.online.slices import Slices
from loops.online.terms import loss_terms, summed
from loops.online.views import strong, weak
from segmenters.method import Setup, TrainingData, seeded
from segmenters.step import Student, probabilities
from semiqc.work.bounds import Share, Weight


@dataclass(frozen=True)
class BCP:
    """Learns from mixtures of a labelled and an unlabelled slice, each pasted into the other.

    A step has as many mixtures as ``batch_size`` says: half of them are an unlabelled slice with
    a box of a labelled one in it, half the other way round.

    Reference:
        Bai et al., "Bidirectional Copy-Paste for Semi-Supervised Medical Image Segmentation",
        CVPR 2023. https://doi.org/10.1109/CVPR52729.2023.01108
        Ours: the teacher predicts with the averages of its normalisation, not with those of the
        batch; losses of a region are pooled over all mixtures; the optimizer, the falling learning
        rate and the augmentation are those of the training, and intensities change in mixtures
        too; the result is the average of the weights, not the student.
    """

    labels: Literal["teacher", "bank"] = "teacher"
    """Where the labels of unlabelled slices come from: ``teacher``, the moving average of the
    weights, in each step; or ``bank``, the labels that they have."""
    confidence: Share = 0.0
    """Probability in the teacher that a pixel's class must have, in [0, 1]."""
    largest_component: bool = True
    """Whether the teacher's label of a structure is its largest component in each slice."""
    weight: Weight = 0.5
    """Of the loss over what is unlabelled, beside 1 for what is labelled."""
    jitter: Share = 0.25
    """Probability of each strong change of intensity in the mixtures, in [0, 1]."""
    pretraining: Share = 0.0
    """Share of the steps that are spent first on mixtures of labelled slices alone, in [0, 1]. A
    start from random weights needs some, such as 0.25; one from trained weights none."""

    def __post_init__(self) -> None:
        check_shares(self, "confidence", "jitter", "pretraining")
        if not self.weight >= 0:
            raise ValueError(f"weight must not be negative, got {self.weight}")

    @property
    def count(self) -> int:
        """One network."""
        return 1

    def identity(self) -> Any:  # noqa: ANN401
        return ["bcp", asdict(self)]

    def sampler(self, data: TrainingData, setup: Setup) -> TwoStreams:
        size = setup.training.batch_size
        return two_streams(data, setup, size, size)

    def step(self, setup: Setup) -> "BCPStep":
        return BCPStep(self, setup)


class BCPStep(Student):
    """The step of ``BCP``.

    Args:
        method: Its settings.
        setup: With one network.
    """

    def __init__(self, method: BCP, setup: Setup) -> None:
        if method.labels == "teacher":
            need_average(setup, "bcp")
        super().__init__(setup)
        self.method = method
        self.setup = setup
        self.pretraining = round(method.pretraining * setup.training.steps)

    def losses(self, batch: TwoStreamBatch, iteration: int) -> dict[str, Tensor]:
        generator = seeded(self.training.seed, iteration)
        labelled, unlabelled = weak(batch, self.setup, generator)
        box = copy_paste_box(self.setup.patch, generator).to(labelled.images.device)
        if iteration <= self.pretraining:
            mixture = copy_pasted(labelled, box)
            parts = {"": (~box, 0.5), "pasted_": (box, 0.5)}
        else:
            # Of the first half of the mixtures the box is labelled, of the others all around it.
            half = torch.arange(len(labelled), device=box.device) < (len(labelled) + 1) // 2
            ours = box == half.view(-1, 1, 1)
            mixture = self._taught(unlabelled).pasted(labelled, ours)
            parts = {"": (ours, 1.0), "unlabelled_": (~ours, self.method.weight)}
        images = strong(mixture.images, self.setup, self.method.jitter, generator)
        logits = self.network(images).float()
        terms = [
            loss_terms(
                logits,
                replace(mixture, weights=mixture.weights * inside),
                self.setup,
                factor,
                name,
            )
            for name, (inside, factor) in parts.items()
        ]
        return summed(*terms)

    def _taught(self, unlabelled: Slices) -> Slices:
        """Unlabelled slices with their labels."""
        if self.method.labels == "bank" or self.average is None:
            return unlabelled
        return pseudo_labelled(
            unlabelled,
            probabilities(self.average, unlabelled.images, self.fabric),
            confidence=self.method.confidence,
            largest=self.method.largest_component,
        )
