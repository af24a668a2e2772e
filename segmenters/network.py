"""What segmenters that are networks share: training, streaming prediction, saving."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from segmenters.augment import Augmentation, augment
from segmenters.base import Observer
from segmenters.losses import cross_entropy, dice_loss
from segmenters.sampler import SliceBatch, SliceSampler
from semiqc.atomic import whole_file
from semiqc.optimise import LoopState, optimise
from semiqc.study import LabelScheme, Study

HEADER = "semiqc-segmenter"
BEST = "best.safetensors"
POLYNOMIAL_POWER = 0.9
"""Of the decay, as in nnU-Net: Isensee et al., Nature Methods 2021."""


@dataclass(frozen=True)
class Training:
    """How a network is trained; the same in every scenario, from scratch.

    Args:
        steps: Of the optimizer. The last one's weights are the result.
        batch_size: Slices in a step.
        patch: Rows and columns of a slice in training, each a multiple of 16.
        learning_rate: Of AdamW, at the start.
        weight_decay: Of AdamW.
        schedule: How the learning rate falls to nothing.
        clip: Largest norm of the gradient.
        ema: Share of the moving average of the weights that is kept at each step; None takes the
            weights themselves.
        pseudo_ratio: Share of each batch drawn from pseudo-labels, where there are any.
        foreground: Share of crops laid around a structure, where slices exceed the patch.
        augmentation: What is done to the slices.
        validate_every: Steps between two looks at the validation studies.
        checkpoint_every: Steps after which the state is kept, from which a killed training goes
            on.
        report_every: Steps between two reports.
        snapshots: Steps at which the weights are kept.
        seed: Of weights, batches, augmentation and dropout.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: ``32-true`` or ``bf16-mixed``, as Lightning Fabric names it.
    """

    steps: int = 1500
    batch_size: int = 16
    patch: tuple[int, int] = (96, 96)
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    schedule: Literal["polynomial", "cosine"] = "polynomial"
    clip: float = 12.0
    ema: float | None = None
    pseudo_ratio: float = 0.5
    foreground: float = 0.7
    augmentation: Augmentation = field(default_factory=Augmentation)
    validate_every: int = 200
    checkpoint_every: int = 200
    report_every: int = 10
    snapshots: tuple[int, ...] = ()
    seed: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every", "checkpoint_every", "report_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.pseudo_ratio <= 1:
            raise ValueError(f"pseudo_ratio must lie in [0, 1], got {self.pseudo_ratio}")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise ValueError(f"ema must lie in [0, 1), got {self.ema}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 1."""
        done = (step - 1) / self.steps
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * float((1 - done) ** POLYNOMIAL_POWER)


class NetworkSegmenter(ABC):
    """A segmenter of 2-D slices by a network; see ``segmenters.base.Segmenter``.

    Args:
        scheme: Classes to tell apart.
        modalities: Of the images.
        channels: Filters of each resolution level.
        dropout: Share of features dropped in training.
        training: How it is trained.

    Attributes:
        network_: The trained network, mapping ``[B, M, Y, X]`` to logits ``[B, C, Y, X]``.
    """

    def __init__(
        self,
        scheme: LabelScheme,
        modalities: int = 1,
        *,
        channels: tuple[int, ...] = (16, 32, 64, 128, 256),
        dropout: float = 0.0,
        training: Training | None = None,
    ) -> None:
        self.scheme = scheme
        self.modalities = modalities
        self.channels = channels
        self.dropout = dropout
        self.training = training or Training()

    @abstractmethod
    def build(self) -> nn.Module:
        """A network with random weights."""

    @property
    def multiple(self) -> int:
        """What divides the rows and columns that the network takes."""
        return int(2 ** (len(self.channels) - 1))

    def fit(
        self,
        studies: Sequence[Study],
        pseudo: Sequence[Study] = (),
        validation: Sequence[Study] = (),
        *,
        observe: Observer | None = None,
        folder: Path | None = None,
    ) -> Self:
        training = self.training
        self._check([*studies, *pseudo, *validation])
        sampler = SliceSampler(
            studies,
            pseudo,
            batch_size=training.batch_size,
            patch=self._patch(),
            pseudo_ratio=training.pseudo_ratio,
            foreground=training.foreground,
            seed=training.seed,
        )
        fabric = make_fabric(training)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            network = self.build()
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )
        wrapped, optimizer = fabric.setup(network, optimizer)
        step = _Supervised(self, wrapped, fabric)
        modules = {"network": network} | ({"average": step.average} if step.average else {})
        state: LoopState[SliceBatch] | None = None
        if folder:
            state = LoopState(folder, self._identity(studies, pseudo), modules, optimizer)
        done = state.restore() if state else 0
        watcher = _Watcher(self, step, validation, observe, folder, state)
        network.train()
        optimise(
            step,
            sampler.batches(done + 1, training.steps),
            optimizer,
            report=watcher,
            first=done + 1,
            seed=training.seed,
            schedule=training.rate,
            clip=training.clip,
            fabric=fabric,
        )
        self.network_ = step.result.eval()
        if state:
            state.forget()
        return self

    @torch.no_grad()
    def predict_frames(self, study: Study) -> Iterator[NDArray[np.float32]]:
        self._check_fitted()
        self._check([study])
        fabric = make_fabric(self.training)
        network = self.network_.to(fabric.device)
        for frame in range(study.frames):
            image = study.image[:, frame]
            if not np.isfinite(image).all():
                raise ValueError(f"{study.name}: frame {frame} has voxels that are not finite")
            slices = torch.from_numpy(np.ascontiguousarray(image.swapaxes(0, 1)))
            with fabric.autocast():
                logits = self._logits(network, slices.to(fabric.device))
            yield logits.float().softmax(dim=1).transpose(0, 1).cpu().numpy()

    def save(self, path: Path) -> None:
        self._check_fitted()
        self.write_weights(self.network_, path)

    def write_weights(self, network: nn.Module, path: Path) -> None:
        """Write a network's weights and what it is, whole or not at all."""
        state = network.state_dict()
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
        with whole_file(path) as temporary:
            save_file(tensors, temporary, metadata={HEADER: json.dumps(self._described())})

    def load(self, path: Path) -> Self:
        try:
            with safe_open(path, framework="pt") as file:
                stored = json.loads((file.metadata() or {}).get(HEADER, "null"))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
        expected = json.loads(json.dumps(self._described()))
        if stored != expected:
            raise ValueError(f"{path}: holds {stored}, expected {expected}")
        network = self.build()
        network.load_state_dict(tensors)
        self.network_ = network.eval()
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first")

    def _described(self) -> dict[str, Any]:
        return {
            "kind": type(self).__name__,
            "classes": list(self.scheme.classes),
            "modalities": self.modalities,
            "channels": list(self.channels),
        }

    def _identity(self, studies: Sequence[Study], pseudo: Sequence[Study]) -> str:
        names = [[s.name, s.labelled_frames] for s in (*studies, *pseudo)]
        return json.dumps([self._described(), self.dropout, asdict(self.training), names])

    def _patch(self) -> tuple[int, int]:
        rows, columns = (-(-n // self.multiple) * self.multiple for n in self.training.patch)
        return rows, columns

    def _check(self, studies: Sequence[Study]) -> None:
        for study in studies:
            if study.image.shape[0] != self.modalities:
                raise ValueError(
                    f"{study.name}: {study.image.shape[0]} modalities, expected {self.modalities}"
                )

    def _logits(self, network: nn.Module, slices: Tensor) -> Tensor:
        """Logits of slices of any size, ``[Z, M, Y, X]`` to ``[Z, C, Y, X]``."""
        height, width = slices.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        logits: Tensor = network(nn.functional.pad(slices, padding))
        return logits[..., :height, :width]


def make_fabric(training: Training) -> Fabric:
    """Device and precision of a training, by Lightning Fabric."""
    return Fabric(accelerator=training.device, devices=1, precision=training.precision)


class _Supervised:
    """Dice and cross-entropy over augmented slices; keeps the average of the weights."""

    def __init__(self, owner: NetworkSegmenter, network: nn.Module, fabric: Fabric) -> None:
        self.network = network
        self.fabric = fabric
        self.training = owner.training
        self.mirror_axes = owner.scheme.mirror_axes
        decay = owner.training.ema
        plain = network.module
        self.plain: nn.Module = plain  # type: ignore[assignment]
        self.average = (
            None
            if decay is None
            else torch.optim.swa_utils.AveragedModel(
                self.plain,
                multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay),
                use_buffers=True,
            )
        )

    @property
    def result(self) -> nn.Module:
        """The network that predicts: the average where one is kept."""
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
        return {"dice": dice_loss(logits, labels), "cross_entropy": cross_entropy(logits, labels)}

    def after_update(self) -> None:
        if self.average:
            self.average.update_parameters(self.plain)


class _Watcher:
    """Reports, validates and keeps checkpoints between the steps of a training."""

    def __init__(
        self,
        owner: NetworkSegmenter,
        step: _Supervised,
        validation: Sequence[Study],
        observe: Observer | None,
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
            logits = self.owner._logits(network, torch.from_numpy(image).to(device))
        return float(dice_loss(logits.float(), labels) + cross_entropy(logits.float(), labels))


def snapshot_file(step: int) -> str:
    """Name of the file that holds the weights of a step."""
    return f"snapshot-{step:08d}.safetensors"
