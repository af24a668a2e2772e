"""UncertaintyMaps of made-up segmenters that doubt where a prediction is wrong."""

from dataclasses import replace

import numpy as np
from curve_builders import graded_hearts, heart, prediction_of, spoilt

from qc.base import Graded
from segmenters.uncertainty import mean_confidence, pairwise_dice, relative_entropy
from semiqc.measuring.masks import compared, frame_dice
from semiqc.schemes import SHORT_AXIS
from semiqc.study import UncertaintyMaps

MEMBERS = 6
FEATURES = 5


def with_uncertainty(prediction, truth=None, seed=0, scheme=SHORT_AXIS):
    """A copy with uncertainty: of six members, each sees the truth or the prediction in a slice.

    Args:
        prediction: Its labels, ``[T, Z, Y, X]``, stand in memory.
        truth: Likewise; None takes the prediction to be right.
        seed: Of what the members see; each of them is shifted by a voxel now and then.
        scheme: Of the labels.
    """
    labels = np.asarray(prediction.labels[:])
    truth = labels if truth is None else truth
    rng = np.random.default_rng([seed, *(ord(letter) for letter in prediction.study)])
    frames = [_of_frame(*pair, scheme, rng) for pair in zip(labels, truth, strict=True)]
    columns = (np.stack(column) for column in zip(*frames, strict=True))
    return replace(prediction, uncertainty=UncertaintyMaps(*columns))


def _of_frame(labels, truth, scheme, rng):
    votes = np.stack([_member(labels, truth, rng) for _ in range(MEMBERS)])
    shares = np.stack([(votes == value).mean(axis=0) for value in range(len(scheme.classes))])
    probabilities = (0.94 * shares + 0.06 / len(shares)).astype(np.float32)
    wrong = (labels != truth).sum() / max(1, ((labels > 0) | (truth > 0)).sum())
    return (
        relative_entropy(probabilities),
        (votes != labels).mean(axis=0).astype(np.float32),
        pairwise_dice(votes, scheme),
        mean_confidence(probabilities, labels, scheme),
        rng.normal(size=FEATURES) * (1 + 4 * wrong),
    )


def _member(labels, truth, rng):
    sees_truth = rng.random(len(labels))[:, None, None] < 0.5
    seen = np.where(sees_truth, truth, labels)
    return np.roll(seen, rng.integers(-1, 2), axis=rng.integers(1, 3))


def graded_hearts_with_uncertainty(count, first=0, frames=None):
    """As ``graded_hearts``, of so many frames if said, with uncertainty in every frame.

    The surface Dice, which takes long to work out, is taken to be the Dice.
    """
    if frames is None:
        return [_graded(one) for one in graded_hearts(count, first)]
    found = []
    for number in range(first, first + count):
        truth = heart(f"study{number}", frames=frames)
        for labels, is_good in ((truth, True), (spoilt(truth, number), False)):
            prediction = prediction_of(f"study{number}", labels, truth=truth)
            found.append(_graded(Graded(prediction, truth, is_good=is_good)))
    return found


def _graded(graded):
    prediction = graded.prediction
    truth = heart(prediction.study, frames=prediction.frames)
    dice = frame_dice(*compared(prediction.labels, graded.reference, SHORT_AXIS)).T
    return replace(graded, prediction=with_uncertainty(prediction, truth), dice=dice, nsd=dice)
