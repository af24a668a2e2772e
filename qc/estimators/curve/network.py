"""The network of the curve classifier, and its training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qc.estimators.curve.curves import CHANNELS_PER_STRUCTURE
from semiqc.optimise import optimise

LSTM_LAYERS = 3
"""As in Ruijsink, Puyol-Antón et al., STACOM 2020, section 3.1."""


class CurveNetwork(nn.Module):
    """A dense layer at every point, three LSTM layers along the cycle, one logit.

    Args:
        structures: With a curve.
        width: Units of each layer.
        dropout: Share of units dropped between the LSTM layers in training.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, structures: int, *, width: int, dropout: float) -> None:
        super().__init__()
        channels = CHANNELS_PER_STRUCTURE * structures
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))
        self.dense = nn.Linear(channels, width)
        self.lstm = nn.LSTM(width, width, LSTM_LAYERS, batch_first=True, dropout=dropout)
        self.output = nn.Linear(2 * width, 1)

    def standardise_by(self, curves: Tensor) -> None:
        """Take the mean and spread of each channel from these curves, ``[N, points, 3 S]``."""
        self.centre.copy_(curves.mean(dim=(0, 1)))
        self.spread.copy_(curves.std(dim=(0, 1)).clamp(min=1e-3))

    def standardised(self, curves: Tensor) -> Tensor:
        """Curves in multiples of the spread."""
        return (curves - self.centre) / self.spread

    def forward(self, standardised: Tensor) -> Tensor:
        """Log-odds of being good, ``[N]``, of standardised curves, ``[N, points, 3 S]``."""
        hidden, _ = self.lstm(self.dense(standardised).relu())
        # The mean tells the course of the whole cycle, the maximum that something happened once.
        summary = torch.cat((hidden.mean(dim=1), hidden.amax(dim=1)), dim=1)
        logits: Tensor = self.output(summary).squeeze(1)
        return logits


@torch.no_grad()
def mean_probability(networks: Sequence[CurveNetwork], curves: Tensor) -> NDArray[np.float64]:
    """Mean probability of being good over networks, of curves as they were measured.

    Args:
        networks: At least one.
        curves: ``[N, points, 3 S]``.

    Returns:
        ``[N]``, in [0, 1].
    """
    if not len(curves):
        return np.empty(0)
    # In float64 a sigmoid stays below 1, so that the most certain can still be ranked.
    found = [network(network.standardised(curves)).double().sigmoid() for network in networks]
    mean: NDArray[np.float64] = torch.stack(found).mean(dim=0).numpy()
    return mean


class _Balanced:
    """Cross-entropy in which good and erroneous weigh the same, on curves with noise."""

    def __init__(self, network: CurveNetwork, noise: float) -> None:
        self.network = network
        self.noise = noise

    def losses(self, batch: tuple[Tensor, Tensor], iteration: int) -> dict[str, Tensor]:
        curves, is_good = batch
        share_good = is_good.float().mean()
        weights = torch.where(is_good, 0.5 / share_good, 0.5 / (1 - share_good))
        logits = self.network(curves + self.noise * torch.randn_like(curves))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, is_good.float(), weights)
        return {"cross_entropy": loss}

    def after_update(self) -> None:
        pass


def train(
    network: CurveNetwork,
    curves: Tensor,
    is_good: Tensor,
    *,
    noise: float,
    steps: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Train on all curves at once, and leave the network ready to judge.

    Args:
        network: Changed in place.
        curves: ``[N, points, 3 S]``.
        is_good: Verdicts of either kind, ``[N]`` bool.
        noise: Standard deviation of what is added to the standardised curves.
        steps: Of AdamW.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
    """
    network.standardise_by(curves)
    batch = (network.standardised(curves), is_good)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=learning_rate, weight_decay=weight_decay
    )
    network.train()
    with _one_thread():
        optimise(_Balanced(network, noise), (batch for _ in range(steps)), optimizer)
    network.eval()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small lose more by waiting for other threads than they win."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
