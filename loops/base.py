"""What a loop asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from loops.records import Judged, Labelled, Model, Segmented
from qc import Decision, Quality
from segmenters.method import Method
from semiqc.study import Prediction, Study


class Bench(Protocol[Model]):
    """What a loop asks of whoever runs it, who may cache, distribute or fake it."""

    def train(
        self,
        experts: Sequence[Study],
        pseudo: Sequence[Study],
        *,
        number: int,
        is_last: bool,
        start: Model | None = None,
    ) -> Model:
        """A segmenter trained anew.

        Args:
            experts: Studies with an expert's labels.
            pseudo: Admitted studies with their pseudo-labels.
            number: Of the round, from 1; 0 for a training on expert labels alone.
            is_last: Whether the model segments no candidates any more.
            start: Whose weights are those at the start; None starts as every training does.
        """
        ...

    def advance(
        self,
        model: Model,
        experts: Sequence[Study],
        bank: Sequence[Study],
        *,
        method: Method,
        number: int,
        of: int,
    ) -> Model:
        """A segmenter after the next stretch of an online training.

        Args:
            model: Of the stretch before, whose training goes on; for the first stretch the
                segmenter whose weights the training starts from.
            experts: Studies with an expert's labels.
            bank: What is learned from without them; see ``segmenters.method.TrainingData``. A
                study may come in several parts.
            method: Of the training, the same in all its stretches.
            number: Of the stretch, from 1.
            of: Number of stretches, which are of equal length.
        """
        ...

    def predict(self, model: Model, studies: Sequence[Study]) -> Segmented:
        """The studies segmented, and repaired where the bench does that."""
        ...

    def judge(self, predictions: Sequence[Prediction]) -> Judged:
        """The quality of each prediction, found without any reference."""
        ...

    def choose(
        self, predictions: Sequence[Prediction], qualities: Sequence[Quality]
    ) -> Sequence[Decision]:
        """One decision per prediction, in order, such as a ``qc.Gate`` makes."""
        ...

    def label(
        self,
        studies: Sequence[Study],
        predictions: Sequence[Prediction],
        qualities: Sequence[Quality],
        decisions: Sequence[Decision],
    ) -> Labelled:
        """The admitted studies with their pseudo-labels; see ``with_pseudo_labels``."""
        ...

    def validation_loss(self, model: Model) -> float:
        """Loss on studies held out for that; NaN where there are none."""
        ...


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
