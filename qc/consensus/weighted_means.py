"""Means over those members of a blend that tell something, by the weights of the blend."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.consensus.calibration import CalibrationCurve
from qc.consensus.error_maps import MeanVoxels
from qc.consensus.stacking import (
    StackedRegression,
    disagreement,
    has_a_say,
    member_means,
    weighed,
)
from semiqc.schemes import LabelScheme
from semiqc.study import Voxels

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightedMeans:
    """What members say of one prediction beyond its Dice, in one.

    Args:
        scheme: Label values and structures of the prediction.
        members: Names of the estimators, ``M``.
        stack: Their calibrations and weights.
        map_dice: How well the error maps of each member agreed with the errors, ``[M]``.
    """

    scheme: LabelScheme
    members: tuple[str, ...]
    stack: StackedRegression
    map_dice: Array

    def nsd(self, known: Mapping[str, Quality], absent: Collection[str]) -> dict[str, float]:
        """Surface Dice of each structure that somebody tells; 0 of absent ones."""
        found = {}
        for part, shares in self._shares(known, "nsd"):
            mean = sum(share * known[name].nsd[part] for name, share in shares.items())
            found[part] = 0.0 if part in absent else float(mean)
        return found

    def slice_dice(self, known: Mapping[str, Quality]) -> dict[str, Array]:
        """Dice of slices ``[T, Z]``, each member's read by its calibration."""
        found = {}
        for part, shares in self._shares(known, "slice_dice"):
            said = [self._curve(name, part)(known[name].slice_dice[part]) for name in shares]
            told = np.stack([np.ravel(slices) for slices in said], axis=1)
            weights = np.array(list(shares.values()))[:, None]
            shape = np.shape(known[next(iter(shares))].slice_dice[part])
            found[part] = weighed(told[..., None], weights)[:, 0].reshape(shape)
        return found

    def _curve(self, member: str, part: str) -> CalibrationCurve:
        """How a member's Dice of a structure is to be read."""
        names = [structure.name for structure in self.scheme.structures]
        return self.stack.curves[self.members.index(member)][names.index(part)]

    def error_maps(self, known: Mapping[str, Quality]) -> dict[str, Voxels]:
        """Those of the member whose maps were best; a mean where none was compared."""
        found: dict[str, Voxels] = {}
        for part, shares in self._shares(known, "error_maps"):
            worth = dict(zip(self.members, np.nan_to_num(self.map_dice, nan=-1), strict=True))
            best = max(shares, key=worth.__getitem__)
            if worth[best] >= 0:
                shares = {best: 1.0}
            maps = [known[name].error_maps[part] for name in shares]
            found[part] = maps[0] if len(maps) == 1 else MeanVoxels(maps, list(shares.values()))
        return found

    def _shares(
        self, known: Mapping[str, Quality], what: str
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Of each structure, the weights of those who tell ``what`` of it, summing to one."""
        for part, column in zip(self.scheme.structures, self.stack.weights.T, strict=True):
            weights = dict(zip(self.members, column.tolist(), strict=True))
            tellers = [name for name, q in known.items() if part.name in getattr(q, what)]
            total = sum(weights[name] for name in tellers)
            if tellers:
                equal = 1 / len(tellers)
                yield part.name, {n: weights[n] / total if total else equal for n in tellers}

    def reasons(
        self, known: Mapping[str, Quality], meant: Array, usual_spread: float
    ) -> Iterator[str]:
        """That members disagree, where they do more than usual, and what each gives as a reason.

        Args:
            known: By member.
            meant: Calibrated Dice, ``[1, M, S]``.
            usual_spread: Disagreement that is not unusual, in Dice.
        """
        if not known:
            yield "no estimator judged it"
        elif disagreement(meant, self.stack.weights)[0] > usual_spread:
            yield f"estimators disagree: {', '.join(self._heard(meant))}"
        for quality in known.values():
            yield from quality.reasons

    def _heard(self, meant: Array) -> list[str]:
        """Name and mean Dice of each member that has a say."""
        told = zip(self.members, member_means(meant)[0], strict=True)
        counts = has_a_say(self.stack.weights)
        return [
            f"{name} {mean:.2f}"
            for (name, mean), is_heard in zip(told, counts, strict=True)
            if is_heard and np.isfinite(mean)
        ]
