"""Weights from which a training starts."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from segmenters.pretrained import pretrained_weights
from segmenters.training import AUTO, PHANTOM, SCRATCH, TrainingSettings
from segmenters.weights import read_weights
from semiqc.schemes import LabelScheme
from semiqc.study import Study


class Starting(Protocol):
    """The segmenter whose training starts."""

    scheme: LabelScheme
    training: TrainingSettings

    def described(self) -> dict[str, Any]:
        """What the network is."""
        ...


def start_of(owner: Starting, studies: Sequence[Study]) -> Path | None:
    """File with the weights that a training of these studies starts from; None for random ones.

    Raises:
        ValueError: If weights of phantoms are asked for and none are shipped for the network.
    """
    start = owner.training.start
    if start == SCRATCH or (start == AUTO and not _are_of_patients(studies)):
        return None
    if start not in (AUTO, PHANTOM):
        return Path(start)
    found = pretrained_weights(owner.scheme.name, owner.described())
    if found is None and start == PHANTOM:
        raise ValueError(
            f"start: no weights are shipped for the label scheme {owner.scheme.name} and the"
            f" network {owner.described()}; say scratch, or make some with semiqc pretrain"
        )
    return found


def suitable_start(owner: Starting, studies: Sequence[Study]) -> str:
    """``phantom`` for studies of patients where weights are shipped, else ``scratch``."""
    if not _are_of_patients(studies):
        return SCRATCH
    found = pretrained_weights(owner.scheme.name, owner.described())
    return SCRATCH if found is None else PHANTOM


def start_weights(owner: Starting, path: Path | None) -> dict[str, Tensor] | None:
    """The weights of a file, by the name of their layer; None for random ones.

    Raises:
        ValueError: If the file cannot be read or is of another network.
    """
    return None if path is None else read_weights(path, owner.described())


def digest(path: Path | None) -> str:
    """What tells the weights of a start from others; empty for random ones.

    Raises:
        ValueError: If the file cannot be read.
    """
    if path is None:
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"training.start: {path}: {error.strerror}") from error


def _are_of_patients(studies: Sequence[Study]) -> bool:
    """Whether all were imported, and none is a phantom, on which its like would be tested."""
    return all(study.geometry is not None and not study.is_phantom for study in studies)
