"""What a source of graded segmentations promises."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from semiqc.study import Study, UncertaintyMaps


@dataclass(frozen=True, eq=False)
class Made:
    """A segmentation of one frame, made on purpose.

    Args:
        study: Whose frame it segments, with its reference.
        frame: Which of its frames; one that has a reference.
        labels: Class of each voxel, ``[Z, Y, X]`` int8.
        source: What made it, such as ``forest-depth8``; the part before the first ``-`` is the
            name of the source.
        uncertainty: Of the segmenters that made it, for this frame alone: T is 1; None where a
            source has no segmenters, or was not asked.
    """

    study: Study
    frame: int
    labels: NDArray[np.int8]
    source: str
    uncertainty: UncertaintyMaps | None = None


class Source(Protocol):
    """Makes segmentations of many qualities; a dataclass of its settings, one of them ``seed``."""

    takes_scheme: ClassVar[bool] = False
    """Whether it takes the label scheme first, for it trains networks."""

    can_leave_uncertainty: ClassVar[bool] = False
    """Whether it leaves uncertainty beside its segmentations where ``samples`` is set."""

    @property
    def training_steps(self) -> float:
        """Steps of each network that it trains, the mean; 0 where it trains none."""
        return 0.0

    def with_training_steps(self, steps: int) -> Self:
        """The same source with networks that take so many steps each."""
        return self

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """Segment every labelled frame of ``judged``.

        Args:
            train: What models may learn from; no study of ``judged`` is among them.
            judged: Their references may be changed to make a segmentation, never learned from.
        """
        ...
