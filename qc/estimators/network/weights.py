"""Weights of networks as named arrays, to be stored without pickle."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from qc.saving import arrays_below

Network = TypeVar("Network", bound=nn.Module)


def stored_weights(network: nn.Module, name: str) -> dict[str, NDArray[np.generic]]:
    """The weights of a network, under names that begin with ``name/``."""
    return {
        f"{name}/{key}": tensor.detach().cpu().numpy()
        for key, tensor in network.state_dict().items()
    }


def with_weights(
    network: Network, arrays: Mapping[str, NDArray[np.generic]], name: str
) -> Network:
    """The network with the weights that ``stored_weights`` gave, ready to predict."""
    found = arrays_below(name, arrays)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in found.items()})
    return network.eval()
