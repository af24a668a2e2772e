"""How good a network is on studies held out from training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from segmenters.losses import cross_entropy, dice_loss
from segmenters.training import Checkpoint
from semiqc.measuring.means import mean_of_known
from semiqc.measuring.metrics import dice
from semiqc.schemes import LabelScheme
from semiqc.study import Study

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Validation:
    """Figures of one network on the validation studies.

    Args:
        loss: Dice loss and cross-entropy, mean over labelled frames.
        dice: Of each structure, mean over labelled frames; NaN where a structure is in none of
            them and predicted in none.
    """

    loss: float
    dice: Mapping[str, float]

    def terms(self, kind: Checkpoint) -> dict[str, float]:
        """The figures by the names that a training log has for them."""
        of_structures = {f"{dice_term(kind)}/{name}": value for name, value in self.dice.items()}
        return {
            loss_term(kind): self.loss,
            dice_term(kind): mean_of_known(self.dice.values()),
            **of_structures,
        }


def loss_term(kind: Checkpoint) -> str:
    """Name of the validation loss of a checkpoint in a training log."""
    return "validation_loss" + ("" if kind == "last" else f"_{kind}")


def dice_term(kind: Checkpoint) -> str:
    """Name of the validation Dice of a checkpoint, mean over structures, in a training log."""
    return "validation_dice" + ("" if kind == "last" else f"_{kind}")


class Segmenting(Protocol):
    """The segmenter whose networks are validated."""

    scheme: LabelScheme

    def logits(self, network: nn.Module, slices: Tensor) -> Tensor:
        """Logits of slices of any size, ``[Z, M, Y, X]`` to ``[Z, C, Y, X]``."""
        ...


@torch.no_grad()
def validate(
    owner: Segmenting, network: nn.Module, studies: Sequence[Study], fabric: "Fabric"
) -> Validation:
    """Loss and Dice of a network over all labelled frames; at least one study has some."""
    was_training = network.training
    network.eval()
    losses: list[float] = []
    overlaps: dict[str, list[float]] = {s.name: [] for s in owner.scheme.structures}
    for study in studies:
        for frame in study.labelled_frames:
            reference = np.asarray(study.labels[frame])
            logits = _logits(owner, network, study, frame, fabric)
            losses.append(_loss(logits, reference))
            predicted = logits.argmax(dim=1).cpu().numpy().astype(np.int8)
            for structure in owner.scheme.structures:
                overlaps[structure.name].append(dice(predicted, reference, structure))
    network.train(was_training)
    return Validation(
        float(np.mean(losses)), {name: mean_of_known(values) for name, values in overlaps.items()}
    )


def _logits(
    owner: Segmenting, network: nn.Module, study: Study, frame: int, fabric: "Fabric"
) -> Tensor:
    image = np.ascontiguousarray(study.image[:, frame].swapaxes(0, 1))
    with fabric.autocast():
        return owner.logits(network, torch.from_numpy(image).to(fabric.device)).float()


def _loss(logits: Tensor, reference: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> float:
    labels = torch.from_numpy(reference).long().to(logits.device)
    return float(dice_loss(logits, labels) + cross_entropy(logits, labels))
