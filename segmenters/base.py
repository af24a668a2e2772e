"""What a segmenter promises."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import LabelScheme
from semiqc.study import Study

StepObserver = Callable[[int, Mapping[str, float]], None]
"""Told the number of each training step, from 1, and the loss terms and figures it gave."""


class Segmenter(Protocol):
    """Anything that learns from labelled voxels and segments whole studies.

    The constructor only stores; what ``fit`` learns is kept in attributes ending in an
    underscore; ``predict_frames`` changes nothing.
    """

    scheme: LabelScheme
    modalities: int

    def fit(
        self,
        studies: Sequence[Study],
        pseudo: Sequence[Study] = (),
        validation: Sequence[Study] = (),
        *,
        observe: StepObserver | None = None,
        folder: Path | None = None,
    ) -> Self:
        """Learn from every voxel that is not ``UNLABELLED``, starting from scratch.

        Args:
            studies: With an expert's labels.
            pseudo: With labels that a segmenter gave and a gate admitted.
            validation: Studies on which the weights are evaluated now and then. They choose the
                best checkpoint; where another is the result, they change nothing.
            observe: Told of each step.
            folder: Where the state of an unfinished training is kept, from which the same call
                goes on, and where snapshots and checkpoints are left; None keeps nothing.

        Raises:
            ValueError: If no study has a label, or one has other modalities; if the best
                checkpoint is asked for and no validation study has a label.
        """
        ...

    def predict_frames(self, study: Study) -> Iterator[NDArray[np.float32]]:
        """Class probabilities of one frame after the other, ``[C, Z, Y, X]`` each.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        ...

    def save(self, path: Path) -> None:
        """Write what was learned to a file, without pickle."""
        ...

    def load(self, path: Path) -> Self:
        """Take back what ``save`` wrote; the segmenter is then fitted, and is returned.

        Raises:
            ValueError: If the file belongs to another kind of segmenter.
        """
        ...
