"""Weights of a network in a file, with what the network is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from semiqc.doors.json_file import parse_json
from semiqc.doors.regular import in_short
from semiqc.doors.tensors import read_tensors
from semiqc.files.atomic import write_bytes

HEADER = "semiqc-segmenter"


def write_weights(network: nn.Module, path: Path, described: Mapping[str, Any]) -> None:
    """Write a network's weights and what it is, whole or not at all."""
    state = network.state_dict()
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
    write_bytes(path, save(tensors, {HEADER: json.dumps(described)}))


def read_weights(path: Path, described: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a file, by the name of their layer.

    Raises:
        ValueError: If the file cannot be read, holds another network than ``described``, or
            weights that are not finite.
    """
    tensors, metadata = read_tensors(path, "pt")
    stored = parse_json(metadata.get(HEADER, "null"), str(path))
    expected = json.loads(json.dumps(described))
    if stored != expected:
        raise ValueError(f"{path}: holds {in_short(stored)}, expected {expected}")
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{path}: damaged, weights of {name} are not finite numbers")
    return tensors
