"""Subjects held out of a training, and the weights that do best on them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

FOLDS = 5
"""Into which subjects are dealt where there is a single member."""

Numbers = NDArray[np.intp]


def held_out(
    subjects: Sequence[str], member: int, members: int, seed: int
) -> tuple[Numbers, Numbers]:
    """Numbers of the frames that a member learns from, and of those that choose its weights.

    Args:
        subjects: Whom each frame is of.
        member: Its number, from 0.
        members: Of the ensemble; each holds out another fold, and a single one a fifth.
        seed: Of the folds.

    Raises:
        ValueError: If all frames are of one subject.
    """
    names = np.unique(np.asarray(subjects))
    if len(names) < 2:
        raise ValueError(f"hold_out needs frames of two subjects at least, all are of {names[0]}")
    dealt = np.random.default_rng(seed).permutation(names)
    folds = min(len(names), members if members > 1 else FOLDS)
    is_held = np.isin(np.asarray(subjects), dealt[member % folds :: folds])
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


@dataclass
class BestWeights:
    """Keeps the weights with the least loss among those after every so many steps.

    Args:
        network: That is trained; only looked at.
        loss: Its loss on what is held out.
        every: Steps between two looks.
    """

    network: nn.Module
    loss: Callable[[], float]
    every: int
    _steps: int = 0
    _least: float = math.inf
    _best: dict[str, Tensor] = field(default_factory=dict)

    def after_step(self) -> None:
        """Look, if it is time."""
        self._steps += 1
        if self._steps % self.every == 0:
            self._look()

    def restore(self) -> None:
        """Give the network its best weights; those of the last step count, too."""
        if self._steps % self.every:
            self._look()
        if self._best:
            self.network.load_state_dict(self._best)

    def _look(self) -> None:
        found = self.loss()
        if found < self._least:
            self._least = found
            weights = self.network.state_dict().items()
            self._best = {name: tensor.detach().clone() for name, tensor in weights}
