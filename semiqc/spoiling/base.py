"""What a spoiling promises, and what spoilings share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme
from semiqc.study import Study, Voxels

Range = tuple[float, float]
"""Smallest and largest value of what is drawn evenly between them."""


@dataclass(frozen=True)
class Spoiling(ABC):
    """One thing that goes wrong with studies of an archive.

    A spoiling is a dataclass whose fields say how strong it is. Each has a default, with which
    settings and commands use it.
    """

    title: ClassVar[str]
    """What is wrong, for tables."""

    fewest_slices: ClassVar[int] = 1
    """Slices that a study needs to be spoilt so."""

    def suits(self, study: Study) -> bool:
        """Whether a study can be spoilt so."""
        return study.labels.shape[1] >= self.fewest_slices

    @abstractmethod
    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        """The spoilt study; the one that is given is left as it was.

        Labels move with their voxels. Where the heart or other organ is no longer in the image,
        frames that had labels are background.

        Args:
            study: In memory, with as many slices as are needed.
            scheme: Of its labels.
            rng: Decides everything that is drawn.
        """


def drawn(between: Range, rng: np.random.Generator) -> float:
    """A value drawn evenly from a range."""
    return float(rng.uniform(*between))


def only_background(labels: Voxels, shape: tuple[int, int, int]) -> NDArray[np.int8]:
    """Labels of a study that shows nothing of what is looked for, ``[T, Z, Y, X]``.

    Args:
        labels: That the study had, ``[T, Z', Y', X']``. Frames without any stay unlabelled.
        shape: ``(Z, Y, X)`` wanted.
    """
    found = np.full((labels.shape[0], *shape), UNLABELLED, np.int8)
    for frame in range(len(found)):
        if (labels[frame] != UNLABELLED).any():
            found[frame] = BACKGROUND
    return found
