"""Labels of another data set as those of a run, matched by the names of what they label."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme
from semiqc.study import Study, Voxels


@dataclass(frozen=True)
class Matched:
    """How the labels of another scheme are to be understood.

    Args:
        meaning: Value of the run's scheme of each value of the other; empty where they are alike.
        scheme: The run's, with the structures alone that both have.
        notes: What a user must know of it.
    """

    meaning: Mapping[int, int]
    scheme: LabelScheme
    notes: tuple[str, ...] = ()

    def understood(self, study: Study) -> Study:
        """A study of the other scheme, with the run's label values."""
        if not self.meaning:
            return study
        drawn = study.source_labels
        return replace(
            study,
            labels=_Renamed(study.labels, self.meaning),
            source_labels=None if drawn is None else _Renamed(drawn, self.meaning),
        )


def match_labels(theirs: LabelScheme, ours: LabelScheme) -> Matched:
    """Match the parts of two schemes by their names; capitals and blanks do not count.

    Parts that only the other scheme has become background; structures that only ours has are not
    compared.

    Raises:
        ValueError: If no structure is left, or a name stands for two things.
    """
    difference = theirs.mismatch(ours)
    if not difference:
        return Matched({}, ours)
    own, other = ours.named_values(), theirs.named_values()
    named = {(v, w) for name, v in other for known, w in own if name == known}
    meaning = dict(named)
    if len(named) != len(meaning) or len(set(meaning.values())) != len(meaning):
        raise ValueError(f"{difference}; their names do not tell which is which")
    kept = tuple(s for s in ours.structures if set(s.values) <= set(meaning.values()))
    if not kept:
        raise ValueError(difference)
    others = {v: BACKGROUND for v in range(1, len(theirs.classes)) if v not in meaning}
    notes = _notes(theirs, ours, meaning, replace(ours, structures=kept))
    return Matched({**meaning, **others}, replace(ours, structures=kept), notes)


def _notes(
    theirs: LabelScheme, ours: LabelScheme, meaning: Mapping[int, int], kept: LabelScheme
) -> tuple[str, ...]:
    """What was matched, what counts as background, and what is not compared."""
    told = ", ".join(f"{theirs.classes[v]} {v} is {meaning[v]}" for v in sorted(meaning))
    notes = [f"labels are matched by name: {told}"]
    others = [name for v, name in enumerate(theirs.classes) if v and v not in meaning]
    if others:
        notes.append(f"labels that the run does not know count as background: {', '.join(others)}")
    left = [s.name for s in ours.structures if s not in kept.structures]
    if left:
        notes.append(f"not labelled in this store, so not compared: {', '.join(left)}")
    return tuple(notes)


class _Renamed:
    """Labels whose values are replaced when they are read.

    Args:
        labels: ``[T, Z, Y, X]``.
        meaning: New value of each value; 0 and ``UNLABELLED`` stay.
    """

    dtype = np.dtype(np.int8)
    ndim = 4

    def __init__(self, labels: Voxels, meaning: Mapping[int, int]) -> None:
        self.labels = labels
        self.shape = tuple(labels.shape)
        self.values = np.arange(256, dtype=np.uint8).view(np.int8)
        for value, new in {**meaning, UNLABELLED: UNLABELLED}.items():
            self.values[value] = new

    @property
    def labelled_frames(self) -> tuple[int, ...]:
        """Those of the labels, whose values say nothing of it."""
        known: tuple[int, ...] | None = getattr(self.labels, "labelled_frames", None)
        if known is not None:
            return known
        return tuple(t for t in range(self.shape[0]) if (self.labels[t] != UNLABELLED).any())

    def __getitem__(self, key: Any) -> NDArray[np.int8]:  # noqa: ANN401
        found: NDArray[np.int8] = self.values[self.labels[key].view(np.uint8)]
        return found
