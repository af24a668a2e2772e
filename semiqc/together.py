"""One training over several processes, on several GPUs or machines, begun by ``torchrun``.

Each process takes its share of every batch through the network. What the network says is
gathered, so that each has the loss of the whole batch; gradients are averaged, and batch
normalisation is over the whole batch. So the figures are those of one process, but for rounding:
the number of processes is no setting, and a run may go on with another. With dropout they differ.

Reference:
    Li et al., "PyTorch distributed: experiences on accelerating data parallel training",
    VLDB 2020. Ours: no overlap of computing and sending, which networks this small need not.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(days=14)
"""How long the others wait for a stage that one process makes alone."""


class _State:
    """Whether this process now trains with others."""

    joined = False


def world() -> int:
    """Processes that ``torchrun`` began, this one included; 1 without it."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process among them, from 0; the first writes what all have made."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """Number of this process on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if dist.is_initialized() else 0


def sharing() -> int:
    """Processes that now share each batch; 1 where this one trains alone."""
    return world() if _State.joined else 1


@contextmanager
def group() -> Iterator[int]:
    """Meet the other processes of ``torchrun``, and leave them at the end; yields the rank."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "MASTER_ADDR" not in os.environ:
        yield 0
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Stages that one process makes alone are told of through the processors' backend.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


@contextmanager
def jointly() -> Iterator[None]:
    """Within the block, trainings share their batches with the other processes."""
    _State.joined = True
    try:
        yield
    finally:
        _State.joined = False


def told(number: int) -> int:
    """The number that the first process gives, in every process; they wait for each other."""
    if world() == 1:
        return number
    sent = torch.tensor([number])
    dist.broadcast(sent, 0)
    return int(sent.item())


class Divided(nn.Module):
    """A network of whose batches each process computes a share.

    A batch that cannot be divided evenly is computed by each as a whole.

    Args:
        network: As Lightning Fabric has set it up, ``[B, ...]`` to ``[B, ...]``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def module(self) -> nn.Module:
        """The network without what Lightning Fabric wraps it in."""
        return self.network.module  # type: ignore[return-value]

    def forward(self, images: Tensor) -> Tensor:
        """What the network says of the whole batch."""
        count = sharing()
        if count == 1 or len(images) % count:
            whole: Tensor = self.network(images)
            return whole
        own = self.network(images.chunk(count)[rank()])
        gathered: Tensor = _Gathered.apply(own)  # type: ignore[no-untyped-call]
        return gathered


def divided(network: nn.Module) -> nn.Module:
    """The network, divided among the processes that share a training, if there are several."""
    return network if sharing() == 1 else Divided(network)


def with_pooled_norms(network: nn.Module) -> nn.Module:
    """The network, its batch normalisation over the whole batch where several processes train."""
    for part in network.modules() if sharing() > 1 else ():
        if isinstance(part, nn.BatchNorm2d):
            part.__class__ = PooledBatchNorm2d
    return network


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose mean and variance are of the batches of all processes.

    PyTorch's ``SyncBatchNorm`` is for GPUs alone.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if not self.training or sharing() == 1:
            return super().forward(input)
        features = input.float()
        count = sharing() * features.numel() / features.shape[1]
        mean = _pooled(features.sum(dim=(0, 2, 3))) / count
        centred = features - mean.view(1, -1, 1, 1)
        variance = _pooled(centred.square().sum(dim=(0, 2, 3))) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scaled = centred * torch.rsqrt(variance + self.eps).view(1, -1, 1, 1)
        if self.affine:
            scaled = scaled * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return scaled.to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as the plain one does."""
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of the gradients of all."""
    if sharing() == 1:
        return
    gradients = [one.grad for one in parameters if one.grad is not None]
    flat = torch.cat([one.reshape(-1) for one in gradients])
    dist.all_reduce(flat)
    flat /= sharing()
    for own, mean in zip(gradients, flat.split([one.numel() for one in gradients]), strict=True):
        own.copy_(mean.view_as(own))


def _pooled(own: Tensor) -> Tensor:
    pooled: Tensor = _Pooled.apply(own)  # type: ignore[no-untyped-call]
    return pooled


class _Pooled(torch.autograd.Function):
    """Sum over the processes; so is the gradient's."""

    @staticmethod
    def forward(_: Any, own: Tensor) -> Tensor:  # noqa: ANN401
        return _summed(own)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        return _summed(gradients[0])


class _Gathered(torch.autograd.Function):
    """The shares of all processes, one behind the other."""

    @staticmethod
    def forward(_: Any, own: Tensor) -> Tensor:  # noqa: ANN401
        own = own.contiguous()
        shares = [torch.empty_like(own) for _ in range(sharing())]
        dist.all_gather(shares, own)
        return torch.cat(shares)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        return _summed(gradients[0]).chunk(sharing())[rank()]


def _summed(own: Tensor) -> Tensor:
    total = own.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total
