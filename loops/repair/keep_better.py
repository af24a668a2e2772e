"""Whether a repair helped, by the estimated quality."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from qc import Quality
from semiqc.study import Prediction

Judge = Callable[[Prediction], Quality]
"""Quality of a prediction, found without any reference."""


class Chosen(NamedTuple):
    """Which of two predictions is kept.

    Args:
        prediction: The one that is.
        quality: Of it.
        reason: In words.
    """

    prediction: Prediction
    quality: Quality
    reason: str


def keep_better(before: Prediction, quality: Quality, after: Prediction, judge: Judge) -> Chosen:
    """Of a prediction as it was and repaired, keep the one of higher score.

    Of equal scores the original is kept. Where the repaired one has lost its probabilities or
    uncertainty, the original is judged without them too, so that both are judged by the same.

    Args:
        before: As it was predicted.
        quality: Of ``before``, as ``judge`` gives it.
        after: Repaired; ``before`` itself where nothing was.
        judge: Gives the score; not called where nothing was repaired.

    Raises:
        ValueError: If they are of different studies.
    """
    if before.study != after.study:
        raise ValueError(f"{before.study}: the repaired prediction is of {after.study}")
    if after is before:
        return Chosen(before, quality, "nothing to repair")
    alike = _without_lost_uncertainty(before, after)
    compared = quality if alike is before else judge(alike)
    repaired = judge(after)
    scores = f"score {compared.score:.3f} before and {repaired.score:.3f} after the repair"
    if repaired.score > compared.score:
        return Chosen(after, repaired, f"repaired: {scores}")
    return Chosen(before, quality, f"left as it was: {scores}")


def _without_lost_uncertainty(before: Prediction, after: Prediction) -> Prediction:
    """``before`` without uncertainty where ``after`` has none."""
    if before.uncertainty is None or after.uncertainty is not None:
        return before
    return replace(before, uncertainty=None)
