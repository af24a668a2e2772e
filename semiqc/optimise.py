"""The one gradient loop, on Lightning Fabric.

A method is a step: named loss terms, and what to do once the weights have moved. Everything random
is a function of the seed and the number of the iteration, and the state of an unfinished loop is
kept on disk, so that a loop that was killed ends with the same weights as one that was not; see
``semiqc.loop_state``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from semiqc.loop_state import LoopState
from semiqc.together import average_gradients

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["LoopState", "Report", "Step", "optimise"]

Batch = TypeVar("Batch", contravariant=True)
BatchOf = TypeVar("BatchOf")
Report = Callable[[int, Mapping[str, float]], None]
PATIENCE = 5
"""Gradients in a row that may be lost."""
LOOK_EVERY = 10
"""Steps after which a GPU is waited for, to see whether gradients were lost."""


class Step(Protocol[Batch]):
    """What sets one method apart from another: its loss terms and its bookkeeping."""

    def losses(self, batch: Batch, iteration: int) -> dict[str, Tensor]:
        """Named scalar terms, already weighted; their sum is minimised."""
        ...

    def after_update(self) -> None:
        """Called once the optimizer has moved the weights."""
        ...


def optimise(
    step: Step[BatchOf],
    batches: Iterable[BatchOf],
    optimizer: torch.optim.Optimizer,
    *,
    report: Report = lambda iteration, values: None,
    report_every: int = 1,
    first: int = 1,
    seed: int = 0,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = None,
    fabric: "Fabric | None" = None,
) -> None:
    """Take one optimizer step per batch; the caller's random state is left as it was.

    Args:
        step: The method.
        batches: Ends the loop by ending.
        optimizer: Holds the parameters to move.
        report: Told of every loss term.
        report_every: Iterations; a GPU is waited for where a value is looked at.
        first: Number of the first iteration, more than 1 where a loop goes on.
        seed: With the iteration's number, of what the step draws.
        schedule: Learning rate of each iteration; None leaves the optimizer's.
        clip: Largest norm of the gradient; None leaves it.
        fabric: Device, precision and processes; None computes plainly on the CPU.

    Raises:
        FloatingPointError: If a loss term is not finite, or more than ``PATIENCE`` gradients in a
            row are not; on a GPU more than ``PATIENCE`` of either, some steps later.
    """
    update = _update_of(step, optimizer, clip, fabric)
    with _own_random_state():
        for iteration, batch in enumerate(batches, start=first):
            torch.manual_seed(_mixed(seed, iteration))
            if schedule is not None:
                _set_rate(optimizer, schedule(iteration))
            terms = update(batch, iteration)
            if iteration % report_every == 0:
                report(iteration, Read({name: term.detach() for name, term in terms.items()}))


class Read(Mapping[str, float]):
    """Values of loss terms, each read when it is asked for: a GPU is waited for only then.

    Args:
        terms: Scalars on any device.
    """

    def __init__(self, terms: Mapping[str, Tensor]) -> None:
        self.terms = terms

    def __getitem__(self, name: str) -> float:
        return float(self.terms[name].item())

    def __iter__(self) -> Iterator[str]:
        return iter(self.terms)

    def __len__(self) -> int:
        return len(self.terms)


@dataclass
class _Update(Generic[BatchOf]):
    """One step of the optimizer after the other; see ``optimise``.

    Where the gradient is clipped, one that is not finite moves nothing: half precision gives such
    now and then, and kernels of processors that know it only in part.
    """

    step: Step[BatchOf]
    optimizer: torch.optim.Optimizer
    clip: float | None
    fabric: "Fabric | None"
    lost: int = 0
    """Gradients that were not finite, in a row."""

    def __call__(self, batch: BatchOf, iteration: int) -> dict[str, Tensor]:
        """Move the weights by one batch; the loss terms before that."""
        terms = self.step.losses(batch, iteration)
        loss = torch.stack(list(terms.values())).sum()
        if not loss.isfinite():
            values = {name: term.item() for name, term in terms.items()}
            raise FloatingPointError(f"loss is not finite at iteration {iteration}: {values}")
        self._backward(loss)
        if self._is_usable(iteration):
            self.optimizer.step()
            self.step.after_update()
        return terms

    def _backward(self, loss: Tensor) -> None:
        """Gradients of a loss, over all processes that share the training."""
        self.optimizer.zero_grad()
        if self.fabric is None:
            loss.backward()
        else:
            self.fabric.backward(loss)
        average_gradients(self._parameters)

    @property
    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _is_usable(self, iteration: int) -> bool:
        """Whether the gradient may move the weights; it is clipped where that is asked for."""
        if self.clip is None:
            return True
        norm = nn.utils.clip_grad_norm_(self._parameters, self.clip)
        self.lost = 0 if norm.isfinite() else self.lost + 1
        if self.lost > PATIENCE:
            raise FloatingPointError(
                f"{self.lost} gradients in a row are not finite, the last at iteration {iteration}"
            )
        return not self.lost


@dataclass
class Unwaited(_Update[BatchOf]):
    """The same for a GPU, which is not waited for at each step.

    A loss or gradient that is not finite counts as a gradient of zero; too many in a row are found
    at the next look.
    """

    row: Tensor | None = None
    """Steps in a row that were lost."""
    longest: Tensor | None = None
    """Such row since the last look."""

    def __call__(self, batch: BatchOf, iteration: int) -> dict[str, Tensor]:
        """Move the weights by one batch; the loss terms before that."""
        terms = self.step.losses(batch, iteration)
        loss = torch.stack(list(terms.values())).sum()
        self._backward(loss)
        is_lost = ~loss.detach().isfinite()
        if self.clip is not None:
            is_lost |= ~nn.utils.clip_grad_norm_(self._parameters, self.clip).isfinite()
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(is_lost, 0.0)
        self.optimizer.step()
        self.step.after_update()
        self._count(is_lost)
        if iteration % LOOK_EVERY == 0:
            self._look(iteration)
        return terms

    def _count(self, is_lost: Tensor) -> None:
        row = is_lost.long() if self.row is None else (self.row + 1) * is_lost
        self.longest = row if self.longest is None else torch.maximum(self.longest, row)
        self.row = row

    def _look(self, iteration: int) -> None:
        longest = 0 if self.longest is None else int(self.longest.item())
        self.longest = None
        if longest > PATIENCE:
            raise FloatingPointError(
                f"{longest} losses or gradients in a row are not finite, by iteration {iteration}"
            )


def _update_of(
    step: Step[BatchOf],
    optimizer: torch.optim.Optimizer,
    clip: float | None,
    fabric: "Fabric | None",
) -> _Update[BatchOf]:
    """How the optimizer steps where its parameters are."""
    is_waited = fabric is None or fabric.device.type == "cpu"
    return (_Update if is_waited else Unwaited)(step, optimizer, clip, fabric)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _mixed(seed: int, iteration: int) -> int:
    return (seed * 1_000_003 + iteration) % 2**63


@contextmanager
def _own_random_state() -> Iterator[None]:
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield
