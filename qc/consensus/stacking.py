"""The weighted mean of calibrated estimators, and how wrong it may be: a blend's arithmetic.

Arrays have the axes ``[N, M, S]``: prediction, member, structure. NaN is what nobody said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from qc.consensus.calibration import PRIOR_SUBJECTS, CalibrationCurve, calibration, subject_weights

Array = NDArray[np.float64]

PULL = 0.01
"""Of the weights towards equality: that of one subject on whom members differ by Dice .1."""
OUTLYING = 0.05
"""Error in Dice from which on it counts by its size, no longer by its square."""
ROUNDS = 8
"""Of reweighting by the errors."""
SUM_OF_ONE = 1e3
"""How much a sum of weights other than one costs; all other terms are of the order of one."""
A_SAY = 0.05
"""Mean weight below which it does not matter that a member disagrees."""
SMALLEST_ERROR = 0.01
"""Expected error of the surest estimate, in Dice."""


@dataclass(frozen=True, eq=False)
class StackedRegression:
    """Calibrations of the members, their weights, and a calibration of the mean.

    Args:
        curves: Of each member and structure, ``[M][S]``.
        weights: ``[M, S]``; none negative, of sum one.
        last: Of the mean of each structure, ``[S]``.
    """

    curves: list[list[CalibrationCurve]]
    weights: Array
    last: list[CalibrationCurve]

    @classmethod
    def of(
        cls,
        said: Array,
        true: Array,
        subjects: NDArray[np.str_],
        tells_dice: NDArray[np.bool_],
        folds: int,
    ) -> "StackedRegression":
        """Learned from members that did not learn from these predictions.

        Weights and the last calibration learn from calibrations that did not see the subject,
        where there are two or more.

        Args:
            said: ``[N, M, S]``.
            true: Dice, ``[N, S]``.
            subjects: Of each prediction; all count alike.
            tells_dice: Whether what a member says is meant as a Dice, ``[M, S]``; else its
                calibration is trusted at once.
            folds: Into which subjects are divided.
        """
        by_subject = subject_weights(subjects)
        curves = _curves(said, true, by_subject, tells_dice)
        unseen = calibrated(curves, said)
        for held in folds_of(subjects, folds):
            of_others = _curves(said[~held], true[~held], by_subject[~held], tells_dice)
            unseen[held] = calibrated(of_others, said[held])
        of_parts = [
            member_weights(unseen[:, :, part], column, by_subject)
            for part, column in enumerate(true.T)
        ]
        weights = np.stack(of_parts, axis=1)
        means = weighed(unseen, weights)
        last = [
            calibration(means[:, part], column, by_subject, prior=PRIOR_SUBJECTS)
            for part, column in enumerate(true.T)
        ]
        return cls(curves, weights, last)

    def meant(self, said: Array) -> Array:
        """What each member means by what it says, ``[N, M, S]``."""
        return calibrated(self.curves, said)

    def estimates(self, meant: Array) -> Array:
        """Dice of each structure, ``[N, S]``; NaN where no member spoke."""
        means = weighed(meant, self.weights)
        return np.stack([curve(means[:, part]) for part, curve in enumerate(self.last)], axis=1)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What was learned, to be stored."""
        stored: dict[str, NDArray[np.generic]] = {"weights": self.weights}
        for member, curves in enumerate([*self.curves, self.last]):
            for part, curve in enumerate(curves):
                stored |= {f"curves/{member}/{part}/{key}": a for key, a in vars(curve).items()}
        return stored

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "StackedRegression":
        """What ``arrays`` gave."""
        weights = np.asarray(arrays["weights"], dtype=np.float64)
        members, parts = weights.shape
        curves = [
            [
                CalibrationCurve(
                    *(
                        np.asarray(arrays[f"curves/{member}/{part}/{key}"], dtype=np.float64)
                        for key in ("estimated", "true")
                    )
                )
                for part in range(parts)
            ]
            for member in range(members + 1)
        ]
        return cls(curves[:-1], weights, curves[-1])


def _curves(
    said: Array, true: Array, weights: Array, tells_dice: NDArray[np.bool_]
) -> list[list[CalibrationCurve]]:
    """Calibration of each member and structure, ``[M][S]``, from ``[N, M, S]`` and ``[N, S]``.

    What is meant as a Dice is drawn to itself as if by ``PRIOR_SUBJECTS`` subjects; a mere score
    is not.
    """
    return [
        [
            calibration(
                said[:, member, part],
                true[:, part],
                weights,
                prior=PRIOR_SUBJECTS if is_dice else 0.0,
            )
            for part, is_dice in enumerate(of_member)
        ]
        for member, of_member in enumerate(tells_dice)
    ]


def calibrated(curves: list[list[CalibrationCurve]], said: Array) -> Array:
    """What is said, ``[N, M, S]``, through the curves ``[M][S]``."""
    found = np.full_like(said, np.nan)
    for member, of_member in enumerate(curves):
        for part, curve in enumerate(of_member):
            found[:, member, part] = curve(said[:, member, part])
    return found


def member_weights(said: Array, true: Array, weights: Array) -> Array:
    """Weights ``[M]``, none negative, of sum one, by which ``said [N, M]`` comes nearest to truth.

    By Huber's loss, for which the squares of errors are weighed anew some ``ROUNDS``; drawn to
    equality by ``PULL``. A member that said nothing of a prediction counts there as the mean of
    the others.

    Args:
        said: Calibrated.
        true: ``[N]``.
        weights: Of the predictions, of sum one for each subject.
    """
    count = said.shape[1]
    found = np.full(count, 1 / count)
    known = np.isfinite(true) & np.isfinite(said).any(axis=1)
    if not known.any():
        return found
    others = weighed(said[known, :, None], found[:, None])
    given = np.where(np.isfinite(said[known]), said[known], others)
    ends = np.concatenate([np.sqrt(PULL) * np.eye(count), np.full((1, count), SUM_OF_ONE)])
    aims = np.append(np.sqrt(PULL) * found, SUM_OF_ONE)
    missed = np.zeros(len(given))
    for _ in range(ROUNDS):
        root = np.sqrt(weights[known] * OUTLYING / np.maximum(missed, OUTLYING))
        matrix = np.concatenate([root[:, None] * given, ends])
        found = nnls(matrix, np.append(root * true[known], aims))[0]
        found = found / found.sum()
        missed = np.abs(given @ found - true[known])
    return found


def weighed(said: Array, weights: Array) -> Array:
    """Mean over members by ``weights [M, S]``, ``[N, M, S]`` to ``[N, S]``; NaN if none spoke."""
    spoke = np.isfinite(said)
    # A weight of nought must not silence a member that is left alone.
    shares = np.where(spoke, weights + 1e-9, 0)
    total = shares.sum(axis=1)
    sums = (np.where(spoke, said, 0) * shares).sum(axis=1)
    return np.where(total > 0, sums / np.where(total > 0, total, 1), np.nan)


def folds_of(subjects: NDArray[np.str_], folds: int, seed: int = 0) -> Iterator[NDArray[np.bool_]]:
    """Which predictions each fold holds out, never parting a subject; none of one subject."""
    names = np.unique(subjects)
    if len(names) < 2:
        return
    shuffled = np.random.default_rng(seed).permutation(names)
    count = min(max(folds, 2), len(names))
    for number in range(count):
        yield np.isin(subjects, shuffled[number::count])


def deviations(said: Array) -> Array:
    """Standard deviation over the members that spoke, ``[N, S]``; 0 of one or none."""
    spoke = np.isfinite(said)
    count = np.maximum(spoke.sum(axis=1), 1)
    mean = np.where(spoke, said, 0).sum(axis=1) / count
    squares = np.where(spoke, said - mean[:, None], 0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=1) / count))


def member_means(said: Array) -> Array:
    """Mean Dice over structures by each member, ``[N, M]``; NaN where it said nothing."""
    spoke = np.isfinite(said)
    count = spoke.sum(axis=2)
    sums = np.where(spoke, said, 0).sum(axis=2)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def has_a_say(weights: Array) -> NDArray[np.bool_]:
    """Which members have a mean weight of ``A_SAY`` at least, ``[M]``."""
    return np.asarray(weights.mean(axis=1) >= A_SAY)


def disagreement(said: Array, weights: Array) -> Array:
    """Largest less smallest of the members' means, ``[N]``; NaN where fewer than two spoke.

    Only members count that have ``A_SAY`` by ``weights [M, S]``.
    """
    means = member_means(said[:, has_a_say(weights)])
    spoke = np.isfinite(means)
    highest = np.where(spoke, means, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(spoke, means, np.inf).min(axis=1, initial=np.inf)
    return np.where(spoke.sum(axis=1) >= 2, highest - lowest, np.nan)


def error_coefficients(estimates: Array, spreads: Array, missed: Array) -> Array:
    """What explains the size ``[N, S]`` of errors, ``[S, 3]``, none negative.

    It is constant where nothing is known.
    """
    columns = _error_columns(estimates, spreads)
    found = np.zeros((missed.shape[1], columns.shape[-1]))
    found[:, 0] = SMALLEST_ERROR
    for part in range(missed.shape[1]):
        known = np.isfinite(missed[:, part])
        if known.any():
            found[part] = nnls(columns[known, part], missed[known, part])[0]
    return found


def expected_errors(coefficients: Array, estimates: Array, spreads: Array) -> Array:
    """Expected size of the error of each estimate, ``[N, S]``; at least ``SMALLEST_ERROR``."""
    columns = np.nan_to_num(_error_columns(estimates, spreads))
    return np.asarray(np.maximum((columns * coefficients).sum(axis=-1), SMALLEST_ERROR))


def _error_columns(estimates: Array, spreads: Array) -> Array:
    """A constant, how far the estimate is from both 0 and 1, and the spread, ``[N, S, 3]``."""
    return np.stack([np.ones_like(estimates), estimates * (1 - estimates), spreads], axis=-1)
