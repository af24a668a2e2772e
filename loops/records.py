"""What a bench answers, and the record that a loop gives of each round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from qc import Decision, Quality
from qc.grains.labels import Kept
from semiqc.study import Prediction, Study

Model = TypeVar("Model")
"""Whatever stands for a trained segmenter; a loop only hands it on."""


@dataclass(frozen=True, eq=False)
class Segmented:
    """Studies that a model segmented.

    Args:
        predictions: One per study, in order.
        repairs: By study, what was repaired in its prediction, and why; nothing of predictions
            that are as the model made them.
    """

    predictions: Sequence[Prediction]
    repairs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judged:
    """What the estimators say of predictions.

    Args:
        qualities: What the gate goes by, one per prediction, in order.
        scores: By study, the score of every estimator that can judge its prediction, by the
            estimator's name.
    """

    qualities: Sequence[Quality]
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of an admitted study when its grain left parts of it out.

    Args:
        decision: With what is left of it, or why nothing is.
        kept: How much is left.
    """

    decision: Decision
    kept: Kept


@dataclass(frozen=True, eq=False)
class Labelled:
    """Admitted studies with their pseudo-labels.

    Args:
        studies: Those of which something is left to learn from.
        outcomes: By study, what became of each admitted one; empty where whole studies are
            admitted.
    """

    studies: Sequence[Study]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Candidate:
    """What a round did with one study.

    Args:
        prediction: By the model before this round, repaired where that helped.
        quality: Of the prediction; what the gate went by.
        decision: Of the gate, and then of the grain.
        scores: Of the prediction, by the name of every estimator that can judge it.
        repair: What was repaired in the prediction, and why; empty where it is as predicted.
        kept: How much of an admitted study is left; None where whole studies are admitted.
    """

    prediction: Prediction
    quality: Quality
    decision: Decision
    scores: Mapping[str, float] = field(default_factory=dict)
    repair: str = ""
    kept: Kept | None = None

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.prediction.study


@dataclass(frozen=True, eq=False)
class Round(Generic[Model]):
    """What one round did.

    Args:
        number: From 1; 0 is a training on expert labels alone.
        model: Trained in this round; where nothing was admitted, the one before it.
        validation_loss: Of ``model``; NaN where no study is held out for it.
        is_kept: Whether ``model`` replaces the one before it; False for a round that made the
            validation loss rise or admitted nothing, which is the last.
        predicted_by: The model before this round, which segmented the candidates.
        candidates: What was done with each, in order.
        pseudo: The admitted studies with their pseudo-labels; in a round of an online loop that
            admitted nothing, those of the round before, from which the training went on to learn.
    """

    number: int
    model: Model
    validation_loss: float = float("nan")
    is_kept: bool = True
    predicted_by: Model | None = None
    candidates: Sequence[Candidate] = field(default=(), repr=False)
    pseudo: Sequence[Study] = field(default=(), repr=False)

    @property
    def admitted(self) -> tuple[str, ...]:
        """Names of the admitted studies, in the candidates' order."""
        return tuple(one.study for one in self.candidates if one.decision.admitted)
