"""Weights of a network in a file, with what the network is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from semiqc.files.atomic import whole_file

HEADER = "semiqc-segmenter"


def write_weights(network: nn.Module, path: Path, described: Mapping[str, Any]) -> None:
    """Write a network's weights and what it is, whole or not at all."""
    state = network.state_dict()
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(described)})


def read_weights(path: Path, described: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a file, by the name of their layer.

    Raises:
        ValueError: If the file cannot be read, or holds another network than ``described``.
    """
    try:
        with safe_open(path, framework="pt") as file:
            stored = json.loads((file.metadata() or {}).get(HEADER, "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    expected = json.loads(json.dumps(described))
    if stored != expected:
        raise ValueError(f"{path}: holds {stored}, expected {expected}")
    return tensors
