"""One judgement out of several estimators', weighed by how they did where the truth is known."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from qc.absence import lacking, rightly_absent, score_of
from qc.base import Graded, Quality
from qc.consensus.calibration import CalibrationCurve, dice_said, true_dice
from qc.consensus.conformal import Conformal
from qc.consensus.error_maps import MeanVoxels, mean_map_dice
from qc.consensus.stacking import (
    StackedRegression,
    deviations,
    disagreement,
    error_coefficients,
    expected_errors,
    folds_of,
    has_a_say,
    member_means,
    weighed,
)
from semiqc.schemes import LabelScheme
from semiqc.study import Voxels

Array = NDArray[np.float64]

USUAL = 0.95
"""Share of the training within whose disagreement nothing is said of it."""


class Blend(BaseEstimator):  # type: ignore[misc]
    """Weighs what several estimators say of the same prediction, for each structure.

    Every estimator is first calibrated by itself (``calibration.py``). The estimate is the
    mean of what they say then, with weights that are not negative and sum to one, fitted by
    Huber's loss and drawn to equality; it is calibrated once more. Calibrations are drawn to
    changing nothing, all the more the fewer subjects there are. The weights learn from
    calibrations that did not see the subject, and every subject counts alike however many
    predictions of it there are. Where an
    estimator has no Dice of a structure its score stands in; where it judged nothing, the weights
    of the others are brought to the sum of one. With nothing to learn from, all count alike.

    Intervals are conformal at ``level``, longer where larger errors are expected: for middling
    estimates, and where members differ. They are calibrated on errors of blends that did not see
    the subject, as there are too few labels to set some aside, and laid around what the blend of
    all subjects says. That is cross-validation, and no proof holds for it: of few subjects, about
    ten, intervals at 90 % can cover some 5 % less. ``qc.consensus.conformal`` promises the level
    itself
    where a calibration set can be spared.

    Reference:
        Wolpert, "Stacked generalization", Neural Networks 1992.
        https://doi.org/10.1016/S0893-6080(05)80023-1
        Breiman, "Stacked regressions", Machine Learning 1996. https://doi.org/10.1007/BF00117832
        Barber et al., "Predictive inference with the jackknife+", Annals of Statistics 2021: what
        cross-validated residuals promise and what they do not. https://doi.org/10.1214/20-AOS1965
        Ours: calibration before and after; equality as the prior; Huber's loss.

    Args:
        scheme: Label values and structures of the predictions.
        level: Of the intervals.
        folds: Into which the subjects are divided to calibrate without them.

    Attributes:
        members_: Names of the estimators, ``M``.
        stack_: Their calibrations and weights.
        errors_: Coefficients of the expected error of each structure, ``[S, 3]``; see
            ``qc.consensus.stacking``.
        conformal_: Of the intervals.
        rightly_absent_: How often a structure was rightly not segmented; see ``qc.absence``.
        map_dice_: How well the error maps of each member agreed with the errors, ``[M]``; NaN of
            those that had none to learn from.
        usual_spread_: Disagreement of the members that is not unusual, in Dice.
    """

    def __init__(self, scheme: LabelScheme, *, level: float = 0.9, folds: int = 5) -> None:
        self.scheme = scheme
        self.level = level
        self.folds = folds

    def fit(
        self,
        qualities: Mapping[str, Sequence[Quality | None]],
        graded: Sequence[Graded],
        *,
        subjects: Sequence[str] | None = None,
    ) -> Self:
        """Learn from what estimators said of predictions that they did not learn from.

        Args:
            qualities: By estimator's name, one for each of ``graded``; None where it judged
                nothing.
            graded: Their truth; those without a reference teach nothing.
            subjects: Of each of ``graded``; by default as these say.

        Raises:
            ValueError: If there is no estimator, or lengths disagree.
        """
        if not qualities:
            raise ValueError("a blend needs at least one estimator, got none")
        for name, of_one in qualities.items():
            if len(of_one) != len(graded):
                raise ValueError(f"{name} has {len(of_one)} qualities, graded are {len(graded)}")
        self.members_ = tuple(sorted(qualities))
        said = np.stack([dice_said(qualities[name], self.scheme) for name in self.members_])
        true = true_dice(graded, self.scheme)
        names = [one.whose for one in graded] if subjects is None else subjects
        self.rightly_absent_ = rightly_absent(true, lacking(graded, true, self.scheme))
        self.map_dice_ = np.array(
            [mean_map_dice(qualities[name], graded, self.scheme) for name in self.members_]
        )
        tells_dice = np.array([self._tells_dice(qualities[name]) for name in self.members_])
        self._learn(np.moveaxis(said, 0, 1), true, np.asarray(names, dtype=str), tells_dice)
        return self

    def _tells_dice(self, said: Sequence[Quality | None]) -> list[bool]:
        """Whether an estimator gives a Dice of each structure; else its score stands in."""
        return [
            any(quality is not None and part.name in quality.dice for quality in said)
            for part in self.scheme.structures
        ]

    def _learn(
        self,
        said: Array,
        true: Array,
        subjects: NDArray[np.str_],
        tells_dice: NDArray[np.bool_],
    ) -> None:
        """From ``[N, M, S]`` and ``[N, S]``."""
        self.stack_ = StackedRegression.of(said, true, subjects, tells_dice, self.folds)
        unseen, estimates = np.full_like(said, np.nan), np.full_like(true, np.nan)
        for held in folds_of(subjects, self.folds):
            of_others = StackedRegression.of(
                said[~held], true[~held], subjects[~held], tells_dice, self.folds
            )
            unseen[held] = of_others.meant(said[held])
            estimates[held] = of_others.estimates(unseen[held])
        spreads = deviations(unseen)
        self.errors_ = error_coefficients(estimates, spreads, np.abs(estimates - true))
        scale = expected_errors(self.errors_, estimates, spreads)
        self.conformal_ = Conformal.of(estimates, true, subjects.tolist(), self.level, scale=scale)
        ranges = disagreement(unseen, self.stack_.weights)
        known = ranges[np.isfinite(ranges)]
        self.usual_spread_ = float(np.quantile(known, USUAL)) if known.size else 1.0

    def combine(
        self, qualities: Mapping[str, Quality | None], *, absent: Collection[str] = ()
    ) -> Quality:
        """One quality of what estimators say of one prediction.

        It has what at least one of them has: Dice, surface Dice and Dice of slices are means of
        those who tell them, weighed as for Dice; Dice of slices is read as that of the whole is,
        by each estimator's calibration. Error maps are those of the member whose maps were best,
        for a mean of maps shows fewer errors than each; the mean where none was compared.
        Estimators the blend did not learn of are left out. Where none is left, nothing is known:
        the score is 0.

        Args:
            qualities: By estimator's name; some may be missing or None.
            absent: Structures that the prediction does not have, see ``absent_structures``: their
                Dice is 0 whenever it is defined, and counts as likely as they were missed.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        check_is_fitted(self)
        known = {n: q for n in self.members_ if (q := qualities.get(n)) is not None}
        said = np.stack([dice_said([qualities.get(n)], self.scheme)[0] for n in self.members_])
        meant = self.stack_.meant(said[None])
        dice = self.stack_.estimates(meant)
        scale = expected_errors(self.errors_, dice, deviations(meant))
        dice, intervals = dice[0], self.conformal_.intervals(dice, scale=scale)[0]
        names = [part.name for part in self.scheme.structures]
        for part, name in enumerate(names):
            if name in absent:
                dice[part], intervals[part] = 0.0, 0.0
        told = dict(zip(names, dice.tolist(), strict=True))
        is_absent = np.array([name in absent for name in names])
        study = next((q.study for q in qualities.values() if q is not None), "")
        return Quality(
            study,
            score_of(dice, is_absent, self.rightly_absent_),
            dice={name: value for name, value in told.items() if np.isfinite(value)},
            nsd=self._nsd(known, absent),
            slice_dice=self._slice_dice(known),
            error_maps=self._error_maps(known),
            interval={n: (float(a), float(b)) for n, (a, b) in zip(names, intervals, strict=True)},
            reasons=tuple(dict.fromkeys(self._reasons(known, meant))),
        )

    def _nsd(self, known: Mapping[str, Quality], absent: Collection[str]) -> dict[str, float]:
        found = {}
        for part, shares in self._shares(known, "nsd"):
            mean = sum(share * known[name].nsd[part] for name, share in shares.items())
            found[part] = 0.0 if part in absent else float(mean)
        return found

    def _slice_dice(self, known: Mapping[str, Quality]) -> dict[str, Array]:
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
        return self.stack_.curves[self.members_.index(member)][names.index(part)]

    def _error_maps(self, known: Mapping[str, Quality]) -> dict[str, Voxels]:
        found: dict[str, Voxels] = {}
        for part, shares in self._shares(known, "error_maps"):
            worth = dict(zip(self.members_, np.nan_to_num(self.map_dice_, nan=-1), strict=True))
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
        for part, column in zip(self.scheme.structures, self.stack_.weights.T, strict=True):
            weights = dict(zip(self.members_, column.tolist(), strict=True))
            tellers = [name for name, q in known.items() if part.name in getattr(q, what)]
            total = sum(weights[name] for name in tellers)
            if tellers:
                equal = 1 / len(tellers)
                yield part.name, {n: weights[n] / total if total else equal for n in tellers}

    def _reasons(self, known: Mapping[str, Quality], meant: Array) -> Iterator[str]:
        if not known:
            yield "no estimator judged it"
        elif disagreement(meant, self.stack_.weights)[0] > self.usual_spread_:
            told = zip(self.members_, member_means(meant)[0], strict=True)
            counts = has_a_say(self.stack_.weights)
            parts = [
                f"{name} {mean:.2f}"
                for (name, mean), is_heard in zip(told, counts, strict=True)
                if is_heard and np.isfinite(mean)
            ]
            yield f"estimators disagree: {', '.join(parts)}"
        for quality in known.values():
            yield from quality.reasons

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What was learned, as named arrays, to be stored without pickle."""
        check_is_fitted(self)
        names = json.dumps(self.members_).encode()
        stored: dict[str, NDArray[np.generic]] = {
            "members": np.frombuffer(names, dtype=np.uint8).copy(),
            "errors": self.errors_,
            "rightly_absent": self.rightly_absent_,
            "map_dice": self.map_dice_,
            "usual_spread": np.array([self.usual_spread_]),
        }
        for key, part in (("conformal", self.conformal_), ("stack", self.stack_)):
            stored |= {f"{key}/{name}": array for name, array in part.arrays().items()}
        return stored

    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Take back what ``arrays`` gave."""

        def array(name: str) -> Array:
            return np.asarray(arrays[name], dtype=np.float64)

        self.members_ = tuple(json.loads(arrays["members"].astype(np.uint8).tobytes()))
        self.errors_ = array("errors")
        self.rightly_absent_ = array("rightly_absent")
        self.map_dice_ = array("map_dice")
        self.usual_spread_ = float(array("usual_spread")[0])
        self.conformal_ = Conformal.from_arrays(below("conformal", arrays))
        self.stack_ = StackedRegression.from_arrays(below("stack", arrays))
        return self


def below(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """The arrays whose names begin with ``name/``, without it."""
    return {k.removeprefix(f"{name}/"): a for k, a in arrays.items() if k.startswith(f"{name}/")}
