"""Whether one estimator errs less than another, and less in the healthy than in the sick.

Absolute errors are averaged over each subject first, for segmentations of one person err alike.
The p-values of each test in a table are adjusted for all of its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qc.evaluation.agreement import NAN
from qc.evaluation.judgement import Judgement
from qc.evaluation.table import estimators_of, values_of
from semiqc.measuring.statistics import compare, holm, pearson

HEALTHY = ("nor", "normal", "healthy", "control", "controls", "hv", "hc")
"""What data sets call the group of the healthy, whatever the case of its letters."""

Row = TypeVar("Row", "PairRow", "GroupRow")


@dataclass(frozen=True)
class PairRow:
    """Two estimators on the segmentations that both judged.

    Args:
        quality: ``dice`` or ``nsd``.
        structure: Name, or ``all`` for the mean over structures.
        first: Name of an estimator.
        second: Name of the other.
        n: Segmentations with a true quality and an estimate of both.
        subjects: Whom these are of; the unit of the tests.
        mae_first: Mean absolute error over the ``n``.
        mae_second: Likewise.
        pearson_first: Linear correlation over the ``n``.
        pearson_second: Likewise.
        difference: First less second of the mean absolute errors, mean over subjects.
        low: Lower end of its interval at 95 %, by Student's t.
        high: Upper end.
        t_p: Two-sided p of the paired t-test, as Qiu et al. compare.
        t_holm: Adjusted for all rows of the table.
        wilcoxon_p: Two-sided p of the signed-rank test, as Fournel et al. compare.
        wilcoxon_holm: Adjusted likewise.
        note: Why a p is NaN, or what limits it.
    """

    quality: str
    structure: str
    first: str
    second: str
    n: int
    subjects: int
    mae_first: float
    mae_second: float
    pearson_first: float
    pearson_second: float
    difference: float
    low: float
    high: float
    t_p: float
    t_holm: float
    wilcoxon_p: float
    wilcoxon_holm: float
    note: str


@dataclass(frozen=True)
class GroupRow:
    """The errors of an estimator in the healthy and in all others.

    Args:
        estimator: Its name.
        quality: ``dice`` or ``nsd``.
        structure: Name, or ``all``.
        healthy: Subjects of the healthy group.
        others: Subjects of other groups.
        mae_healthy: Mean over these subjects' mean absolute errors.
        sd_healthy: Standard deviation over subjects, with ``n - 1``.
        mae_others: As of the healthy.
        sd_others: Likewise.
        t_p: Two-sided p of Student's unpaired t-test, as Fournel et al. compare.
        t_holm: Adjusted for all rows of the table.
    """

    estimator: str
    quality: str
    structure: str
    healthy: int
    others: int
    mae_healthy: float
    sd_healthy: float
    mae_others: float
    sd_others: float
    t_p: float
    t_holm: float


def pairs_of(judgements: Sequence[Judgement]) -> list[PairRow]:
    """Every two estimators, for each quality that both estimate and each structure.

    Reference:
        Qiu et al., "QCResUNet", Medical Image Analysis 2025, section 4.4: paired t-test.
        Fournel et al., "Medical image segmentation automatic quality control", Medical Image
        Analysis 2021, section 3.6: Wilcoxon's signed-rank test.
        https://doi.org/10.1016/j.media.2021.102213
        Ours: subjects are the unit, and Holm's adjustment.
    """
    rows = [
        row
        for quality, structure in _strata(judgements)
        for row in _pairs(judgements, quality, structure)
    ]
    t_p, wilcoxon_p = holm([row.t_p for row in rows]), holm([row.wilcoxon_p for row in rows])
    adjusted = zip(rows, t_p, wilcoxon_p, strict=True)
    return [replace(row, t_holm=t, wilcoxon_holm=w) for row, t, w in adjusted]


def groups_of(judgements: Sequence[Judgement]) -> list[GroupRow]:
    """Every estimator in the healthy and in the others; nothing where there are not both.

    Reference:
        Fournel et al., Medical Image Analysis 2021, section 3.6 and table 5: unpaired t-test.
        https://doi.org/10.1016/j.media.2021.102213
    """
    known = [row for row in judgements if row.group]
    if len({_is_healthy(row) for row in known}) < 2:
        return []
    rows = [
        _group_row(own, estimator, quality, structure)
        for quality, structure in _strata(known)
        for estimator, own in _of(known, quality, structure).items()
    ]
    adjusted = holm([row.t_p for row in rows])
    return [replace(row, t_holm=p) for row, p in zip(rows, adjusted, strict=True)]


def _strata(judgements: Sequence[Judgement]) -> list[tuple[str, str]]:
    """Qualities and structures, in the order of the table."""
    structures = dict.fromkeys(row.structure for row in judgements)
    return [(quality, structure) for quality in ("dice", "nsd") for structure in structures]


def _of(
    judgements: Sequence[Judgement], quality: str, structure: str
) -> dict[str, list[Judgement]]:
    """Rows of a structure with a true and an estimated quality, by estimator, if it has any."""
    found: dict[str, list[Judgement]] = {}
    for name in estimators_of(judgements):
        own = [r for r in judgements if (r.estimator, r.structure) == (name, structure)]
        error = _errors(own, quality)
        known = [row for row, one in zip(own, error, strict=True) if np.isfinite(one)]
        if known:
            found[name] = known
    return found


def _pairs(judgements: Sequence[Judgement], quality: str, structure: str) -> list[PairRow]:
    """All pairs of estimators that judged a segmentation in common."""
    found = _of(judgements, quality, structure)
    rows = []
    for (first, a), (second, b) in combinations(found.items(), 2):
        common = {row.item for row in a} & {row.item for row in b}
        if common:
            own = [[row for row in of_one if row.item in common] for of_one in (a, b)]
            rows.append(_pair_row(quality, structure, (first, second), *own))
    return rows


def _pair_row(
    quality: str,
    structure: str,
    names: tuple[str, str],
    a: Sequence[Judgement],
    b: Sequence[Judgement],
) -> PairRow:
    """Paired figures of two estimators on the same segmentations; not adjusted yet."""
    found = compare(_by_subject(a, quality), _by_subject(b, quality))
    return PairRow(
        quality=quality,
        structure=structure,
        first=names[0],
        second=names[1],
        n=len(a),
        subjects=found.n,
        mae_first=float(_errors(a, quality).mean()),
        mae_second=float(_errors(b, quality).mean()),
        pearson_first=pearson(*values_of(a, quality)).coefficient,
        pearson_second=pearson(*values_of(b, quality)).coefficient,
        difference=found.mean_difference,
        low=found.interval[0],
        high=found.interval[1],
        t_p=found.t_p,
        t_holm=NAN,
        wilcoxon_p=found.wilcoxon_p,
        wilcoxon_holm=NAN,
        note=found.note,
    )


def _group_row(
    rows: Sequence[Judgement], estimator: str, quality: str, structure: str
) -> GroupRow:
    """Errors of an estimator in both groups; not adjusted yet."""
    healthy, others = (
        np.array([*_by_subject([r for r in rows if _is_healthy(r) is is_it], quality).values()])
        for is_it in (True, False)
    )
    p = NAN
    if min(len(healthy), len(others)) > 1 and np.ptp(np.concatenate([healthy, others])) > 0:
        p = float(stats.ttest_ind(healthy, others).pvalue)
    means, deviations = zip(*(_mean_and_sd(one) for one in (healthy, others)), strict=True)
    return GroupRow(
        estimator=estimator,
        quality=quality,
        structure=structure,
        healthy=len(healthy),
        others=len(others),
        mae_healthy=means[0],
        sd_healthy=deviations[0],
        mae_others=means[1],
        sd_others=deviations[1],
        t_p=p,
        t_holm=NAN,
    )


def _mean_and_sd(values: NDArray[np.float64]) -> tuple[float, float]:
    """NaN where there are too few."""
    mean = float(values.mean()) if len(values) else NAN
    return mean, float(values.std(ddof=1)) if len(values) > 1 else NAN


def _by_subject(rows: Sequence[Judgement], quality: str) -> dict[str, float]:
    """Mean absolute error of each subject."""
    found: dict[str, list[float]] = {}
    for row, error in zip(rows, _errors(rows, quality).tolist(), strict=True):
        found.setdefault(row.subject or row.study, []).append(error)
    return {subject: float(np.mean(errors)) for subject, errors in found.items()}


def _errors(rows: Sequence[Judgement], quality: str) -> NDArray[np.float64]:
    """Absolute errors, ``[N]``."""
    true, estimated = values_of(rows, quality)
    return np.abs(estimated - true)


def _is_healthy(row: Judgement) -> bool:
    return row.group.casefold() in HEALTHY
