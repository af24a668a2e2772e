"""Whether values are alike: between readers' grades, and before and after slice correction."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qc.evaluation.agreement import NAN, AbsoluteError, Numbers, absolute_error


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """The two-sample test that both were drawn from the same distribution.

    Args:
        n: Finite values of either sample.
        statistic: Largest distance between the two empirical distribution functions.
        p: Two-sided; both NaN where a sample has no finite value.
    """

    n: tuple[int, int]
    statistic: float
    p: float


def kolmogorov_smirnov(first: Numbers, second: Numbers) -> KolmogorovSmirnov:
    """``max_x |F1(x) - F2(x)|`` and its p, over what is finite.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control", Medical Image
        Analysis 2021, section 3.6. https://doi.org/10.1016/j.media.2021.102213
    """
    a, b = _finite(first), _finite(second)
    if not len(a) or not len(b):
        return KolmogorovSmirnov((len(a), len(b)), NAN, NAN)
    found = stats.ks_2samp(a, b)
    return KolmogorovSmirnov((len(a), len(b)), float(found.statistic), float(found.pvalue))


def between_grades(
    predicted: Numbers, grades: Sequence[Hashable]
) -> dict[tuple[Hashable, Hashable], KolmogorovSmirnov]:
    """The test between the predicted qualities of every two grades that readers gave.

    Reference:
        Fournel et al., Medical Image Analysis 2021, figure 9 (grades QC 1, QC 2 and QC 3).
        https://doi.org/10.1016/j.media.2021.102213

    Args:
        predicted: ``[N]``.
        grades: A reader's grade of each, ``[N]``.

    Returns:
        By pair of grades, in the order in which grades first appear.

    Raises:
        ValueError: If the lengths differ.
    """
    if len(predicted) != len(grades):
        raise ValueError(f"{len(predicted)} predicted qualities, but {len(grades)} grades")
    values = np.asarray(predicted, np.float64)
    of_grade = {
        grade: values[[other == grade for other in grades]] for grade in dict.fromkeys(grades)
    }
    return {
        (a, b): kolmogorov_smirnov(of_grade[a], of_grade[b]) for a, b in combinations(of_grade, 2)
    }


@dataclass(frozen=True)
class CorrectionEffect:
    """What damage does to a volume, and what correction makes good; one structure.

    Args:
        before: Relative volume error of the segmentations as they were.
        damaged: After one or more of their slices were damaged.
        corrected: After the damaged slices were corrected.
        damage: Whether damage changed the distribution of the error; a small p says so.
        repair: Whether the corrected error differs from that before; a large p is hoped for.
    """

    before: AbsoluteError
    damaged: AbsoluteError
    corrected: AbsoluteError
    damage: KolmogorovSmirnov
    repair: KolmogorovSmirnov


def relative_volume_error(true: Numbers, measured: Numbers) -> NDArray[np.float64]:
    """``|measured - true| / true`` of each study, ``[N]``; NaN where the true volume is 0."""
    true, measured = np.asarray(true, np.float64), np.asarray(measured, np.float64)
    error = np.full(true.shape, NAN)
    np.divide(np.abs(measured - true), true, out=error, where=true > 0)
    return error


def correction_effect(
    true: Numbers, before: Numbers, damaged: Numbers, corrected: Numbers
) -> CorrectionEffect:
    """Relative volume errors of the same studies before and after damage, and after correction.

    Reference:
        Fournel et al., Medical Image Analysis 2021, section 5 and table 7.
        https://doi.org/10.1016/j.media.2021.102213

    Args:
        true: Volumes by the reference, ``[N]``, any unit.
        before: By the automatic segmentation, ``[N]``.
        damaged: By the same with slices damaged, ``[N]``.
        corrected: By the damaged one with its slices corrected, ``[N]``.
    """
    error_before = relative_volume_error(true, before)
    error_damaged = relative_volume_error(true, damaged)
    error_corrected = relative_volume_error(true, corrected)
    return CorrectionEffect(
        before=_spread(error_before),
        damaged=_spread(error_damaged),
        corrected=_spread(error_corrected),
        damage=kolmogorov_smirnov(error_before, error_damaged),
        repair=kolmogorov_smirnov(error_before, error_corrected),
    )


def _spread(errors: Numbers) -> AbsoluteError:
    """Mean and standard deviation of errors that are given as they are."""
    return absolute_error(np.zeros_like(errors), errors)


def _finite(values: Numbers) -> Numbers:
    """The finite values, as an array."""
    given = np.asarray(values, np.float64)
    return given[np.isfinite(given)]
