"""The weights that a training leaves: of its last step, their moving average, the best."""

import math
from copy import deepcopy

import torch
from torch import Tensor, nn

from segmenters.training import Checkpoint
from segmenters.validation import Validation


class BestCheckpoint(nn.Module):
    """The network with the lowest validation loss so far.

    The loss, not the Dice, chooses: it differs between networks even where none has found a
    structure yet. Candidates at each validation are the network itself and, where one is kept,
    the moving average of its weights; of equal ones the first stays.

    A module, so that it is kept with the state of an unfinished training.

    Args:
        network: Of the same layers; it is copied.
        structures: Names of the structures that Dice is given of.
    """

    loss: Tensor
    dice: Tensor

    def __init__(self, network: nn.Module, structures: tuple[str, ...]) -> None:
        super().__init__()
        self.network = deepcopy(network)
        self.structures = structures
        self.register_buffer("loss", torch.tensor(math.inf, dtype=torch.float64))
        unknown = torch.full((len(structures),), math.nan, dtype=torch.float64)
        self.register_buffer("dice", unknown)

    @property
    def validation(self) -> Validation:
        """Figures of the best network."""
        return Validation(
            self.loss.item(), dict(zip(self.structures, self.dice.tolist(), strict=True))
        )

    def offer(self, network: nn.Module, found: Validation) -> None:
        """Take over the weights of a network if its loss is lower."""
        if found.loss < self.loss.item():
            self.network.load_state_dict(network.state_dict())
            self.loss.fill_(found.loss)
            self.dice.copy_(torch.tensor([found.dice[name] for name in self.structures]))


def checkpoint_file(kind: Checkpoint) -> str:
    """Name of the file that holds the weights of a kind."""
    return f"{kind}.safetensors"


def snapshot_file(step: int) -> str:
    """Name of the file that holds the weights of a step."""
    return f"snapshot-{step:08d}.safetensors"
