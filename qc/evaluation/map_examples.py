"""Error maps to look at: what an estimator shows as wrong beside what is."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded, Quality
from qc.frames import GradedFrame, graded_frames
from semiqc.measuring.masks import masks
from semiqc.schemes import UNLABELLED, LabelScheme

PARTS = 4
"""Of the mean true Dice; of each part one segmentation is shown."""


@dataclass(frozen=True, eq=False)
class MapExample:
    """The slice of a segmentation in which most is wrong.

    Args:
        estimator: Whose map it is.
        study: Name of the study.
        source: What made the segmentation.
        frame: Which frame.
        slice_: Which slice.
        structure: Whose errors are shown, the one with most in this segmentation.
        true_dice: Of that structure in the frame; NaN where it is in neither.
        image: First modality, ``[Y, X]`` float32.
        labels: Predicted classes, ``[Y, X]``.
        estimated: Probability of an error, ``[Y, X]`` float32.
        true: Whether it is one, ``[Y, X]``.
    """

    estimator: str
    study: str
    source: str
    frame: int
    slice_: int
    structure: str
    true_dice: float
    image: NDArray[np.float32]
    labels: NDArray[np.int8]
    estimated: NDArray[np.float32]
    true: NDArray[np.bool_]


@dataclass
class MapExamples:
    """Keeps the first segmentation of each part of the true Dice, for each estimator of maps.

    Args:
        scheme: Whose structures are looked at.
    """

    scheme: LabelScheme
    _found: dict[tuple[str, int], MapExample] = field(default_factory=dict)

    def hear(self, name: str, one: Graded, quality: Quality) -> None:
        """Keep an example of what is said, where its part of the Dice has none yet."""
        if not quality.error_maps or one.reference is None:
            return
        for graded in graded_frames([one])[:1]:
            dice = graded.dice(self.scheme)
            known = dice[np.isfinite(dice)]
            part = min(int(known.mean() * PARTS), PARTS - 1) if known.size else None
            if part is not None and (name, part) not in self._found:
                found = self._example(name, graded, quality, dice)
                if found is not None:
                    self._found[name, part] = found

    def all(self) -> list[MapExample]:
        """By estimator in the order of their first word, then from poor to good."""
        names = list(dict.fromkeys(name for name, _ in self._found))
        parts = [(name, part) for name in names for part in range(PARTS)]
        return [self._found[key] for key in parts if key in self._found]

    def _example(
        self, name: str, graded: GradedFrame, quality: Quality, dice: NDArray[np.float64]
    ) -> MapExample | None:
        """Of the structure and slice with most errors; None where nothing is wrong."""
        frame, reference = graded.frame(), graded.reference()
        wrong = masks(frame.labels, self.scheme) ^ masks(reference, self.scheme)
        wrong &= reference != UNLABELLED
        shown = [part.name in quality.error_maps for part in self.scheme.structures]
        counts = wrong.sum(axis=(2, 3)) * np.array(shown)[:, None]
        if not counts.any():
            return None
        row = int(counts.sum(axis=1).argmax())
        z = int(counts[row].argmax())
        structure = self.scheme.structures[row].name
        estimated = quality.error_maps[structure][graded.number]
        return MapExample(
            name, frame.study, graded.graded.source, graded.number, z, structure,
            float(dice[row]), np.array(frame.image[0, z]), np.array(frame.labels[z]),
            np.asarray(estimated[z], dtype=np.float32), wrong[row, z],
        )  # fmt: skip
