"""An ensemble of segmenters."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segmenters.base import Segmenter, StepObserver
from segmenters.features import FeatureSpace
from semiqc.files.atomic import whole_folder
from semiqc.images.frames import study_of_frame
from semiqc.study import Study


class Ensemble:
    """The mean of several segmenters' probabilities; see ``segmenters.base.Segmenter``.

    Members may differ in seed, architecture or training data, or be snapshots of one training.

    Args:
        segmenters: At least two, of one label scheme and number of modalities.
        space: In which the first one's features are measured; None keeps no features.

    Raises:
        ValueError: If they are fewer, or differ in scheme or modalities.
    """

    def __init__(
        self, segmenters: Sequence[Segmenter], *, space: FeatureSpace | None = None
    ) -> None:
        if len(segmenters) < 2:
            raise ValueError(f"an ensemble needs at least two segmenters, got {len(segmenters)}")
        first, *others = segmenters
        for other in others:
            if (other.scheme, other.modalities) != (first.scheme, first.modalities):
                raise ValueError(
                    "segmenters of an ensemble must share scheme and modalities, got"
                    f" {first.scheme.name} ({first.modalities}) and {other.scheme.name}"
                    f" ({other.modalities})"
                )
        self.segmenters = tuple(segmenters)
        self.space = space
        self.scheme = first.scheme
        self.modalities = first.modalities

    def fit(
        self,
        studies: Sequence[Study],
        pseudo: Sequence[Study] = (),
        validation: Sequence[Study] = (),
        *,
        observe: StepObserver | None = None,
        folder: Path | None = None,
    ) -> Self:
        """Fit every member on the same studies; see ``Segmenter.fit``."""
        for number, segmenter in enumerate(self.segmenters, start=1):
            own = folder / f"member-{number}" if folder else None
            segmenter.fit(studies, pseudo, validation, observe=observe, folder=own)
        return self

    def predict_frames(self, study: Study) -> Iterator[NDArray[np.float32]]:
        for number in range(study.frames):
            members = self.probabilities(study_of_frame(study, number))
            total = next(members).copy()
            for found in members:
                total += found
            yield total / np.float32(len(self.segmenters))

    def probabilities(self, frame: Study) -> Iterator[NDArray[np.float32]]:
        for segmenter in self.segmenters:
            yield from segmenter.predict_frames(frame)

    def features(self, frame: Study) -> NDArray[np.float64]:
        return np.zeros(0) if self.space is None else self.space.deviation(frame)

    def save(self, path: Path) -> None:
        """Write each member to a file of its own in the folder ``path``."""
        with whole_folder(path) as folder:
            for number, segmenter in enumerate(self.segmenters, start=1):
                segmenter.save(folder / _file(number))

    def load(self, path: Path) -> Self:
        for number, segmenter in enumerate(self.segmenters, start=1):
            segmenter.load(path / _file(number))
        return self


def _file(number: int) -> str:
    return f"member-{number}.safetensors"
