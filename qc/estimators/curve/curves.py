"""Volume and area curves of a prediction, as a classifier of curves sees them.

Heart rate and body size are taken out: every study has the same number of points over its cycle,
and all its curves are divided by one size of its own, so that ratios between structures stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from semiqc.measuring.measures import curves
from semiqc.schemes import LabelScheme, Structure
from semiqc.study import Prediction

CHANNELS_PER_STRUCTURE = 3
"""Its share of the study's size, its course, and its jumps."""

LARGEST = 3.0
"""Where every channel is cut off: a broken curve is broken, and how far out it is says no more."""

FEWEST_FRAMES_TO_JUMP = 4
"""In fewer frames, end-diastole itself would stand out from both of its neighbours."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Sizes of the measured structures of one prediction.

    Args:
        structures: Names, ``S`` of them.
        sizes: In ml or mm2, ``[S, T]``; 0 where a structure is not there.
    """

    structures: tuple[str, ...]
    sizes: NDArray[np.float64]

    @property
    def jumps(self) -> NDArray[np.float64]:
        """By how much a frame stands out from both of its neighbours, ``[S, T]``, in ml or mm2.

        It is the distance to the median of the three, with the first frame next to the last.
        A lost frame shows at full height, while a rising or falling curve has none however few
        its frames are.
        """
        if self.sizes.shape[1] < FEWEST_FRAMES_TO_JUMP:
            return np.zeros_like(self.sizes)
        typical: NDArray[np.float64] = median_filter(self.sizes, size=(1, 3), mode="wrap")
        return np.abs(self.sizes - typical)

    @property
    def study_size(self) -> float:
        """Median over frames of what all structures make up together; 0 if nothing is there.

        A median is not moved by some lost frames. Where most are lost it would be 0, and the
        mean stands in.
        """
        together = self.sizes.sum(axis=0)
        return float(np.median(together)) or float(together.mean())

    @property
    def absent(self) -> tuple[str, ...]:
        """Structures that are in no frame."""
        pairs = zip(self.structures, self.sizes, strict=True)
        return tuple(structure for structure, sizes in pairs if not sizes.any())


def measured_structures(scheme: LabelScheme) -> tuple[Structure, ...]:
    """The structures that have a curve.

    Raises:
        ValueError: If there is none.
    """
    measured = tuple(structure for structure in scheme.structures if structure.measure)
    if not measured:
        raise ValueError(f"label scheme {scheme.name}: no structure has a measure, so no curve")
    return measured


def curves_of(prediction: Prediction, structures: Sequence[Structure]) -> Curves:
    """The curves of a prediction, its labels read a frame at a time.

    A frame without labels is filled in from its neighbours in time.
    """
    by_name = curves(prediction.labels, prediction.spacing, structures)
    sizes = np.stack([_filled(by_name[structure.name]) for structure in structures])
    return Curves(tuple(structure.name for structure in structures), sizes)


def channels(found: Curves, points: int) -> NDArray[np.float32]:
    """What a classifier sees of a study's curves.

    Each structure has three channels: its size as a share of the study's size; its course, the
    relative departure from its own median; and its jumps as a share of the study's size. Sizes
    and courses are interpolated between frames; of several jumps that fall on one point the
    largest is kept, so that no lost frame slips between the points.

    Args:
        found: Of a study with any number of frames.
        points: To which its cycle is brought.

    Returns:
        ``[points, 3 S]``, always finite.
    """
    size = found.study_size or 1.0
    typical = np.median(found.sizes, axis=1, keepdims=True)
    typical = np.where(typical > 0, typical, size)
    rows = [
        _interpolated(found.sizes / size, points),
        _interpolated(found.sizes / typical - 1.0, points),
        _pooled(found.jumps / size, points),
    ]
    return np.concatenate(rows).clip(max=LARGEST).T.astype(np.float32)


def _filled(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.flatnonzero(~np.isnan(sizes))
    if not known.size:
        return np.zeros_like(sizes)
    return np.interp(np.arange(len(sizes)), known, sizes[known])


def _interpolated(rows: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    frames = rows.shape[1]
    where = np.linspace(0, frames - 1, points)
    return np.stack([np.interp(where, np.arange(frames), row) for row in rows])


def _pooled(rows: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """The largest value that falls on each point; 0 on points between frames."""
    frames = rows.shape[1]
    pooled = np.zeros((len(rows), points))
    for frame in range(frames):
        point = round(frame * (points - 1) / max(frames - 1, 1))
        pooled[:, point] = np.maximum(pooled[:, point], rows[:, frame])
    return pooled
