"""How near estimated qualities are to the true ones: pure functions on arrays.

All take the true and the predicted quality of the same items, ``[N]``, and leave out pairs of
which either is NaN. What cannot be told is NaN; nothing raises because items are few or equal.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

NAN = math.nan
Numbers = NDArray[np.float64]

HALF = 0.5
"""True quality that parts what is judged below from what is judged above."""

NEAR = 0.05
"""Absolute error up to which an estimate counts as right."""


@dataclass(frozen=True)
class AbsoluteError:
    """Mean and spread of ``|predicted - true|``.

    Args:
        n: Pairs.
        mean: NaN where there is none.
        sd: Standard deviation with ``n - 1``; NaN for fewer than two.
    """

    n: int
    mean: float
    sd: float


@dataclass(frozen=True)
class Detection:
    """Telling good segmentations from poor ones by a threshold on both qualities.

    Good is what is positive: a true positive is good and was called so, a false positive is poor
    and was called good, so that it would slip through.

    Args:
        accuracy: ``(TP + TN) / N``.
        tpr: ``TP / (TP + FN)``; NaN where nothing is good.
        fpr: ``FP / (FP + TN)``; NaN where nothing is poor.
    """

    accuracy: float
    tpr: float
    fpr: float


def finite_pairs(true: Numbers, predicted: Numbers) -> tuple[Numbers, Numbers]:
    """Both without the items of which either is not finite.

    Raises:
        ValueError: If the lengths differ.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"true has shape {true.shape}, predicted has {predicted.shape}")
    known = np.isfinite(true) & np.isfinite(predicted)
    return true[known], predicted[known]


def absolute_error(true: Numbers, predicted: Numbers) -> AbsoluteError:
    """Mean absolute error, ``mean(|predicted - true|)``, and its standard deviation.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, table 1.
        https://doi.org/10.1007/978-3-030-00937-3_66
    """
    true, predicted = finite_pairs(true, predicted)
    errors = np.abs(predicted - true)
    return AbsoluteError(
        len(errors),
        float(errors.mean()) if len(errors) else NAN,
        float(errors.std(ddof=1)) if len(errors) > 1 else NAN,
    )


def mean_error(true: Numbers, predicted: Numbers) -> float:
    """Bias, ``mean(predicted - true)``: above 0 where estimates are too high."""
    true, predicted = finite_pairs(true, predicted)
    return float((predicted - true).mean()) if len(true) else NAN


def errors_around_half(true: Numbers, predicted: Numbers) -> tuple[AbsoluteError, AbsoluteError]:
    """Absolute error where the true quality is below .5, and where it is .5 or above.

    Reference:
        Robinson et al., MICCAI 2018, table 1. https://doi.org/10.1007/978-3-030-00937-3_66
    """
    true, predicted = finite_pairs(true, predicted)
    low = true < HALF
    return absolute_error(true[low], predicted[low]), absolute_error(true[~low], predicted[~low])


def r_squared(true: Numbers, predicted: Numbers) -> float:
    """Coefficient of determination of the estimates as they stand, without a fitted line.

    ``1 - sum((true - predicted)^2) / sum((true - mean(true))^2)``: 1 for perfect estimates, 0
    for those no better than the mean, negative for worse. NaN for fewer than two pairs or where
    the true quality is constant.
    """
    true, predicted = finite_pairs(true, predicted)
    if len(true) < 2 or np.ptp(true) == 0:
        return NAN
    residual = np.square(true - predicted).sum()
    return float(1 - residual / np.square(true - true.mean()).sum())


def share_within(true: Numbers, predicted: Numbers, tolerance: float = NEAR) -> float:
    """Share of items with ``|predicted - true| <= tolerance``; NaN where there is none."""
    true, predicted = finite_pairs(true, predicted)
    # An error of exactly the tolerance may come out a rounding error above it.
    near = np.abs(predicted - true) <= tolerance + 1e-12
    return float(near.mean()) if len(near) else NAN


def detection(true: Numbers, predicted: Numbers, threshold: float) -> Detection:
    """Accuracy, true and false positive rate of calling good what is predicted at the threshold.

    Reference:
        Robinson et al., MICCAI 2018, table 1, threshold .7.
        https://doi.org/10.1007/978-3-030-00937-3_66

    Args:
        true: ``[N]``; good from the threshold upwards.
        predicted: ``[N]``; called good likewise.
        threshold: In [0, 1].
    """
    true, predicted = finite_pairs(true, predicted)
    if not len(true):
        return Detection(NAN, NAN, NAN)
    good, called = true >= threshold, predicted >= threshold
    return Detection(
        accuracy=float((good == called).mean()),
        tpr=float(called[good].mean()) if good.any() else NAN,
        fpr=float(called[~good].mean()) if not good.all() else NAN,
    )


def failure_auroc(true: Numbers, predicted: Numbers, threshold: float) -> float:
    """Area under the ROC of detecting failures, which are true qualities below the threshold.

    The probability that a failure is predicted lower than a success, ties counting half, so that
    the predicted score needs no scale. NaN where all fail or none does.
    """
    true, predicted = finite_pairs(true, predicted)
    failed = true < threshold
    if not failed.any() or failed.all():
        return NAN
    return float(roc_auc_score(failed, -predicted))
