"""All loops by name."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from loops.base import Bench
from loops.online.loop import OnlineLoop
from loops.online.registry import METHODS
from loops.records import Model, Round
from loops.self_training import self_train
from loops.supervised import supervised
from semiqc.study import Study


class Loop(Protocol):
    """Uses labelled and unlabelled studies together, and yields the record of each round."""

    def __call__(
        self,
        bench: Bench[Model],
        first: Model,
        experts: Sequence[Study],
        candidates: Sequence[Study],
        *,
        rounds: int,
    ) -> Iterator[Round[Model]]:
        """Run the loop.

        Args:
            bench: Trains, segments, judges and chooses.
            first: Segmenter trained on the labelled studies alone.
            experts: Studies with an expert's labels.
            candidates: Studies whose labels, if any, are never looked at.
            rounds: At most.
        """
        ...


LOOPS: dict[str, Loop] = {
    "supervised": supervised,
    "offline": self_train,
    **{name: OnlineLoop(name) for name in METHODS},
}
"""Names that scenarios and gates may use."""
