"""Supervised training on expert labels alone: the baselines of every comparison."""

from collections.abc import Iterator, Sequence

from loops.base import Bench
from loops.records import Model, Round
from semiqc.study import Study


def supervised(bench: Bench[Model], experts: Sequence[Study]) -> Iterator[Round[Model]]:
    """Train once; yields that one round, with the number 0."""
    model = bench.train(experts, (), number=0, is_last=True)
    yield Round(0, model, bench.validation_loss(model))
