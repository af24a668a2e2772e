"""The training of a segmenter's network."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import nn

from segmenters.base import StepObserver
from segmenters.checkpoints import BestCheckpoint
from segmenters.deep_supervision import DeepSupervision
from segmenters.device import channels_last_pays, make_fabric
from segmenters.held import held
from segmenters.method import Method, Part, Setup, TrainingData, TrainingStep
from segmenters.starts import digest, start_of, start_weights
from segmenters.step import SupervisedMethod
from segmenters.training import WITHOUT_EFFECT, TrainingSettings
from segmenters.watcher import Watched, Watcher
from semiqc.optimise import LoopState, optimise
from semiqc.study import Study
from semiqc.together import divided, with_pooled_norms

CONTINUED = "continued.safetensors"
"""State at the end of a stretch of a training, from which the next goes on."""


class Trainable(Watched, Protocol):
    """The segmenter whose network is trained."""

    dropout: float
    channels: tuple[int, ...]

    @property
    def multiple(self) -> int:
        """What divides the rows and columns that the network takes."""
        ...

    def make(self) -> nn.Module:
        """A network with random weights."""
        ...

    def described(self) -> dict[str, Any]:
        """What the network is."""
        ...

    def coarse_filters(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Of the decoder's levels that may learn, too."""
        ...

    def coarse_levels(self, network: nn.Module) -> list[nn.Module]:
        """These levels."""
        ...


def train(
    owner: Trainable,
    data: TrainingData,
    observe: StepObserver | None = None,
    folder: Path | None = None,
    method: Method | None = None,
    part: Part | None = None,
) -> nn.Module:
    """A network trained as the segmenter's settings say; see ``NetworkSegmenter.fit``.

    Returns:
        The network of the checkpoint that the settings choose.
    """
    training, method = owner.training, method or SupervisedMethod()
    validation = _validation(data, training)
    setup, optimizer = _start(owner, data.studies, method.count)
    sampler = method.sampler(held(data, setup.fabric.device), setup)
    step = method.step(setup)
    best = _best(owner, step) if validation else None
    state = _state(step, best, optimizer, _identity(owner, data, method), folder)
    last = part.last if part else training.steps
    done = _restored(state, part)
    watcher = Watcher(owner, step, validation, best, observe, folder, state, last)
    optimise(
        step,
        sampler.batches(done + 1, last),
        optimizer,
        report=watcher,
        first=done + 1,
        seed=training.seed,
        schedule=training.rate,
        clip=training.clip,
        fabric=step.fabric,
    )
    watcher.write_checkpoints()
    if state and last < training.steps:
        state.save_as(state.folder / CONTINUED, last)
    if state:
        state.forget()
    return watcher.checkpoints()[training.chosen].eval()


def _validation(data: TrainingData, training: TrainingSettings) -> list[Study]:
    """The validation studies that have a label.

    Raises:
        ValueError: If there are none and they shall choose the checkpoint.
    """
    found = [study for study in data.validation if study.labelled_frames]
    if training.chosen == "best" and not found:
        raise ValueError("checkpoint: best needs a validation study with a label, got none")
    return found


def _start(
    owner: Trainable, studies: Sequence[Study], count: int
) -> tuple[Setup, torch.optim.Optimizer]:
    """Networks at their start, and the optimizer of all of them."""
    training = owner.training
    fabric = make_fabric(training.device, training.precision)
    weights = start_weights(owner, start_of(owner, studies))
    networks = nn.ModuleList(_network(owner, training.seed + number) for number in range(count))
    for network in networks if weights else ():
        network.load_state_dict(weights or {})
    if channels_last_pays(training.memory_format, networks):
        networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    deep = _deep(owner, networks[0])
    learning = nn.ModuleList([networks, *([] if deep is None else [deep.to(fabric.device)])])
    optimizer = torch.optim.AdamW(
        learning.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    wrapped = [
        divided(fabric.setup_module(with_pooled_norms(network).train())) for network in networks
    ]
    patch = tuple(-(-n // owner.multiple) * owner.multiple for n in training.patch)
    setup = Setup(wrapped, training, owner.scheme.mirror_axes, fabric, (patch[0], patch[1]), deep)
    return setup, cast(torch.optim.Optimizer, fabric.setup_optimizers(optimizer))


def _network(owner: Trainable, seed: int) -> nn.Module:
    """A network with random weights, drawn by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return owner.make()


def _deep(owner: Trainable, network: nn.Module) -> DeepSupervision | None:
    """Heads with random weights, drawn by the seed; None where none are asked for.

    Raises:
        ValueError: If the network has no coarser levels that could learn.
    """
    if not owner.training.deep_supervision:
        return None
    filters = owner.coarse_filters(owner.channels)
    if not filters:
        raise ValueError(
            "deep_supervision needs a plain_unet of at least four resolution levels,"
            f" got {owner.described()}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(owner.training.seed)
        return DeepSupervision(owner.coarse_levels(network), filters, len(owner.scheme.classes))


def _best(owner: Trainable, step: TrainingStep) -> BestCheckpoint:
    structures = tuple(structure.name for structure in owner.scheme.structures)
    return BestCheckpoint(step.networks["last"], structures).to(step.fabric.device)


def _identity(owner: Trainable, data: TrainingData, method: Method) -> str:
    """What an unfinished training depends on."""
    names = [[study.name, study.labelled_frames] for study in data.all]
    # What a start holds, not where its file lies.
    start = digest(start_of(owner, data.studies))
    training = {k: v for k, v in asdict(owner.training).items() if k not in WITHOUT_EFFECT}
    network = [owner.described(), owner.dropout, training | {"start": start}]
    return json.dumps([*network, names, method.identity()])


def _state(
    step: TrainingStep,
    best: BestCheckpoint | None,
    optimizer: torch.optim.Optimizer,
    identity: str,
    folder: Path | None,
) -> LoopState[Any] | None:
    """What is kept of an unfinished training."""
    if folder is None:
        return None
    modules = {**step.modules, **({"best": best} if best else {})}
    return LoopState(folder, identity, modules, optimizer)


def _restored(state: LoopState[Any] | None, part: Part | None) -> int:
    """Number of steps that are done: of this call, or of the stretch before.

    Raises:
        ValueError: If the stretch before is not to be had.
    """
    done = state.restore() if state else 0
    if done or not state or not part or not part.before:
        return done
    return state.take_over(part.before)
