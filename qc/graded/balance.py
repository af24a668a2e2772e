"""As many bad segmentations as good ones: choices that are even over ten bins of Dice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.means import means_of_known

BINS = 10
"""As in Robinson et al., MICCAI 2018, and Qiu et al., Medical Image Analysis 2025."""


def bins_of(dice: Sequence[float] | NDArray[np.float64], bins: int = BINS) -> NDArray[np.intp]:
    """Bin of each Dice in [0, 1]; what is not a number counts as 0."""
    known = np.nan_to_num(np.asarray(dice, dtype=np.float64))
    return np.clip((known * bins).astype(np.intp), 0, bins - 1)


def balanced_subset(
    dice: Sequence[float] | NDArray[np.float64], rng: np.random.Generator, bins: int = BINS
) -> NDArray[np.intp]:
    """Indices of as many from each bin as the emptiest bin has that is not empty; in order.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, section 3:
        counts of all bins are brought to the smallest. https://doi.org/10.1007/978-3-030-00937-3_66
        Ours: empty bins are passed over, for few studies leave some.
    """
    members = _members(dice, bins)
    if not members:
        return np.empty(0, np.intp)
    fewest = min(len(bin_) for bin_ in members)
    chosen = [rng.choice(bin_, fewest, replace=False) for bin_ in members]
    return np.sort(np.concatenate(chosen))


def balanced_draw(
    dice: Sequence[float] | NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
    bins: int = BINS,
) -> NDArray[np.intp]:
    """Indices of a batch: a bin that is not empty is drawn for each place, then one of its own.

    Reference:
        Qiu et al., "QCResUNet", Medical Image Analysis 2025, section on data generation:
        resampled at random in every batch, so that all segmentations are seen.
    """
    members = _members(dice, bins)
    drawn = rng.integers(len(members), size=count)
    return np.array([rng.choice(members[bin_]) for bin_ in drawn], dtype=np.intp)


def even_weights(dice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of each frame, of mean 1, that makes the bins of mean Dice ``[N, S]`` count alike."""
    of_bin = bins_of(means_of_known(dice, axis=1, unknown=0.0))
    weights = 1 / np.bincount(of_bin, minlength=BINS)[of_bin]
    return np.asarray(weights / weights.mean())


def _members(dice: Sequence[float] | NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    of_bin = bins_of(dice, bins)
    found = [np.flatnonzero(of_bin == bin_) for bin_ in range(bins)]
    return [bin_ for bin_ in found if len(bin_)]
