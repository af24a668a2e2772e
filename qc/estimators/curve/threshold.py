"""Where to cut a score: ROC of detecting erroneous predictions, and a weighted Youden index."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, and how it does on the scores it was chosen by.

    Args:
        threshold: A prediction whose score is below is called erroneous.
        sensitivity: Share of the erroneous predictions that are called so.
        specificity: Share of the good predictions that are not.
        auc: Area under the ROC.
    """

    threshold: float
    sensitivity: float
    specificity: float
    auc: float


def weighted_youden(
    scores: NDArray[np.float64], is_good: NDArray[np.bool_], sensitivity_weight: float
) -> OperatingPoint:
    """The threshold that maximises ``J = 2 (w sensitivity + (1 - w) specificity) - 1``.

    What is to be detected are erroneous predictions, so sensitivity is that for erroneous. Among
    equal ``J`` the most sensitive wins. The threshold lies halfway to the next score, for it is
    meant for scores that were not seen.

    Reference:
        Li et al., "Weighted Youden index and its two-independent-sample comparison based on
        weighted sensitivity and specificity", Chinese Medical Journal 2013.
        https://doi.org/10.3760/cma.j.issn.0366-6999.20123102

    Args:
        scores: Of predictions that were not learned from, in [0, 1], higher for better, ``[N]``.
        is_good: The verdict on each, ``[N]``.
        sensitivity_weight: ``w``, in (0, 1); above .5 favours sensitivity.

    Raises:
        ValueError: If the weight is out of range, or all predictions are good or all erroneous.
    """
    _check(is_good, sensitivity_weight)
    # Sorted from least to most called erroneous; the first entry calls none.
    false_alarms, detected, cuts = roc_curve(~is_good, -scores, drop_intermediate=False)
    youden = (
        2 * (sensitivity_weight * detected + (1 - sensitivity_weight) * (1 - false_alarms)) - 1
    )
    best = int(np.flatnonzero(np.isclose(youden, youden.max()))[-1])
    return OperatingPoint(
        threshold=_between(-cuts, best),
        sensitivity=float(detected[best]),
        specificity=float(1 - false_alarms[best]),
        auc=float(roc_auc_score(~is_good, -scores)),
    )


def _check(is_good: NDArray[np.bool_], sensitivity_weight: float) -> None:
    if not 0 < sensitivity_weight < 1:
        raise ValueError(f"sensitivity_weight must lie in (0, 1), got {sensitivity_weight}")
    if is_good.all() or not is_good.any():
        raise ValueError(
            f"a threshold needs good and erroneous predictions, got {int(is_good.sum())} good"
            f" of {len(is_good)}"
        )


def _between(highest_called: NDArray[np.float64], best: int) -> float:
    """Halfway from the highest score that is called erroneous to the next, in [0, 1]."""
    lower = max(float(highest_called[best]), 0.0)
    upper = float(highest_called[best + 1]) if best + 1 < len(highest_called) else 1.0
    return (lower + upper) / 2
