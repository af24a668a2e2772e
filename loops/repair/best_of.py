"""The best of several segmentations of one study, as a whole or part by part."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qc import Quality
from qc.grains.estimated_dice import estimated_frame_dice, estimated_slice_dice
from semiqc.measuring.means import mean_of_known, means_of_known
from semiqc.measuring.metrics import dice
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study

Array = NDArray[np.float64]
Unit = Literal["study", "frame", "slice"]
Scoring = Callable[[Prediction], Array]
"""Score of each part of a segmentation, of equal shape for all: [], ``[T]`` or ``[T, Z]``."""

MARGIN = 0.01
"""By which a candidate must be better than what it replaces."""


class Candidate(NamedTuple):
    """Another segmentation of a study.

    Args:
        source: What made it.
        prediction: Of the same study.
    """

    source: str
    prediction: Prediction


def best_of(
    first: Prediction,
    others: Sequence[Candidate],
    score: Scoring,
    *,
    unit: Unit = "study",
    margin: float = MARGIN,
) -> tuple[Prediction, str]:
    """Take of each part the segmentation of highest score.

    Others are tried in order, and taken where their score is higher than that of the best before
    them by more than a margin. Where a score is NaN nothing changes. All are scored without
    uncertainty, for some have none.

    Args:
        first: The usual segmentation.
        others: Of the same study.
        score: Of the parts.
        unit: The parts.
        margin: By which a score must be higher.

    Returns:
        ``first`` itself where nothing is better; and what was taken from where.
    """
    plain = [replace(one, uncertainty=None) for one in (first, *(o.prediction for o in others))]
    scores = [np.asarray(score(one), np.float64) for one in plain]
    taken = np.zeros(scores[0].shape, np.int64)
    best = scores[0].copy()
    for number, found in enumerate(scores[1:], start=1):
        is_better = found > best + margin
        taken, best = np.where(is_better, number, taken), np.where(is_better, found, best)
    if not taken.any():
        return first, ""
    said = [
        f"{others[number - 1].source}: {_counted(taken == number, unit)}"
        for number in sorted(set(taken.ravel().tolist()) - {0})
    ]
    gained = f"score {np.nanmean(scores[0]):.3f} before and {np.nanmean(best):.3f} after"
    return replace(plain[0], labels=_composed(plain, taken)), f"{', '.join(said)}, {gained}"


def _composed(given: Sequence[Prediction], taken: NDArray[np.int64]) -> NDArray[np.int8]:
    """Labels ``[T, Z, Y, X]``, each part of the segmentation that was taken for it."""
    labels = np.array(given[0].labels[:], dtype=np.int8)
    of_slices = np.broadcast_to(
        taken.reshape(taken.shape + (1,) * (2 - taken.ndim)), labels.shape[:2]
    )
    for number in set(taken.ravel().tolist()) - {0}:
        others = np.asarray(given[number].labels[:], dtype=np.int8)
        labels = np.where((of_slices == number)[..., None, None], others, labels)
    return labels


def _counted(is_taken: NDArray[np.bool_], unit: Unit) -> str:
    return "all" if unit == "study" else f"{is_taken.sum()} of {is_taken.size} {unit}s"


def estimated(judge: Callable[[Prediction], Quality], scheme: LabelScheme, unit: Unit) -> Scoring:
    """Scores by the estimated quality: of the study, or mean Dice of the structures of a part."""

    def score(prediction: Prediction) -> Array:
        quality = judge(prediction)
        if unit == "study":
            return np.asarray(quality.score, np.float64)
        estimate = estimated_frame_dice if unit == "frame" else estimated_slice_dice
        return means_of_known(estimate(prediction, quality, scheme), axis=0)

    return score


def true(study: Study, scheme: LabelScheme, unit: Unit) -> Scoring:
    """Scores by the true Dice, as an oracle knows it: mean over structures, and frames.

    NaN of what has no label. In a slice, a structure that neither has counts as found.
    """

    def in_frame(predicted: NDArray[np.int8], reference: NDArray[np.int8]) -> Array:
        whole = [(predicted, reference)]
        parts = zip(predicted, reference, strict=True) if unit == "slice" else whole
        known = np.array(
            [
                [dice(one, other, structure) for structure in scheme.structures]
                for one, other in parts
            ]
        )
        return known if unit != "slice" else np.where(np.isnan(known), 1.0, known)

    def score(prediction: Prediction) -> Array:
        shape = tuple(prediction.labels.shape)
        parts = shape[1] if unit == "slice" else 1
        found = np.full((shape[0], parts, len(scheme.structures)), np.nan)
        for frame in study.labelled_frames:
            both = (one.labels[frame] for one in (prediction, study))
            found[frame] = in_frame(*(np.asarray(labels) for labels in both))
        if unit == "study":
            return np.asarray(mean_of_known(found.ravel().tolist()))
        means = means_of_known(found, axis=-1)
        return means if unit == "slice" else means[:, 0]

    return score
