"""Does ``torch.compile`` pay? Its start-up against what it saves of each step and prediction.

    OMP_NUM_THREADS=1 python benchmarks/compiled.py

The plain U-Net of the defaults on a batch of 12 slices of 128 x 128, channels last, bfloat16, on
a GPU where there is one. The last column is the number of steps after which a compiled training
has made up for its start-up.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from segmenters.losses import cross_entropy, dice_loss
from segmenters.plain_unet import PlainUNetNetwork

BATCH, PATCH, CLASSES, ROUNDS = 12, 128, 4, 10
CHANNELS = (16, 32, 64, 128, 256)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

Network = Callable[[Tensor], Tensor]


def build() -> nn.Module:
    """The network of the defaults, with the same weights each time."""
    torch.manual_seed(0)
    network = PlainUNetNetwork(1, CLASSES, CHANNELS, 0.0, "batch").to(DEVICE)
    return network.to(memory_format=torch.channels_last)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes, work on a GPU included."""
    begun = time.perf_counter()
    work()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def costs(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the first time, and the median of those after the second."""
    first, _, *others = (seconds(work) for _ in range(ROUNDS + 2))
    return first, statistics.median(others)


class Work:
    """A training step or a prediction, of a network that is compiled or not.

    Args:
        images: A batch of them.
        labels: Theirs.
        is_compiled: Whether the network is.
    """

    def __init__(self, images: Tensor, labels: Tensor, *, is_compiled: bool) -> None:
        self.images, self.labels = images, labels
        self._own = build()
        self._network: Network = torch.compile(self._own) if is_compiled else self._own
        self._optimizer = torch.optim.AdamW(self._own.parameters())

    def step(self) -> None:
        """One of the training."""
        self._optimizer.zero_grad()
        logits = self._logits(is_training=True)
        (dice_loss(logits, self.labels) + cross_entropy(logits, self.labels)).backward()
        self._optimizer.step()

    def prediction(self) -> None:
        """One, without gradients."""
        with torch.inference_mode():
            self._logits(is_training=False)

    def _logits(self, *, is_training: bool) -> Tensor:
        self._own.train(is_training)
        with torch.autocast(DEVICE, torch.bfloat16):
            return self._network(self.images).float()


def main() -> None:
    """Print the table."""
    images = torch.randn(BATCH, 1, PATCH, PATCH, device=DEVICE)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(0, CLASSES, (BATCH, PATCH, PATCH), device=DEVICE)
    print(f"{DEVICE}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| | plain (ms) | compiled (ms) | start-up (s) | pays after |\n|---|---|---|---|---|")
    for name in ("step", "prediction"):
        plain, compiled = (
            costs(getattr(Work(images, labels, is_compiled=one), name)) for one in (False, True)
        )
        gain = plain[1] - compiled[1]
        pays = f"{compiled[0] / gain:,.0f}" if gain > 0 else "never"
        print(
            f"| {name} | {1000 * plain[1]:.0f} | {1000 * compiled[1]:.0f} | {compiled[0]:.0f} |"
            f" {pays} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
