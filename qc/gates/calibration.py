"""Studies whose true Dice is known, by which a gate may be calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Judged studies whose true Dice is known, which neither estimator nor segmenter learned from.

    Args:
        scores: As the estimator judged them, ``[N]`` in [0, 1].
        dice: True Dice, ``[N]`` in [0, 1].
        subjects: Whose study each is, ``[N]``; default: each of a subject of its own.

    Raises:
        ValueError: If the lengths differ or a number is not in [0, 1].
    """

    scores: Sequence[float]
    dice: Sequence[float]
    subjects: Sequence[str] = ()

    def __post_init__(self) -> None:
        count = len(self.scores)
        if len(self.dice) != count or len(self.subjects) not in (0, count):
            raise ValueError(
                f"calibration needs a true Dice and a subject for each score, got {count} scores,"
                f" {len(self.dice)} Dice and {len(self.subjects)} subjects"
            )
        for name, values in (("score", self.scores), ("Dice", self.dice)):
            wrong = [value for value in values if not 0 <= value <= 1]
            if wrong:
                raise ValueError(f"calibration: a {name} must lie in [0, 1], got {wrong[0]}")

    def by_threshold(self) -> "list[tuple[float, Array]]":
        """For each score, highest first: mean Dice of each subject's studies that reach it."""
        scores, dice = np.asarray(self.scores, float), np.asarray(self.dice, float)
        subjects = np.asarray(self.subjects or [str(number) for number in range(len(scores))])
        found = []
        for threshold in np.unique(scores)[::-1]:
            reaches = scores >= threshold
            _, whose = np.unique(subjects[reaches], return_inverse=True)
            means = np.bincount(whose, weights=dice[reaches]) / np.bincount(whose)
            found.append((float(threshold), np.asarray(means, dtype=np.float64)))
        return found
