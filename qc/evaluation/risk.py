"""Risk and coverage: how good is what an estimator lets through, the best first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.evaluation.agreement import NAN, Numbers, finite_pairs


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Risk of the accepted items when ever more are accepted, the most trusted first.

    Args:
        coverage: Share of items accepted, ``[N]``: ``1/N`` to 1.
        risk: Mean ``1 - true quality`` of those, ``[N]``.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]


def risk_coverage(true: Numbers, predicted: Numbers) -> RiskCoverage:
    """The risk-coverage curve of a score; the risk of an item is ``1 - true``.

    Reference:
        Geifman and El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
        https://arxiv.org/abs/1705.08500
        Zenk et al., "Comparative benchmarking of failure detection methods in medical image
        segmentation", Medical Image Analysis 2025 (risk from the Dice).
        https://doi.org/10.1016/j.media.2024.103392
        Ours: items of equal score each have their mean risk, the expectation over their order.

    Args:
        true: Quality in [0, 1], ``[N]``; pairs with a NaN are left out.
        predicted: To rank by, ``[N]``; higher is better.
    """
    true, predicted = finite_pairs(true, predicted)
    _, tied = np.unique(-predicted, return_inverse=True)
    sizes = np.bincount(tied)
    mean_risks = np.bincount(tied, weights=1 - true) / sizes
    accepted = np.arange(1, len(true) + 1)
    risk = np.cumsum(np.repeat(mean_risks, sizes)) / accepted
    return RiskCoverage(accepted / max(len(true), 1), risk)


def aurc(true: Numbers, predicted: Numbers) -> float:
    """Area under the risk-coverage curve: the mean of its risk over all coverages.

    ``1/N sum_k 1/k sum_{i <= k} (1 - true_i)``, items ordered by falling score. Lower is better;
    NaN without pairs.

    Reference:
        As ``risk_coverage``.
    """
    risk = risk_coverage(true, predicted).risk
    return float(risk.mean()) if len(risk) else NAN


def excess_aurc(true: Numbers, predicted: Numbers) -> float:
    """AURC less that of the best possible order, which is by the true quality itself.

    It is 0 for a perfect ranking, however poor the segmentations are; NaN without pairs.

    Reference:
        Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural
        classifiers", ICLR 2019. https://arxiv.org/abs/1805.08206
    """
    true, predicted = finite_pairs(true, predicted)
    return aurc(true, predicted) - aurc(true, true)
