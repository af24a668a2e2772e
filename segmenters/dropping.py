"""Dropout outside of training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd


@contextmanager
def dropout_active(network: nn.Module, seed: int | None, device: torch.device) -> Iterator[None]:
    """Let a network drop features as in training, by a seed; None lets all as it is.

    The caller's random state is left alone, and so is what else differs in training.
    """
    if seed is None:
        yield
        return
    dropouts = [module for module in network.modules() if isinstance(module, _DropoutNd)]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for module in dropouts:
            module.train()
        try:
            yield
        finally:
            for module in dropouts:
                module.eval()
