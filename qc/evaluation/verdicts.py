"""How well estimators tell what a reader finds good from what he finds erroneous."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qc.base import Graded, ProgressCallback, Quality, unobserved
from qc.consensus.panel import Panel
from qc.evaluation.agreement import NAN, failure_auroc
from qc.evaluation.distributions import kolmogorov_smirnov


@dataclass(frozen=True)
class VerdictRow:
    """How one estimator does against a reader's verdicts; what cannot be told is NaN.

    Args:
        estimator: Its name.
        n: Segmentations with a verdict that it judged.
        good: Of these, those that the reader finds good.
        erroneous: The others.
        auc: Area under the ROC of detecting the erroneous by a low score.
        sensitivity: Share of the erroneous that it calls so; NaN where it gives no verdicts.
        specificity: Share of the good that it calls good; likewise.
        ks: Kolmogorov-Smirnov distance of its scores of good and of erroneous.
        ks_p: Its p.
    """

    estimator: str
    n: int
    good: int
    erroneous: int
    auc: float
    sensitivity: float = NAN
    specificity: float = NAN
    ks: float = NAN
    ks_p: float = NAN


def evaluate_verdicts(
    panel: Panel, graded: Sequence[Graded], *, observe: ProgressCallback = unobserved
) -> list[VerdictRow]:
    """A row for each of a panel who can judge some of the segmentations, the consensus last.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, section 3.1 (AUC, sensitivity for erroneous,
        specificity). https://doi.org/10.1007/978-3-030-68107-4_10

    Args:
        panel: Fitted to others.
        graded: Those without a verdict are passed over.
        observe: Told how many are judged, and of how many.

    Raises:
        ValueError: If none has a verdict.
    """
    judged = [one for one in graded if one.is_good is not None]
    if not judged:
        raise ValueError("an evaluation of verdicts needs a segmentation with a verdict, got none")
    said: dict[str, list[tuple[Quality, bool]]] = {}
    for number, one in enumerate(judged, start=1):
        for name, quality in panel.judge_all(one.prediction).items():
            said.setdefault(name, []).append((quality, bool(one.is_good)))
        observe(number, len(judged))
    return [_row(name, said[name]) for name in panel.names if name in said]


def _row(name: str, said: Sequence[tuple[Quality, bool]]) -> VerdictRow:
    scores = np.array([quality.score for quality, _ in said])
    is_good = np.array([verdict for _, verdict in said])
    test = kolmogorov_smirnov(scores[is_good], scores[~is_good])
    found = VerdictRow(
        name,
        n=len(said),
        good=int(is_good.sum()),
        erroneous=int((~is_good).sum()),
        auc=failure_auroc(is_good.astype(np.float64), scores, 0.5),
        ks=test.statistic,
        ks_p=test.p,
    )
    verdicts = [quality.is_good for quality, _ in said]
    if None in verdicts:
        return found
    called_good = np.array(verdicts, dtype=np.bool_)
    return VerdictRow(
        **{
            **vars(found),
            "sensitivity": _share(~called_good[~is_good]),
            "specificity": _share(called_good[is_good]),
        }
    )


def _share(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return float(flags.mean()) if flags.size else NAN
