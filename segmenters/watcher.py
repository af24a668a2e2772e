"""What happens between the steps of a training."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from segmenters.base import StepObserver
from segmenters.losses import cross_entropy, dice_loss
from segmenters.sampler import SliceBatch
from segmenters.step import Supervised
from segmenters.training import TrainingSettings
from semiqc.optimise import LoopState
from semiqc.study import Study

BEST = "best.safetensors"


class Watched(Protocol):
    """The segmenter whose training is watched."""

    training: TrainingSettings

    def logits(self, network: nn.Module, slices: Tensor) -> Tensor:
        """Logits of slices of any size."""
        ...

    def write_weights(self, network: nn.Module, path: Path) -> None:
        """Write a network's weights."""
        ...


class Watcher:
    """Reports, validates and keeps checkpoints between the steps of a training."""

    def __init__(
        self,
        owner: Watched,
        step: Supervised,
        validation: Sequence[Study],
        observe: StepObserver | None,
        folder: Path | None,
        state: LoopState[SliceBatch] | None,
    ) -> None:
        self.owner = owner
        self.step = step
        self.validation = [study for study in validation if study.labelled_frames]
        self.observe = observe
        self.folder = folder
        self.state = state

    def __call__(self, number: int, values: Mapping[str, float]) -> None:
        training = self.owner.training
        is_last = number == training.steps
        shown: dict[str, float] = {}
        if number % training.report_every == 0 or is_last:
            shown |= values
        if self.validation and (number % training.validate_every == 0 or is_last):
            shown["validation_loss"] = self._validate(number)
        if shown and self.observe:
            self.observe(number, shown)
        if self.folder and number in training.snapshots:
            self.owner.write_weights(self.step.result, self.folder / snapshot_file(number))
        if self.state and number % training.checkpoint_every == 0 and not is_last:
            self.state.save(number)

    @torch.no_grad()
    def _validate(self, number: int) -> float:
        network = self.step.result
        was_training = network.training
        network.eval()
        losses = [
            self._loss(network, study, frame)
            for study in self.validation
            for frame in study.labelled_frames
        ]
        network.train(was_training)
        loss = float(np.mean(losses))
        best = self.folder and self.folder / BEST
        if best and loss < self._best_so_far():
            self.owner.write_weights(network, best)
            (best.with_suffix(".json")).write_text(json.dumps({"step": number, "loss": loss}))
        return loss

    def _best_so_far(self) -> float:
        file = self.folder and (self.folder / BEST).with_suffix(".json")
        if not file or not file.exists():
            return math.inf
        return float(json.loads(file.read_text())["loss"])

    def _loss(self, network: nn.Module, study: Study, frame: int) -> float:
        device = self.step.fabric.device
        image = np.ascontiguousarray(study.image[:, frame].swapaxes(0, 1))
        labels = torch.from_numpy(np.asarray(study.labels[frame])).long().to(device)
        with self.step.fabric.autocast():
            logits = self.owner.logits(network, torch.from_numpy(image).to(device))
        return float(dice_loss(logits.float(), labels) + cross_entropy(logits.float(), labels))


def snapshot_file(step: int) -> str:
    """Name of the file that holds the weights of a step."""
    return f"snapshot-{step:08d}.safetensors"
