"""One training in stretches, before each of which its label bank is made anew.

What such a loop learns of unlabelled studies it learns while it trains, by a method with a
teacher of its own. The label bank says of which studies, and of which of their voxels: before
each stretch the model as it is by then segments them, the estimators judge that, the gate chooses
and the grain hides. An estimator may thus be as slow as it likes. Optimizer, teacher and learning
rate go on from stretch to stretch as in one training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loops.base import Bench
from loops.online.own_frames import FRAME_DECAY, entries_of, partly_labelled
from loops.online.registry import METHODS
from loops.records import Candidate, Model, Round
from loops.self_training import choose_pseudo_labels
from segmenters.method import Method
from semiqc.study import Study


def train_online(
    bench: Bench[Model],
    first: Model,
    experts: Sequence[Study],
    candidates: Sequence[Study],
    *,
    method: Method,
    rounds: int = 1,
    is_judged: bool = True,
    own_frames: float | None = FRAME_DECAY,
) -> Iterator[Round[Model]]:
    """Train in stretches, yielding the record of each as it ends.

    Args:
        bench: Trains, segments, judges and chooses.
        first: Trained on ``experts`` alone; its weights are the start, its labels the first bank.
        experts: Studies with an expert's labels.
        candidates: Studies to learn from; their own labels are never looked at.
        method: What the training does with the label bank.
        rounds: Stretches, of equal length; as often the bank is made anew.
        is_judged: Whether a gate chooses; if not, there is one stretch with all candidates.
        own_frames: Decay of the experts' own unlabelled frames, see ``entries_of``; None: none.

    Yields:
        A record per stretch, the last with the model to use: ``first`` where nothing can be
        learned. Where nothing is admitted later, candidates in the bank stay as they were.
    """
    model, learned = first, list[Study]()
    last = rounds if is_judged else 1
    for number in range(1, last + 1):
        before = model
        judged, found = _refreshed(bench, model, candidates, is_judged)
        learned = list(found) or learned
        bank = [*learned, *_own(bench, model, experts, own_frames)]
        if bank:
            model = bench.advance(model, experts, bank, method=method, number=number, of=last)
        pseudo, loss = (learned if is_judged else ()), bench.validation_loss(model)
        yield Round(number, model, loss, bool(bank), before, judged, pseudo)
        if not bank:
            return


def _refreshed(
    bench: Bench[Model], model: Model, studies: Sequence[Study], is_judged: bool
) -> tuple[list[Candidate], Sequence[Study]]:
    """What was judged, and the studies that are learned from, labelled by a model."""
    hidden = [study.without_labels() for study in studies]
    if not is_judged:
        return [], _segmented(bench, model, hidden)
    return choose_pseudo_labels(bench, model, hidden)


def _segmented(bench: Bench[Model], model: Model, studies: Sequence[Study]) -> list[Study]:
    """Studies with the labels that a model gives them."""
    predictions = bench.predict(model, studies).predictions if studies else []
    rows = zip(studies, predictions, strict=True)
    return [study.with_labels(one.labels) for study, one in rows]


def _own(
    bench: Bench[Model], model: Model, experts: Sequence[Study], decay: float | None
) -> list[Study]:
    """Unlabelled frames of the experts' studies, an entry of the bank each."""
    partly = [] if decay is None else partly_labelled(experts)
    filled = _segmented(bench, model, [study.without_labels() for study in partly])
    return [
        entry
        for study, one in zip(partly, filled, strict=True)
        for entry in entries_of(study, one.labels, decay or 0.0)
    ]


@dataclass(frozen=True)
class OnlineLoop:
    """A registered online loop; see ``train_online``.

    Args:
        method: Name of the method, in ``loops.online.registry.METHODS``.
    """

    method: str

    def __call__(
        self,
        bench: Bench[Model],
        first: Model,
        experts: Sequence[Study],
        candidates: Sequence[Study],
        *,
        rounds: int = 1,
        is_judged: bool = True,
        own_frames: float | None = FRAME_DECAY,
        **arguments: Any,  # noqa: ANN401
    ) -> Iterator[Round[Model]]:
        """Run the loop with its method, which takes all ``arguments``."""
        return train_online(
            bench,
            first,
            experts,
            candidates,
            method=METHODS[self.method](**arguments),
            rounds=rounds,
            is_judged=is_judged,
            own_frames=own_frames,
        )
