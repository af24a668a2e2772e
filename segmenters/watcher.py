"""What happens between the steps of a training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from segmenters.base import StepObserver
from segmenters.checkpoints import BestCheckpoint, checkpoint_file, snapshot_file
from segmenters.method import TrainingStep
from segmenters.training import Checkpoint, TrainingSettings
from segmenters.validation import Segmenting, validate
from semiqc.optimise import LoopState
from semiqc.study import Study


class Watched(Segmenting, Protocol):
    """The segmenter whose training is watched."""

    training: TrainingSettings

    def write_weights(self, network: nn.Module, path: Path) -> None:
        """Write a network's weights."""
        ...


class Watcher:
    """Reports, validates and keeps checkpoints between the steps of a training.

    Args:
        owner: Whose network is trained.
        step: Holds the network, and the moving average of its weights.
        validation: Studies with a labelled frame.
        best: Takes over the best network; None where there is no such study.
        observe: Told what is reported.
        folder: Where checkpoints and snapshots are left; None leaves none.
        state: Of the loop; None keeps none.
        last: Number of the last step, of the training or of the stretch of it that is done.
    """

    def __init__(
        self,
        owner: Watched,
        step: TrainingStep,
        validation: Sequence[Study],
        best: BestCheckpoint | None,
        observe: StepObserver | None,
        folder: Path | None,
        state: LoopState[Any] | None,
        last: int,
    ) -> None:
        self.owner = owner
        self.step = step
        self.validation = validation
        self.best = best
        self.observe = observe
        self.folder = folder
        self.state = state
        self.last = last

    def __call__(self, number: int, values: Mapping[str, float]) -> None:
        training = self.owner.training
        is_last = number == self.last
        shown: dict[str, float] = {}
        if number % training.report_every == 0 or is_last:
            shown |= {**values, "learning_rate": training.rate(number)}
        if self.best and (number % training.validate_every == 0 or is_last):
            shown |= self._validated(self.best)
        if shown and self.observe:
            self.observe(number, shown)
        if self.folder and number in training.snapshots:
            self.owner.write_weights(self.step.result, self.folder / snapshot_file(number))
        if self.state and number % training.checkpoint_every == 0 and not is_last:
            self.state.save(number)

    def checkpoints(self) -> dict[Checkpoint, nn.Module]:
        """The networks that the training leaves, by their kind."""
        return {**self.step.networks, **({"best": self.best.network} if self.best else {})}

    def write_checkpoints(self) -> None:
        """Leave the weights of each kind in the folder, where there is more than one kind.

        Beside them those of other networks that the method has.
        """
        found = self.checkpoints()
        if not self.folder:
            return
        if len(found) > 1:
            for kind, network in found.items():
                self.owner.write_weights(network, self.folder / checkpoint_file(kind))
        for name, network in self.step.others.items():
            self.owner.write_weights(network, self.folder / f"{name}.safetensors")

    def _validated(self, best: BestCheckpoint) -> dict[str, float]:
        """Figures of each network as it is now, and of the best so far."""
        shown: dict[str, float] = {}
        for kind, network in self.step.networks.items():
            found = validate(self.owner, network, self.validation, self.step.fabric)
            best.offer(network, found)
            shown |= found.terms(kind)
        return shown | best.validation.terms("best")
