"""How a network is trained: settings and what follows from them."""

import math
from dataclasses import dataclass, field
from typing import Literal

from segmenters.augmentation import Augmentation

POLYNOMIAL_POWER = 0.9
"""Of the decay, as in nnU-Net: Isensee et al., Nature Methods 2021."""


@dataclass(frozen=True)
class Training:
    """How a network is trained; the same in every scenario, from scratch.

    Args:
        steps: Of the optimizer. The last one's weights are the result.
        batch_size: Slices in a step.
        patch: Rows and columns of a slice in training, each a multiple of 16.
        learning_rate: Of AdamW, at the start.
        weight_decay: Of AdamW.
        schedule: How the learning rate falls to nothing.
        clip: Largest norm of the gradient.
        ema: Share of the moving average of the weights that is kept at each step; None takes the
            weights themselves.
        pseudo_ratio: Share of the batches drawn from pseudo-labels, where there are any, times the
            mean of their weights.
        foreground: Share of crops laid around a structure, where slices exceed the patch.
        augmentation: What is done to the slices.
        validate_every: Steps between two looks at the validation studies.
        checkpoint_every: Steps after which the state is kept, from which a killed training goes
            on.
        report_every: Steps between two reports.
        snapshots: Steps at which the weights are kept.
        seed: Of weights, batches, augmentation and dropout.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: ``32-true`` or ``bf16-mixed``, as Lightning Fabric names it.
    """

    steps: int = 1500
    batch_size: int = 16
    patch: tuple[int, int] = (96, 96)
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    schedule: Literal["polynomial", "cosine"] = "polynomial"
    clip: float = 12.0
    ema: float | None = None
    pseudo_ratio: float = 0.5
    foreground: float = 0.7
    augmentation: Augmentation = field(default_factory=Augmentation)
    validate_every: int = 200
    checkpoint_every: int = 200
    report_every: int = 10
    snapshots: tuple[int, ...] = ()
    seed: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every", "checkpoint_every", "report_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.pseudo_ratio <= 1:
            raise ValueError(f"pseudo_ratio must lie in [0, 1], got {self.pseudo_ratio}")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise ValueError(f"ema must lie in [0, 1), got {self.ema}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 1."""
        done = (step - 1) / self.steps
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * float((1 - done) ** POLYNOMIAL_POWER)
