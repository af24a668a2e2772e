"""The training of a segmenter's network."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from segmenters.base import StepObserver
from segmenters.checkpoints import BestCheckpoint
from segmenters.device import make_fabric
from segmenters.sampler import SliceBatch, SliceSampler
from segmenters.step import Supervised
from segmenters.watcher import Watched, Watcher
from semiqc.optimise import LoopState, optimise
from semiqc.study import Study


class Trainable(Watched, Protocol):
    """The segmenter whose network is trained."""

    dropout: float

    @property
    def multiple(self) -> int:
        """What divides the rows and columns that the network takes."""
        ...

    def build(self) -> nn.Module:
        """A network with random weights."""
        ...

    def described(self) -> dict[str, Any]:
        """What the network is."""
        ...


def train(
    owner: Trainable,
    studies: Sequence[Study],
    pseudo: Sequence[Study],
    validation: Sequence[Study],
    observe: StepObserver | None,
    folder: Path | None,
) -> nn.Module:
    """A network trained as the segmenter's settings say; see ``Segmenter.fit``.

    Returns:
        The network of the checkpoint that the settings choose.
    """
    training = owner.training
    validation = [study for study in validation if study.labelled_frames]
    if training.chosen == "best" and not validation:
        raise ValueError("checkpoint: best needs a validation study with a label, got none")
    sampler = _sampler(owner, studies, pseudo)
    step, optimizer = _start(owner)
    best = _best(owner, step) if validation else None
    state = _state(owner, step, best, optimizer, [*studies, *pseudo, *validation], folder)
    done = state.restore() if state else 0
    watcher = Watcher(owner, step, validation, best, observe, folder, state)
    step.plain.train()
    optimise(
        step,
        sampler.batches(done + 1, training.steps),
        optimizer,
        report=watcher,
        first=done + 1,
        seed=training.seed,
        schedule=training.rate,
        clip=training.clip,
        fabric=step.fabric,
    )
    watcher.write_checkpoints()
    if state:
        state.forget()
    return watcher.checkpoints()[training.chosen].eval()


def _sampler(owner: Trainable, studies: Sequence[Study], pseudo: Sequence[Study]) -> SliceSampler:
    training = owner.training
    rows, columns = (-(-n // owner.multiple) * owner.multiple for n in training.patch)
    return SliceSampler(
        studies,
        pseudo,
        batch_size=training.batch_size,
        patch=(rows, columns),
        pseudo_ratio=training.pseudo_ratio,
        foreground=training.foreground,
        seed=training.seed,
    )


def _start(owner: Trainable) -> tuple[Supervised, torch.optim.Optimizer]:
    """A step with new weights, drawn by the seed, and its optimizer."""
    training = owner.training
    fabric = make_fabric(training.device, training.precision)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        network = owner.build()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    wrapped, optimizer = fabric.setup(network, optimizer)
    return Supervised(wrapped, training, owner.scheme.mirror_axes, fabric), optimizer


def _best(owner: Trainable, step: Supervised) -> BestCheckpoint:
    structures = tuple(structure.name for structure in owner.scheme.structures)
    return BestCheckpoint(step.plain, structures).to(step.fabric.device)


def _state(
    owner: Trainable,
    step: Supervised,
    best: BestCheckpoint | None,
    optimizer: torch.optim.Optimizer,
    studies: Sequence[Study],
    folder: Path | None,
) -> LoopState[SliceBatch] | None:
    """What is kept of an unfinished training, with the studies that it depends on."""
    if folder is None:
        return None
    modules: dict[str, nn.Module] = {"network": step.plain}
    modules |= {"average": step.average} if step.average else {}
    modules |= {"best": best} if best else {}
    names = [[study.name, study.labelled_frames] for study in studies]
    identity = json.dumps([owner.described(), owner.dropout, asdict(owner.training), names])
    return LoopState(folder, identity, modules, optimizer)
