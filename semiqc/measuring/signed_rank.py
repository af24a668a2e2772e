"""Wilcoxon's signed-rank test, counted out where values are tied.

Reference:
    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1945.
    https://doi.org/10.2307/3001968
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

MOST_SIGNED = 13
"""Pairs up to which Wilcoxon's p is counted out over all signs where ties or zeros rule out its
tabled distribution; as in SciPy, which uses the normal distribution above."""


def signed_rank_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, without the zeros.

    As ``scipy.stats.wilcoxon``, which takes a hundred times as long where there are ties.
    """
    known = differences[differences != 0]
    sizes = np.abs(known)
    is_tied = len(np.unique(sizes)) < len(differences)
    if not is_tied or len(differences) > MOST_SIGNED:
        return float(stats.wilcoxon(differences, zero_method="wilcox").pvalue)
    ranks = stats.rankdata(sizes)
    signs = np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1
    sums, found = signs @ ranks, ranks[known > 0].sum()
    return min(1.0, 2 * float(min((sums <= found).mean(), (sums >= found).mean())))
