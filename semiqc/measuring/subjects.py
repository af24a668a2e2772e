"""Figures of studies, several of which may be of one subject: how sure their mean is.

Two studies of one person are no two persons. Means stay those over studies; what is said of their
sureness takes subjects as drawn, each with all of its studies. Where each study is of another
subject it is what every textbook has.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Subjects = Mapping[str, str]
"""Subject of each study, by its name; a study that it lacks is of a subject of its own."""


def whose(studies: Iterable[str], subjects: Subjects) -> list[str]:
    """Subject of each study; the study's name where that is not told."""
    return [subjects.get(study) or study for study in studies]


def sums_of_subjects(values: Array, subjects: Sequence[str]) -> Array:
    """Sums over each subject's rows, ``[G, K]``, of ``[N, K]``; subjects are sorted."""
    names, of_subject = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, of_subject, values)
    return sums


def means_of_subjects(values: Array, subjects: Sequence[str]) -> Array:
    """Mean of each subject's values, ``[G]``."""
    sums = sums_of_subjects(np.stack([values, np.ones_like(values)], axis=1), subjects)
    means: Array = sums[:, 0] / sums[:, 1]
    return means


def error_of_mean(values: Array, subjects: Sequence[str]) -> tuple[float, int]:
    """Standard error of a mean over studies, and of how many subjects.

    Reference:
        Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika
        1986; with the factor G / (G - 1) of Cameron and Miller, "A practitioner's guide to
        cluster-robust inference", Journal of Human Resources 2015. With one study a subject it is
        the standard deviation over the root of their number.

    Args:
        values: Of each study, ``[N]``; finite.
        subjects: Of each study, ``[N]``.

    Returns:
        NaN for fewer than two subjects.
    """
    residuals = sums_of_subjects((values - values.mean())[:, None], subjects)
    count = len(residuals)
    if count < 2:
        return math.nan, count
    spread = count / (count - 1) * float((residuals**2).sum())
    return math.sqrt(spread) / len(values), count
