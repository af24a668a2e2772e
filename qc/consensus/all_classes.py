"""The Dice of all classes at once, out of what those members tell of it who do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qc.base import ALL_CLASSES, Graded, Quality
from qc.consensus.stacking import StackedRegression, weighed
from qc.frames import graded_frames
from semiqc.measuring.means import means_of_known
from semiqc.schemes import LabelScheme

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AllClasses:
    """Weighs what members say of all classes at once, as a blend does for each structure.

    Args:
        members: Names of the estimators, ``M``.
        stack: Of one part, with calibrations and weights of all members; None where no member
            tells it, or the truth is known of no prediction.
    """

    members: tuple[str, ...]
    stack: StackedRegression | None

    @classmethod
    def of(
        cls,
        qualities: Mapping[str, Sequence[Quality | None]],
        graded: Sequence[Graded],
        scheme: LabelScheme,
        folds: int,
    ) -> Self:
        """Learned from members that did not learn from these predictions.

        Args:
            qualities: By estimator's name, one for each of ``graded``.
            graded: Their truth.
            scheme: Of their labels.
            folds: Into which subjects are divided, as of the blend.
        """
        members = tuple(sorted(qualities))
        said = np.stack([_said(qualities[name]) for name in members], axis=1)
        is_told = bool(np.isfinite(said).any())
        true = np.array([_true(one, scheme) if is_told else np.nan for one in graded])
        if not np.isfinite(true).any():
            return cls(members, None)
        subjects = np.asarray([one.whose for one in graded], dtype=str)
        tells = np.ones((len(members), 1), np.bool_)
        return cls(
            members,
            StackedRegression.of(said[..., None], true[:, None], subjects, tells, folds),
        )

    def dice(self, known: Mapping[str, Quality]) -> dict[str, float]:
        """By its name, of what members say of one prediction; nothing if nobody tells it."""
        if self.stack is None:
            return {}
        said = _said([known.get(name) for name in self.members])
        return _by_name(self.stack.estimates(self.stack.meant(said[None, :, None])))

    def nsd(self, known: Mapping[str, Quality]) -> dict[str, float]:
        """Likewise the surface Dice: the mean of those who tell it, weighed as for Dice."""
        if self.stack is None:
            return {}
        told = [
            known[n].overall_nsd.get(ALL_CLASSES) if n in known else None for n in self.members
        ]
        return _by_name(weighed(np.array(told, np.float64)[None, :, None], self.stack.weights))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What was learned, to be stored; nothing where nothing was."""
        return {} if self.stack is None else self.stack.arrays()

    @classmethod
    def from_arrays(
        cls, members: tuple[str, ...], arrays: Mapping[str, NDArray[np.generic]]
    ) -> Self:
        """What ``arrays`` gave; blends of before gave nothing."""
        return cls(members, StackedRegression.from_arrays(arrays) if arrays else None)


def _by_name(found: Array) -> dict[str, float]:
    (one,) = found.ravel()
    return {ALL_CLASSES: float(one)} if np.isfinite(one) else {}


def _said(qualities: Sequence[Quality | None]) -> Array:
    """The Dice by one member, ``[N]``; NaN where it tells none."""
    told = [None if one is None else one.overall.get(ALL_CLASSES) for one in qualities]
    return np.array(told, np.float64)


def _true(one: Graded, scheme: LabelScheme) -> float:
    """Mean over the frames of which it is known; NaN where it is of none."""
    if one.reference is None and one.multi_class_dice is None:
        return np.nan
    frames = graded_frames([one])
    dice = [frame.all_classes(scheme, with_nsd=False)[0] for frame in frames]
    return float(means_of_known(np.array(dice), axis=0))
