"""Numbers at some voxels of several structures in several frames, and their statistics."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
BINS = 16
"""Of the histograms on either side of a border."""


@dataclass(frozen=True, eq=False)
class VoxelSample:
    """Numbers of some voxels, and which structure and frame each belongs to.

    Args:
        values: ``[V]``.
        of: Number of the structure and frame, ``[V]``, below ``S * F``.
        shape: ``(S, F)``.
    """

    values: Values
    of: NDArray[np.intp]
    shape: tuple[int, int]

    def mean(self) -> Values:
        """``[S, F]``; 0 where there is no voxel."""
        return ratio(self._sum(self.values), self.counts())

    def sd(self) -> Values:
        """``[S, F]``; 0 where there is no voxel."""
        from_mean = self.values - self.mean().ravel()[self.of]
        return np.sqrt(ratio(self._sum(from_mean**2), self.counts()))

    def counts(self) -> Values:
        """Voxels, ``[S, F]``."""
        return self._sum(np.ones(len(self.of)))

    def histogram(self, low: Values, width: Values) -> Values:
        """Share of the voxels in each bin, ``[S, F, BINS]``.

        Args:
            low: Where the first bin begins, ``[S, F]``.
            width: Of all bins together, ``[S, F]``; what lies beyond counts to the last bin.
        """
        place = ratio((self.values - low.ravel()[self.of]) * BINS, width.ravel()[self.of])
        bins = np.clip(place, 0, BINS - 1).astype(np.intp)
        number = self.shape[0] * self.shape[1] * BINS
        found = np.bincount(self.of * BINS + bins, minlength=number).reshape(*self.shape, BINS)
        return ratio(found.astype(np.float64), np.repeat(self.counts()[..., None], BINS, axis=-1))

    def _sum(self, numbers: Values) -> Values:
        total = np.bincount(self.of, numbers, minlength=self.shape[0] * self.shape[1])
        return total.reshape(self.shape).astype(np.float64)  # Of no voxels it is of integers.


def joined(first: VoxelSample, second: VoxelSample) -> VoxelSample:
    """Both as one."""
    return VoxelSample(
        np.concatenate([first.values, second.values]),
        np.concatenate([first.of, second.of]),
        first.shape,
    )


def voxel_sample(where: NDArray[np.bool_], image: NDArray[np.float32]) -> VoxelSample:
    """The image ``[F, Z, Y, X]`` where it is true in ``[S, F, Z, Y, X]``."""
    shape = where.shape[:2]
    values = np.concatenate([image[mask] for mask in where], dtype=np.float64)
    counts = np.count_nonzero(where.reshape(*shape, -1), axis=-1)
    return VoxelSample(values, np.repeat(np.arange(counts.size), counts.ravel()), shape)


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Their quotient; 0 where the denominator is not above 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
