"""How much of a card the training steps of U-Net and QCResUNet use, and where its roofline is.

    PYTHONPATH=. python benchmarks/gpu/roofline.py            # some three minutes on a GPU
    PYTHONPATH=. python benchmarks/gpu/roofline.py --first 1  # on a processor
    PYTHONPATH=. python benchmarks/gpu/roofline.py --tiny     # a rehearsal

First the machine's own peaks: multiplications of large bfloat16 matrices, and copies of memory.
Then a bare training step (forward, backward, AdamW) of each network, in bfloat16. Operations are
those that PyTorch counts in convolutions and matrix products, forward and backward. Bytes are what
each layer must read and write if nothing is fused: its inputs, outputs and weights, once forward
and twice backward. Their ratio, the intensity, says what the memory allows:
min(peak, intensity x bandwidth).

Reference:
    Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for
    multicore architectures", Communications of the ACM 2009.
    https://doi.org/10.1145/1498765.1498785
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from qc.estimators.qcresunet.estimator import QCResUNet
from segmenters.plain_unet import PlainUNetNetwork
from semiqc.schemes import SHORT_AXIS

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BYTES = 2
"""Of a bfloat16 number."""
PASSES = 3
"""Forward, and backward twice: for the inputs' gradients and for the weights'."""
WARM_UP, STEPS = 5, 20

CLASSES = len(SHORT_AXIS.classes)
OURS, NNUNET = (16, 32, 64, 128, 256), (32, 64, 128, 256, 512, 512)


@dataclass(frozen=True)
class Case:
    """One network and its batch.

    Args:
        name: In the table.
        build: Makes the network.
        shape: Of the batch.
    """

    name: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]

    @property
    def memory_format(self) -> torch.memory_format:
        """Channels last, in two dimensions or three."""
        return torch.channels_last if len(self.shape) == 4 else torch.channels_last_3d


def unet(channels: tuple[int, ...], batch: int, size: int) -> Case:
    """The plain U-Net on slices."""
    name = f"U-Net {channels[0]}..{channels[-1]}, {batch} x {size} x {size}"
    return Case(
        name,
        lambda: PlainUNetNetwork(1, CLASSES, channels, 0.0, "batch"),
        (batch, 1, size, size),
    )


def qcresunet(width: int, batch: int, size: tuple[int, int, int]) -> Case:
    """QCResUNet on volumes and their one-hot segmentations."""
    name = f"QCResUNet {width}, {batch} x {' x '.join(map(str, size))}"
    judge = QCResUNet(SHORT_AXIS, modalities=1, size=size, isotropic=False, width=width)
    return Case(name, judge._network, (batch, 1 + CLASSES, *size))


CASES = (
    unet(OURS, 12, 128), unet(OURS, 96, 128), unet(OURS, 384, 128), unet(NNUNET, 48, 256),
    qcresunet(16, 16, (8, 96, 96)), qcresunet(32, 16, (8, 96, 96)),
    qcresunet(32, 8, (16, 160, 160)),
)  # fmt: skip
TINY = (unet((4, 8), 2, 32), qcresunet(4, 2, (8, 32, 32)))


def seconds(work: Callable[[], object], count: int = STEPS) -> float:
    """Median seconds of something, after a few times of warming up."""
    found = []
    for number in range(WARM_UP + count):
        _wait()
        begun = time.perf_counter()
        work()
        _wait()
        if number >= WARM_UP:
            found.append(time.perf_counter() - begun)
    return statistics.median(found)


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def peaks(side: int) -> tuple[float, float]:
    """Operations and bytes a second that the machine reaches."""
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    operations = 2 * side**3 / seconds(lambda: a @ b)
    source = torch.empty(16 * side * side, device=DEVICE, dtype=torch.bfloat16)
    target = torch.empty_like(source)
    return operations, 2 * BYTES * source.numel() / seconds(lambda: target.copy_(source))


class Step:
    """A bare training step of a case; its loss is the mean of all that comes out."""

    def __init__(self, case: Case) -> None:
        torch.manual_seed(0)
        self.network = case.build().to(DEVICE, memory_format=case.memory_format).train()
        self.batch = torch.randn(case.shape, device=DEVICE).to(memory_format=case.memory_format)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=DEVICE == "cuda")

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        with torch.autocast(DEVICE, torch.bfloat16):
            given = self.network(self.batch)
        found = [given] if isinstance(given, Tensor) else [one for one in given if one is not None]
        torch.stack([one.float().mean() for one in found]).sum().backward()
        self.optimizer.step()

    def operations(self) -> float:
        """Of convolutions and matrix products, forward and backward."""
        with FlopCounterMode(display=False) as counter:
            self()
        return float(counter.get_total_flops())

    def bytes(self) -> float:
        """That layers read and write, if none is fused with another."""
        moved = [0.0]
        with _counted(self.network, moved):
            self()
        return PASSES * BYTES * moved[0]


@contextmanager
def _counted(network: nn.Module, moved: list[float]) -> Iterator[None]:
    """Add up the numbers that layers take, give and hold."""

    def add(layer: nn.Module, given: Any, found: Any) -> None:  # noqa: ANN401
        tensors = [one for one in (*given, found) if isinstance(one, Tensor)]
        moved[0] += sum(one.numel() for one in (*tensors, *layer.parameters()))

    leaves = [one for one in network.modules() if not list(one.children())]
    hooks = [one.register_forward_hook(add) for one in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def main() -> None:
    """Print the peaks and a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="Small networks, to rehearse.")
    parser.add_argument("--first", type=int, default=len(CASES), help="So many rows.")
    options = parser.parse_args()
    is_tiny = options.tiny
    operations, bandwidth = peaks(8192 if DEVICE == "cuda" else 1024)
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else DEVICE
    print(
        f"{device}, torch {torch.__version__}: {operations / 1e12:.3g} TFLOP/s in bfloat16,"
        f" {bandwidth / 1e9:.4g} GB/s\n"
    )
    print("| step | ms | images a second | TFLOP/s | of peak | FLOP a byte | of roofline |")
    print("|---|---|---|---|---|---|---|")
    for case in TINY if is_tiny else CASES[: options.first]:
        step = Step(case)
        count, intensity, took = step.operations(), step.operations() / step.bytes(), seconds(step)
        roof = min(operations, intensity * bandwidth)
        print(
            f"| {case.name} | {1000 * took:.1f} | {case.shape[0] / took:,.0f} |"
            f" {count / took / 1e12:.3g} | {count / took / operations:.1%} | {intensity:.0f} |"
            f" {count / took / roof:.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
