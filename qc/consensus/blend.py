"""One judgement out of several estimators', weighed by how they did where the truth is known."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qc.absence import absent_structures, lacking, rightly_absent, score_of
from qc.base import Graded, OfScheme, Quality
from qc.consensus.all_classes import AllClasses
from qc.consensus.calibration import dice_said, true_dice
from qc.consensus.conformal import Conformal
from qc.consensus.error_maps import mean_map_dice
from qc.consensus.stacking import (
    StackedRegression,
    deviations,
    disagreement,
    error_coefficients,
    expected_errors,
    folds_of,
)
from qc.consensus.weighted_means import WeightedMeans
from semiqc.study import Prediction

Array = NDArray[np.float64]

USUAL = 0.95
"""Share of the training within whose disagreement nothing is said of it."""


@dataclass(kw_only=True, eq=False, repr=False)
class Blend(OfScheme):
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
    itself where a calibration set can be spared.

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
        all_classes_: Weighs the Dice of all classes at once, where members tell it.
        usual_spread_: Disagreement of the members that is not unusual, in Dice.
    """

    level: float = 0.9
    folds: int = 5

    def fit(
        self,
        qualities: Mapping[str, Sequence[Quality | None]],
        graded: Sequence[Graded],
    ) -> Self:
        """Learn from what estimators said of predictions that they did not learn from.

        Args:
            qualities: By estimator's name, one for each of ``graded``; None where it judged
                nothing.
            graded: Their truth; nothing is learned from those without a reference.

        Raises:
            ValueError: If there is no estimator, or lengths disagree.
        """
        self._check(qualities, graded)
        self.members_ = tuple(sorted(qualities))
        said = np.stack([dice_said(qualities[name], self.scheme) for name in self.members_])
        true = true_dice(graded, self.scheme)
        self.rightly_absent_ = rightly_absent(true, lacking(graded, true, self.scheme))
        maps = [mean_map_dice(qualities[name], graded, self.scheme) for name in self.members_]
        self.map_dice_ = np.array(maps)
        tells_dice = np.array([self._tells_dice(qualities[name]) for name in self.members_])
        subjects = np.asarray([one.whose for one in graded], dtype=str)
        self.all_classes_ = AllClasses.of(qualities, graded, self.scheme, self.folds)
        self._learn(np.moveaxis(said, 0, 1), true, subjects, tells_dice)
        return self

    def _check(
        self, qualities: Mapping[str, Sequence[Quality | None]], graded: Sequence[Graded]
    ) -> None:
        if not qualities:
            raise ValueError("a blend needs at least one estimator, got none")
        for name, of_one in qualities.items():
            if len(of_one) != len(graded):
                raise ValueError(f"{name} has {len(of_one)} qualities, graded are {len(graded)}")

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

    def judge(self, qualities: Mapping[str, Quality | None], prediction: Prediction) -> Quality:
        """One quality of what estimators say of a prediction, which is read for what is absent.

        Args:
            qualities: As for ``combine``.
            prediction: That they judged.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        return self.combine(qualities, absent=absent_structures(prediction, self.scheme))

    def combine(
        self, qualities: Mapping[str, Quality | None], *, absent: Collection[str] = ()
    ) -> Quality:
        """One quality of what estimators say of one prediction.

        It has what at least one of them has: Dice, surface Dice and Dice of slices are means of
        those who tell them, weighed as for Dice, all classes at once by weights of their own; Dice
        of slices is read by each estimator's calibration. Error maps are those of the member whose
        maps were best, for a mean of maps shows fewer errors than each; the mean where none was
        compared. Estimators the blend did not learn of are left out. Where none is left, nothing
        is known: the score is 0.

        Args:
            qualities: By estimator's name; some may be missing or None.
            absent: Structures that the prediction does not have, see ``absent_structures``: their
                Dice is 0 whenever defined, and counts as likely as they were missed.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        check_is_fitted(self)
        known = {n: q for n in self.members_ if (q := qualities.get(n)) is not None}
        said = np.stack([dice_said([known.get(n)], self.scheme)[0] for n in self.members_])
        meant = self.stack_.meant(said[None])
        names = [part.name for part in self.scheme.structures]
        is_absent = np.array([name in absent for name in names])
        dice, intervals = self._estimates(meant, is_absent)
        means = WeightedMeans(self.scheme, self.members_, self.stack_, self.map_dice_)
        return Quality(
            next((q.study for q in qualities.values() if q is not None), ""),
            score_of(dice, is_absent, self.rightly_absent_),
            dice={n: float(d) for n, d in zip(names, dice, strict=True) if np.isfinite(d)},
            nsd=means.nsd(known, absent),
            slice_dice=means.slice_dice(known),
            error_maps=means.error_maps(known),
            interval={n: (float(a), float(b)) for n, (a, b) in zip(names, intervals, strict=True)},
            reasons=tuple(dict.fromkeys(means.reasons(known, meant, self.usual_spread_))),
            overall=self.all_classes_.dice(known),
            overall_nsd=self.all_classes_.nsd(known),
        )

    def _estimates(self, meant: Array, is_absent: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Dice ``[S]`` and intervals ``[S, 2]`` of one prediction; 0 where it is absent."""
        dice = self.stack_.estimates(meant)
        scale = expected_errors(self.errors_, dice, deviations(meant))
        intervals = self.conformal_.intervals(dice, scale=scale)
        return np.where(is_absent, 0, dice[0]), np.where(is_absent[:, None], 0, intervals[0])

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
        parts = {
            "conformal": self.conformal_.arrays(),
            "stack": self.stack_.arrays(),
            "all_classes": self.all_classes_.arrays(),
        }
        for key, arrays in parts.items():
            stored |= {f"{key}/{name}": array for name, array in arrays.items()}
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
        self.all_classes_ = AllClasses.from_arrays(self.members_, below("all_classes", arrays))
        return self


def below(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """The arrays whose names begin with ``name/``, without it."""
    return {k.removeprefix(f"{name}/"): a for k, a in arrays.items() if k.startswith(f"{name}/")}
