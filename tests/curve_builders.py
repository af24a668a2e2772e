"""Beating discs and ways to spoil them, for tests of what judges segmentations."""

import numpy as np

from qc.base import Graded
from semiqc.schemes import UNLABELLED
from semiqc.study import Prediction

SPACING = (10.0, 2.0, 1.8)
SHAPE = (4, 40, 44)


def heart(name, *, frames=16, size=1.0, ejection=0.6):
    """Labels ``[T, Z, Y, X]`` of a short axis: LV disc, wall around it, RV beside it.

    Size, ejection and the time of end-systole vary with the name.
    """
    rng = np.random.default_rng([ord(letter) for letter in name])
    size = size * rng.uniform(0.9, 1.1)
    ejection = ejection * rng.uniform(0.8, 1.1)
    systole = rng.uniform(0.3, 0.45)
    time = np.arange(frames) / frames
    phase = np.where(time < systole, time / systole, (1 - time) / (1 - systole))
    area = 1 - ejection * np.sin(np.pi / 2 * phase) ** 2
    y, x = np.ogrid[: SHAPE[1], : SHAPE[2]]
    labels = np.zeros((frames, *SHAPE), dtype=np.int8)
    for frame, share in enumerate(area):
        for slice_ in range(SHAPE[0]):
            cavity = 50 * size**2 * share * (1 - 0.15 * slice_)
            to_lv = np.hypot(y - 20, x - 26) ** 2
            to_rv = np.hypot((y - 20) / 1.5, x - 14) ** 2
            drawn = labels[frame, slice_]
            drawn[to_rv < 0.8 * cavity] = 1
            drawn[to_lv < cavity + 45 * size**2] = 2
            drawn[to_lv < cavity] = 3
    return labels


def spoilt(labels, seed):
    """A copy with frames lost, structures confused, eaten away, or sizes that jitter."""
    rng = np.random.default_rng(seed)
    broken = labels.copy()
    frames = rng.choice(len(labels), max(1, len(labels) // 4), replace=False)
    match seed % 4:
        case 0:
            broken[frames] = 0
        case 1:
            broken[frames] = np.where(broken[frames] == 1, 3, broken[frames])
        case 2:
            broken[:, 1:] = np.where(broken[:, 1:] == 3, 2, broken[:, 1:])
        case _:
            lost = rng.random(labels.shape[:2]) < 0.3
            broken[lost] = 0
    return broken


def prediction_of(name, labels, spacing=SPACING, truth=None):
    """A prediction on an image of the truth, by default on an empty one."""
    image = np.zeros((1, *labels.shape), dtype=np.float32)
    if truth is not None:
        noise = np.random.default_rng([ord(letter) for letter in name])
        image[0] = np.array([0.2, 0.7, 0.4, 0.9])[truth] + noise.normal(0, 0.03, truth.shape)
    return Prediction(name, image, labels, spacing)


def graded_hearts(count, first=0):
    """A good and a spoilt prediction of each of so many studies, with frames of any number.

    Every third frame has a reference.
    """
    found = []
    for number in range(first, first + count):
        name = f"study{number}"
        labels = heart(name, frames=12 + number % 7)
        reference = labels.copy()
        reference[np.arange(len(labels)) % 3 > 0] = UNLABELLED
        for predicted, is_good in ((labels, True), (spoilt(labels, number), False)):
            prediction = prediction_of(name, predicted, truth=labels)
            found.append(Graded(prediction, reference, is_good=is_good))
    return found
