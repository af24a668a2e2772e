"""Supervised training on expert labels alone: the baselines of every comparison."""

from collections.abc import Iterator, Sequence

from loops.base import Bench
from loops.records import Model, Round
from semiqc.study import Study


def supervised(
    bench: Bench[Model],
    first: Model,
    experts: Sequence[Study],
    candidates: Sequence[Study] = (),
    *,
    rounds: int = 1,
) -> Iterator[Round[Model]]:
    """Train once; yields that one round, with the number 0.

    Args:
        bench: Trains.
        first: Not used: every training starts from scratch.
        experts: Studies with an expert's labels.
        candidates: Not used.
        rounds: Not used: there is one.
    """
    model = bench.train(experts, (), number=0, is_last=True)
    yield Round(0, model, bench.validation_loss(model))
