"""What a loop asks for, and the record it gives of each round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from qc import Decision, Quality
from semiqc.study import Prediction, Study

Model = TypeVar("Model")
"""Whatever stands for a trained segmenter; a loop only hands it on."""

Gating = Callable[[Sequence[Quality]], Sequence[Decision]]
"""Qualities in, one decision for each out; any ``qc.Gate``."""


class Bench(Protocol[Model]):
    """What a loop asks of whoever runs it, who may cache, distribute or fake it."""

    def train(self, name: str, experts: Sequence[Study], pseudo: Sequence[Study]) -> Model:
        """A segmenter trained from scratch; ``name`` is unique within the loop."""
        ...

    def predict(self, model: Model, studies: Sequence[Study]) -> Sequence[Prediction]:
        """The studies segmented, one prediction each, in order."""
        ...

    def judge(self, predictions: Sequence[Prediction]) -> Sequence[Quality]:
        """The quality of each prediction, in order, found without any reference."""
        ...

    def labelled(
        self,
        studies: Sequence[Study],
        predictions: Sequence[Prediction],
        qualities: Sequence[Quality],
        decisions: Sequence[Decision],
    ) -> Sequence[Study]:
        """The admitted studies with their pseudo-labels; see ``with_pseudo_labels``."""
        ...

    def validation_loss(self, model: Model) -> float:
        """Loss on studies held out for that; NaN where there are none."""
        ...


@dataclass(frozen=True, eq=False)
class Round(Generic[Model]):
    """What one round did.

    Args:
        number: From 1; 0 is a training on expert labels alone.
        model: Trained in this round.
        validation_loss: Of ``model``; NaN where no study is held out for it.
        is_kept: Whether ``model`` replaces the one before it; False for a round that made the
            validation loss rise, which is the last.
        predictions: Of the candidates, made by the model before this round.
        qualities: Of these predictions.
        decisions: Of the gate, one per candidate.
        pseudo: The candidates that were admitted, with their pseudo-labels.
    """

    number: int
    model: Model
    validation_loss: float = float("nan")
    is_kept: bool = True
    predictions: Sequence[Prediction] = field(default=(), repr=False)
    qualities: Sequence[Quality] = ()
    decisions: Sequence[Decision] = ()
    pseudo: Sequence[Study] = field(default=(), repr=False)

    @property
    def admitted(self) -> tuple[str, ...]:
        """Names of the admitted studies, in the candidates' order."""
        return tuple(decision.study for decision in self.decisions if decision.admitted)


def with_pseudo_labels(
    studies: Sequence[Study], predictions: Sequence[Prediction], decisions: Sequence[Decision]
) -> list[Study]:
    """The admitted studies, every frame labelled as predicted, weighed as decided.

    Raises:
        ValueError: If a decision is about a study that was not predicted.
    """
    predicted: Mapping[str, Prediction] = {p.study: p for p in predictions}
    by_name = {study.name: study for study in studies}
    admitted = {decision.study: decision.weight for decision in decisions if decision.admitted}
    unknown = [name for name in admitted if name not in predicted or name not in by_name]
    if unknown:
        raise ValueError(f"admitted studies that were not predicted: {', '.join(unknown)}")
    return [
        replace(by_name[name].with_labels(predicted[name].labels), weight=weight)
        for name, weight in admitted.items()
    ]
