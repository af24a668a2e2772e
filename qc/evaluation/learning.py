"""How the error of an estimator falls with the number of studies it learns from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from qc.base import Graded, QualityEstimator
from qc.consensus.panel import Panel
from qc.evaluation.figures import FigureRow
from qc.evaluation.judging import judge
from qc.evaluation.table import rows_of
from qc.evaluation.thresholds import THRESHOLD, thresholds_of
from semiqc.schemes import LabelScheme


@dataclass(frozen=True)
class LearningRow:
    """Error on the same test predictions after learning from a share of the studies.

    Args:
        share: Of the training studies.
        studies: Learned from.
        predictions: Learned from.
        quality: ``dice`` or ``nsd``.
        structure: Name, or ``all``.
        n: Test predictions.
        test_studies: Studies that these are of.
        mae: Mean absolute error.
        mae_low: Lower end of its 95 % interval, by bootstrap over test subjects.
        mae_high: Upper end.
        pearson: Linear correlation.
    """

    share: float
    studies: int
    predictions: int
    quality: str
    structure: str
    n: int
    test_studies: int
    mae: float
    mae_low: float
    mae_high: float
    pearson: float


def learning_curve(
    make_estimator: Callable[[], QualityEstimator],
    train: Sequence[Graded],
    test: Sequence[Graded],
    scheme: LabelScheme,
    shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    *,
    seed: int = 0,
) -> list[LearningRow]:
    """Fit an estimator anew on ever more studies, and test each on the same predictions.

    Studies are shuffled once; a larger share holds all studies of the smaller ones.

    Args:
        make_estimator: Gives an estimator that has not learned.
        train: To learn from.
        test: Of other studies; of one that gives only a score there are no rows.
        scheme: Whose structures are judged.
        shares: Of the training studies, in (0, 1]; at least one study is taken.
        seed: Of the order of studies.

    Raises:
        ValueError: If either set is empty, they share a subject, or a share is out of range.
    """
    studies = sorted({one.prediction.study for one in train})
    _check(train, test, shares)
    order = np.random.default_rng(seed).permutation(studies).tolist()
    rows: list[LearningRow] = []
    for share in sorted(set(shares)):
        chosen = set(order[: max(1, round(share * len(order)))])
        learned = [one for one in train if one.prediction.study in chosen]
        figures = _figures(make_estimator().fit(learned), test, scheme)
        rows += [_row(share, len(chosen), len(learned), one) for one in figures]
    return rows


def _figures(
    estimator: QualityEstimator, test: Sequence[Graded], scheme: LabelScheme
) -> list[FigureRow]:
    """Of Dice and surface Dice."""
    rows = rows_of(judge(Panel({"": estimator}), test, scheme), thresholds_of(THRESHOLD, scheme))
    return [row for row in rows if row.quality in ("dice", "nsd")]


def _row(share: float, studies: int, predictions: int, figures: FigureRow) -> LearningRow:
    """A point of the curve, out of the figures of the estimator fitted to a share."""
    return LearningRow(
        share,
        studies,
        predictions,
        figures.quality,
        figures.structure,
        figures.n,
        figures.studies,
        figures.mae,
        figures.mae_low,
        figures.mae_high,
        figures.pearson,
    )


def _check(train: Sequence[Graded], test: Sequence[Graded], shares: Sequence[float]) -> None:
    """Refuse what gives no curve, before anything is fitted."""
    if not len(train) or not len(test):
        raise ValueError("a learning curve needs predictions to learn from and to test on")
    both = sorted({one.whose for one in train} & {one.whose for one in test})
    if both:
        raise ValueError(f"{both[0]}: a subject to learn from and to test on")
    outside = [share for share in shares if not 0 < share <= 1]
    if outside or not len(shares):
        raise ValueError(f"shares must lie in (0, 1], got {outside[0] if outside else 'none'}")
