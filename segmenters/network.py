"""What segmenters that are networks share: training, streaming prediction, saving."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from segmenters.base import Observer
from segmenters.sampler import SliceBatch, SliceSampler
from segmenters.step import Supervised
from segmenters.training import Training, make_fabric
from segmenters.watcher import Watcher
from semiqc.atomic import whole_file
from semiqc.optimise import LoopState, optimise
from semiqc.study import LabelScheme, Study

HEADER = "semiqc-segmenter"


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
        step = Supervised(wrapped, training, self.scheme.mirror_axes, fabric)
        modules = {"network": network} | ({"average": step.average} if step.average else {})
        state: LoopState[SliceBatch] | None = None
        if folder:
            state = LoopState(folder, self._identity(studies, pseudo), modules, optimizer)
        done = state.restore() if state else 0
        watcher = Watcher(self, step, validation, observe, folder, state)
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
                logits = self.logits(network, slices.to(fabric.device))
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

    def logits(self, network: nn.Module, slices: Tensor) -> Tensor:
        """Logits of slices of any size, ``[Z, M, Y, X]`` to ``[Z, C, Y, X]``."""
        height, width = slices.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        logits: Tensor = network(nn.functional.pad(slices, padding))
        return logits[..., :height, :width]
