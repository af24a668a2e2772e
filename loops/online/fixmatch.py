"""FixMatch with an averaged teacher, and Mean Teacher."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from loops.online.labels import check_shares, need_average, pseudo_labelled, soft_labelled
from loops.online.mixing import copy_paste_box, cutmix_boxes
from loops.online.ramp import ramp
from loops.online.sampler import TwoStreamBatch, TwoStreams, halves
from loops.online.slices import Slices, joined
from loops.online.terms import dice_terms, loss_terms
from loops.online.views import strong, usual, weak
from segmenters.losses import squared_error
from segmenters.method import Setup, TrainingData, seeded
from segmenters.step import Student, probabilities
from semiqc.work.bounds import Share, Weight


@dataclass(frozen=True)
class FixMatch:
    """Learns strong views of unlabelled slices by the labels of their weak views.

    Half of ``batch_size`` are labelled slices, as in supervised training.

    Reference:
        Sohn et al., "FixMatch", NeurIPS 2020. https://arxiv.org/abs/2001.07685
        With two streams and CutMix: Yang et al., "Revisiting Weak-to-Strong Consistency in
        Semi-Supervised Semantic Segmentation", CVPR 2023.
        https://doi.org/10.1109/CVPR52729.2023.00699
        Ours: an averaged teacher labels, as in the single-teacher rows of Zhao et al., ECCV 2024,
        https://arxiv.org/abs/2311.17325, whose weight and ramp these are. It predicts with the
        averages of its normalisation. Optimizer and augmentation are those of the training.
    """

    labels: Literal["teacher", "bank", "soft"] = "teacher"
    """Where the labels of unlabelled slices come from: ``teacher``, the moving average of the
    weights, in each step; ``bank``, the labels that they have; ``soft``, the teacher's
    probabilities, to which the squared distance is the loss."""
    confidence: Share = 0.95
    """Probability in the teacher that a pixel's class must have, in [0, 1]; not of soft labels."""
    largest_component: bool = False
    """Whether the teacher's label of a structure is its largest component in each slice; not of
    soft labels."""
    loss: Literal["dice", "dice_ce"] = "dice"
    """Of unlabelled slices: the Dice loss, or the mean of it and of cross-entropy; not of soft
    labels."""
    weight: Weight = 2.0
    """Of the loss over unlabelled slices, beside 1 for labelled ones."""
    ramp: Share = 0.25
    """Share of the steps in which that weight grows, in [0, 1]."""
    mix: Literal["cutmix", "labelled", "none"] = "cutmix"
    """What is pasted into the strong view: ``cutmix``, a box of another unlabelled slice, in half
    of the slices; ``labelled``, a box of two thirds of a labelled slice; ``none``, nothing."""
    streams: Literal[1, 2] = 1
    """Strong views of each unlabelled slice."""
    jitter: Share = 0.5
    """Probability of each strong change of intensity in the strong view, in [0, 1]."""

    def __post_init__(self) -> None:
        check_shares(self, "confidence", "ramp", "jitter")
        if not self.weight >= 0:
            raise ValueError(f"weight must not be negative, got {self.weight}")
        if self.labels == "soft" and self.mix == "labelled":
            raise ValueError("mix: labelled needs hard labels; say labels: teacher or bank")

    @property
    def count(self) -> int:
        """One network."""
        return 1

    def identity(self) -> Any:  # noqa: ANN401
        return ["fixmatch", asdict(self)]

    def sampler(self, data: TrainingData, setup: Setup) -> TwoStreams:
        return halves(data, setup)

    def step(self, setup: Setup) -> "FixMatchStep":
        return FixMatchStep(self, setup)


MEAN_TEACHER = FixMatch(labels="soft", mix="none", weight=0.1, ramp=1.0)
"""Tarvainen & Valpola, "Mean teachers are better role models", NeurIPS 2017,
https://arxiv.org/abs/1703.01780, with the weight and the ramp of SSL4MIS. Ours: the student's view
is jittered, while in the paper noise is added to both views."""


class FixMatchStep(Student):
    """The step of ``FixMatch``.

    Args:
        method: Its settings.
        setup: With one network.
    """

    def __init__(self, method: FixMatch, setup: Setup) -> None:
        if method.labels != "bank":
            need_average(setup, f"fixmatch with labels: {method.labels}")
        super().__init__(setup)
        self.method = method
        self.setup = setup

    def losses(self, batch: TwoStreamBatch, iteration: int) -> dict[str, Tensor]:
        method, generator = self.method, seeded(self.training.seed, iteration)
        labelled, unlabelled = weak(batch, self.setup, generator)
        taught = self._taught(unlabelled)
        views = [self._mixed(taught, labelled, generator) for _ in range(method.streams)]
        seen = joined(*views)
        images = strong(seen.images, self.setup, method.jitter, generator)
        images = torch.cat([usual(labelled.images, self.setup, generator), images])
        logits = self.network(images).float()
        count = len(labelled)
        return {
            **loss_terms(logits[:count], labelled, self.setup, 0.5),
            **self._unlabelled_terms(logits[count:], seen, iteration),
        }

    def _taught(self, unlabelled: Slices) -> Slices:
        """Unlabelled slices with their labels."""
        method = self.method
        if method.labels == "bank" or self.average is None:
            return unlabelled
        found = probabilities(self.average, unlabelled.images, self.fabric)
        if method.labels == "soft":
            return soft_labelled(unlabelled, found)
        return pseudo_labelled(
            unlabelled, found, confidence=method.confidence, largest=method.largest_component
        )

    def _mixed(self, taught: Slices, labelled: Slices, generator: torch.Generator) -> Slices:
        """What a strong view shows, not yet recoloured."""
        device, size = taught.images.device, self.setup.patch
        if self.method.mix == "cutmix":
            boxes = cutmix_boxes(len(taught), size, generator).to(device)
            other = torch.randperm(len(taught), generator=generator).to(device)
            return taught.pasted(taught[other], boxes)
        if self.method.mix == "labelled":
            box = copy_paste_box(size, generator).to(device)
            return taught.pasted(labelled[: len(taught)], box)
        return taught

    def _unlabelled_terms(self, logits: Tensor, seen: Slices, iteration: int) -> dict[str, Tensor]:
        method = self.method
        weight = method.weight * ramp(iteration, self.training.steps, method.ramp)
        if seen.probabilities is not None:
            error = squared_error(logits, seen.probabilities, seen.weights)
            return {"unlabelled_squared_error": weight * error}
        if method.loss == "dice":
            return dice_terms(logits, seen, self.setup, weight, "unlabelled_")
        return loss_terms(logits, seen, self.setup, weight / 2, "unlabelled_")
