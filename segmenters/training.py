"""How a network is trained: settings and what follows from them."""

import math
from dataclasses import dataclass, field
from typing import Literal

from segmenters.augmentation import Augmentation

Checkpoint = Literal["last", "ema", "best"]
"""Weights that a training leaves."""

AUTO = "auto"
SCRATCH = "scratch"
PHANTOM = "phantom"
STARTS = (AUTO, SCRATCH, PHANTOM)
"""Starts of a training, beside the path of a file with weights."""

DEVICES = ("auto", "cpu", "cuda", "gpu", "mps")
"""Where networks may run."""

LARGEST_PATCH = 4096
"""Rows or columns."""

MOST = {
    "steps": 10**8,
    "batch_size": 4096,
    "validate_every": 10**8,
    "checkpoint_every": 10**8,
    "report_every": 10**8,
    "learning_rate": 1000,
    "weight_decay": 1000,
    "clip": 10**6,
}
"""Beyond which a number is a mistake."""

WITHOUT_EFFECT = ("checkpoint_every", "device", "report_every")
"""Settings of a training that its weights do not depend on, but for rounding."""

POLYNOMIAL_POWER = 0.9
"""Of the decay, as in nnU-Net: Isensee et al., Nature Methods 2021."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained; the same in every scenario."""

    start: str = AUTO
    """Weights at the start: ``scratch``, random ones; ``phantom``, those that are shipped for the
    label scheme and network, which learned from phantoms alone; or a file that a segmenter saved.
    ``auto`` is ``phantom`` for data of patients where such weights are shipped, else
    ``scratch``."""
    steps: int = 1500
    """Steps of the optimizer."""
    batch_size: int = 12
    """Slices in a step."""
    patch: tuple[int, int] = (128, 128)
    """Rows and columns of a slice in training, each a multiple of 16."""
    learning_rate: float = 2e-3
    """Learning rate of AdamW at the start."""
    weight_decay: float = 1e-4
    """Weight decay of AdamW."""
    schedule: Literal["polynomial", "cosine"] = "polynomial"
    """How the learning rate falls to zero."""
    clip: float = 12.0
    """Largest norm of the gradient."""
    dice_background: bool = False
    """Whether the background counts in the Dice loss."""
    deep_supervision: bool = False
    """Whether coarser levels of the decoder learn, too, as in nnU-Net; ``plain_unet`` alone has
    such. In supervised trainings and self-training; online loops leave it out."""
    ema: float | None = 0.99
    """Share of the moving average of the weights that is kept at each step, less in the first
    steps. None keeps no average."""
    checkpoint: Checkpoint | None = None
    """Weights that are the result: ``last``, those of the last step; ``ema``, their moving
    average; ``best``, those with the lowest loss on the validation studies. Where not given,
    ``ema`` if an average is kept, and ``last`` if not."""
    pseudo_ratio: float = 0.5
    """Share of the batches drawn from pseudo-labels, where there are any, times the mean of
    their weights."""
    foreground: float = 0.9
    """Share of crops laid around the middle of the structures, where slices exceed the patch."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes of the slices in training."""
    validate_every: int = 200
    """Steps between two evaluations on the validation studies."""
    checkpoint_every: int = 200
    """Steps between two saves of the state, from which a killed training goes on."""
    report_every: int = 10
    """Steps between two entries of the training log."""
    snapshots: tuple[int, ...] = ()
    """Steps after which the weights are kept in a file of their own."""
    seed: int = 0
    """Seed of initial weights, batches, augmentation and dropout."""
    device: str = "auto"
    """Device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """Number format: ``32-true`` or ``bf16-mixed``, as Lightning Fabric names it; ``auto`` takes
    bfloat16 where the processor or GPU computes in it."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Order of a network's weights and features in memory. ``auto`` is ``channels_last``, with
    which convolutions are faster, but for networks with instance normalisation, which is slower
    with it."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every", "checkpoint_every", "report_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, most in MOST.items():
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most}, got {getattr(self, name)}")
        for name in ("pseudo_ratio", "foreground"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if len(self.patch) != 2 or not all(1 <= n <= LARGEST_PATCH for n in self.patch):
            raise ValueError(f"patch must be two lengths up to {LARGEST_PATCH}, got {self.patch}")
        if not all(1 <= step <= MOST["steps"] for step in self.snapshots):
            raise ValueError(f"snapshots must be steps from 1 on, got {self.snapshots}")
        if not 0 <= self.seed < 2**62:
            raise ValueError(f"seed must lie in [0, 2**62), got {self.seed}")
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {self.device}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise ValueError(f"ema must lie in [0, 1), got {self.ema}")
        if self.checkpoint == "ema" and self.ema is None:
            raise ValueError("checkpoint: ema needs the setting ema, such as 0.99")
        if not self.start:
            raise ValueError("start: say auto, scratch, phantom or a file with weights")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    @property
    def chosen(self) -> Checkpoint:
        """The weights that are the result."""
        return self.checkpoint or self.usual

    @property
    def usual(self) -> Checkpoint:
        """The weights that are the result where the settings do not say."""
        return "last" if self.ema is None else "ema"

    def checkpoints(self, *, is_validated: bool) -> tuple[Checkpoint, ...]:
        """All weights that a training leaves, with validation studies or without."""
        found: list[Checkpoint] = ["last"]
        found += [] if self.ema is None else ["ema"]
        return tuple(found + (["best"] if is_validated else []))

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 1."""
        done = (step - 1) / self.steps
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * float((1 - done) ** POLYNOMIAL_POWER)
