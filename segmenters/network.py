"""What segmenters that are networks share: training, streaming prediction, saving."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from segmenters.base import StepObserver
from segmenters.device import channels_last_pays, device_here, make_fabric
from segmenters.dropping import dropout_active
from segmenters.fitting import train
from segmenters.focus import box_of, looked_at, only_within, subsets
from segmenters.method import Method, Part, TrainingData
from segmenters.training import TrainingSettings
from segmenters.weights import read_weights, write_weights
from semiqc.images.crop import CropBox
from semiqc.images.frames import study_of_frame
from semiqc.schemes import LabelScheme
from semiqc.study import Study

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Normalisation = Literal["batch", "instance"]
"""Normalisation of a network's features."""


class NetworkSegmenter(ABC):
    """A segmenter of 2-D slices by a network; see ``segmenters.base.Segmenter``.

    Args:
        scheme: Classes to tell apart.
        modalities: Of the images.
        channels: Filters of each resolution level.
        dropout: Share of features dropped in training.
        normalisation: Of the features, ``batch`` or ``instance``; None is what the network's
            authors have.
        standardise: Whether each slice is brought to mean 0 and standard deviation 1 first.
        focus: Whether the structures are found on whole slices first, and segmented in what lies
            around them; where slices are larger than the patches of the training.
        mirror: Whether a prediction is the mean over the image and its mirror images, along the
            axes that the label scheme allows.
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
        normalisation: Normalisation | None = None,
        standardise: bool = False,
        focus: bool = False,
        mirror: bool = False,
        training: TrainingSettings | None = None,
    ) -> None:
        self.scheme = scheme
        self.modalities = modalities
        self.channels = channels
        self.dropout = dropout
        self.normalisation = normalisation
        self.standardise = standardise
        self.focus = focus
        self.mirror = mirror
        self.training = training or TrainingSettings()

    @abstractmethod
    def build(self) -> nn.Module:
        """A network with random weights."""

    def make(self) -> nn.Module:
        """A network with random weights that standardises its slices where that is asked for."""
        network = self.build()
        if self.standardise:
            network.register_forward_pre_hook(standardised)
        return network

    @abstractmethod
    def deepest(self, network: nn.Module) -> nn.Module:
        """The part of a network that gives the features of its deepest level."""

    @classmethod
    def coarse_filters(cls, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Filters of the decoder's levels that deep supervision lets learn, too, finest first.

        The first has half the resolution of the images. None where a network has no such levels.
        """
        return ()

    def coarse_levels(self, network: nn.Module) -> list[nn.Module]:
        """These levels, which give features ``[B, F, Y, X]``."""
        raise NotImplementedError(f"{type(self).__name__} has no levels for deep supervision")

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
        observe: StepObserver | None = None,
        folder: Path | None = None,
        unlabelled: Sequence[Study] = (),
        method: Method | None = None,
        part: Part | None = None,
    ) -> Self:
        """See ``Segmenter.fit``.

        Args:
            studies: With an expert's labels.
            pseudo: With labels that a segmenter gave and a gate admitted.
            validation: Studies on which the weights are evaluated now and then.
            observe: Told of each step.
            folder: Where the state of an unfinished training is kept.
            unlabelled: Studies whose images a method learns from; see ``TrainingData``.
            method: What it does with them; None learns from labels alone.
            part: The stretch of the training that is done; None does the whole.
        """
        data = TrainingData(studies, pseudo, validation, unlabelled)
        self._check(data.all)
        self.network_ = train(self, data, observe, folder, method, part)
        return self

    @torch.no_grad()
    def predict_frames(
        self, study: Study, *, dropping: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """See ``Segmenter.predict_frames``.

        Args:
            study: Its labels are not used.
            dropping: Seed by which features are dropped as in training, the same in every frame;
                None drops nothing.
        """
        yield from self.predict_within(study, self.where(study), dropping=dropping)

    @torch.no_grad()
    def predict_within(
        self, study: Study, box: CropBox | None, *, dropping: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """As ``predict_frames``, with background beyond a box that ``where`` found before.

        Args:
            study: Its labels are not used.
            box: Of all its slices; None where whole slices are segmented.
            dropping: As for ``predict_frames``.
        """
        for slices, network, fabric in self._read(study, box):
            with dropout_active(network, dropping, fabric.device):
                found = self._probabilities(network, slices, fabric)
            frame = found.transpose(0, 1).cpu().numpy()
            yield frame if box is None else only_within(box, frame, study.image.shape[-3:])

    @torch.no_grad()
    def where(self, study: Study) -> CropBox | None:
        """Where the structures of a study lie; None where whole slices are segmented."""
        patch = self.training.patch
        if not self.focus or all(
            length <= wanted for length, wanted in zip(study.image.shape[-2:], patch, strict=True)
        ):
            return None
        found = []
        for frame in looked_at(study.frames):
            for slices, network, fabric in self._read(study_of_frame(study, frame)):
                with fabric.autocast():
                    # Of few classes max is twenty times as fast as argmax on a CPU.
                    classes = self.logits(network, slices).max(dim=1).indices
                found.append(classes.cpu().numpy())
        return box_of(np.stack(found), self.scheme, patch, self.multiple)

    def _probabilities(self, network: nn.Module, slices: Tensor, fabric: "Fabric") -> Tensor:
        """Class probabilities of slices, ``[Z, C, Y, X]``; the mean over their mirror images."""
        axes = self.scheme.mirror_axes if self.mirror else ()
        dims = [[{"y": -2, "x": -1}[axis] for axis in some] for some in subsets(axes)]
        total = torch.zeros(())
        for flipped in dims:
            with fabric.autocast():
                logits = self.logits(network, slices.flip(flipped))
            total = total.to(logits.device) + logits.float().softmax(dim=1).flip(flipped)
        return total / len(dims)

    @torch.no_grad()
    def deep_features(self, study: Study) -> Iterator[NDArray[np.float64]]:
        """Features of the deepest level, mean over the voxels of each frame: ``[F]`` each."""
        for slices, network, fabric in self._read(study):
            found: list[Tensor] = []
            hook = self.deepest(network).register_forward_hook(
                lambda _module, _given, output, found=found: found.append(output)
            )
            try:
                with fabric.autocast():
                    self.logits(network, slices)
            finally:
                hook.remove()
            yield found[0].double().mean(dim=(0, 2, 3)).cpu().numpy()

    def _read(
        self, study: Study, box: CropBox | None = None
    ) -> Iterator[tuple[Tensor, nn.Module, "Fabric"]]:
        """Slices ``[Z, M, Y, X]`` of each frame, beside the network, on its device."""
        self._check_fitted()
        self._check([study])
        fabric = make_fabric(self.training.device, self.training.precision)
        network = self.network_.to(fabric.device)
        if channels_last_pays(self.training.memory_format, network):
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for frame in range(study.frames):
            image = study.image[:, frame]
            if not np.isfinite(image).all():
                raise ValueError(f"{study.name}: frame {frame} has voxels that are not finite")
            shown = image if box is None else box.cut(image, 0)
            slices = torch.from_numpy(np.ascontiguousarray(shown.swapaxes(0, 1)))
            yield slices.to(fabric.device), network, fabric

    def save(self, path: Path) -> None:
        self._check_fitted()
        self.write_weights(self.network_, path)

    def write_weights(self, network: nn.Module, path: Path) -> None:
        """Write a network's weights and what it is, whole or not at all."""
        write_weights(network, path, self.described())

    def load(self, path: Path) -> Self:
        tensors = read_weights(path, self.described())
        network = self.make()
        network.load_state_dict(tensors)
        self.training = replace(self.training, device=device_here(self.training.device))
        self.network_ = network.eval()
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first")

    def described(self) -> dict[str, Any]:
        """What the network is, as its files keep it."""
        found: dict[str, Any] = {
            "kind": type(self).__name__,
            "classes": list(self.scheme.classes),
            "modalities": self.modalities,
            "channels": list(self.channels),
        }
        # Files of networks without these say nothing of them.
        found |= {"normalisation": self.normalisation} if self.normalisation else {}
        return found | ({"standardise": True} if self.standardise else {})

    def _check(self, studies: Sequence[Study]) -> None:
        for study in studies:
            if study.image.shape[0] != self.modalities:
                raise ValueError(
                    f"{study.name}: {study.image.shape[0]} modalities, expected {self.modalities}"
                )

    def logits(self, network: nn.Module, slices: Tensor) -> Tensor:
        """Logits of slices of any size, ``[Z, M, Y, X]`` to ``[Z, C, Y, X]``."""
        height, width = slices.shape[-2:]
        # Instance normalisation needs more than one pixel at the coarsest level.
        least = 2 * self.multiple
        padding = (
            0,
            max(least - width, -width % self.multiple),
            0,
            max(least - height, -height % self.multiple),
        )
        logits: Tensor = network(nn.functional.pad(slices, padding))
        return logits[..., :height, :width]


def standardised(_network: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
    """Slices ``[B, M, Y, X]`` with mean 0 and standard deviation 1; for a forward hook."""
    (slices,) = given
    deviation, mean = torch.std_mean(slices.float(), dim=(-2, -1), keepdim=True)
    return ((slices - mean) / deviation.clamp(min=1e-3),)
