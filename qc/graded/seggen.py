"""SegGen: references that were turned, scaled, shifted and deformed at random."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from qc.graded.source import Made, Source
from semiqc.schemes import BACKGROUND
from semiqc.study import Study
from semiqc.work.bounds import Amount, Count, Factor, Share

KNOTS = 7
"""Points along each axis at which a deformation is drawn."""


@dataclass(frozen=True)
class SegGen(Source):
    """Moves every reference several times; each kind of movement is drawn with a probability.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, table 2. Its ranges are the defaults here.
        Ours: what is turned and scaled is so about the centre of all structures. Shifts and
        deformations are bounded by a share of the image too, for 20 voxels of a brain of 192 are
        less than of a cropped heart. Where slices are thick, all move alike and in their plane.
        A deformation is a cubic spline through uniform draws at ``KNOTS`` points along each axis.

    Args:
        times: Segmentations of each reference.
        rotation: Largest angle in degrees.
        scale: Smallest and largest magnification.
        shift: Largest shift along each axis, in voxels.
        elastic: Largest displacement of a deformation along each axis, in voxels.
        largest_share: Of the image's length along an axis, beyond which shift and deformation
            do not go.
        probability: Of each movement, in [0, 1].
        volumetric: Move in three dimensions where there are several slices; else in the plane.
        seed: Of all that is drawn.

    Raises:
        ValueError: If the probability is not one, or a magnification is not positive.
    """

    times: Count = 3
    rotation: Amount = 15.0
    scale: tuple[Factor, Factor] = (0.85, 1.25)
    shift: Amount = 20.0
    elastic: Amount = 20.0
    largest_share: Share = 0.12
    probability: Share = 0.5
    volumetric: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must lie in [0, 1], got {self.probability}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale must be a positive range, got {self.scale}")

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """See ``Source``; nothing is learned, so ``train`` is not looked at."""
        for study in judged:
            for frame in study.labelled_frames:
                reference = np.asarray(study.labels[frame]).clip(min=BACKGROUND)
                for time in range(1, self.times + 1):
                    rng = np.random.default_rng([self.seed, frame, time, *study.name.encode()])
                    labels = self.moved(reference, study.spacing, rng)
                    yield Made(study, frame, labels, f"seggen-{time}")

    def moved(
        self,
        labels: NDArray[np.int8],
        spacing: tuple[float, float, float],
        rng: np.random.Generator,
    ) -> NDArray[np.int8]:
        """Labels ``[Z, Y, X]`` after one draw of all movements."""
        axes = 3 if self.volumetric and labels.shape[0] > 1 else 2
        shape = labels.shape[-axes:]
        matrix = self._turned_and_scaled(np.asarray(spacing[-axes:]), rng)
        centre = _centre(labels)[-axes:]
        bounds = [self.largest_share * length for length in shape]
        shift = np.array([self._amount(min(self.shift, bound), rng) for bound in bounds])
        grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        source = (grid - centre - shift * self._is_drawn(rng)) @ matrix.T + centre
        if self._is_drawn(rng):
            reach = [min(self.elastic, bound) for bound in bounds]
            source += displacement(shape, reach, rng)
        return sampled(labels, source)

    def _turned_and_scaled(
        self, spacing: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """From voxels of the result to voxels of the reference, both from the centre."""
        angles = [self._amount(self.rotation, rng) for _ in range(3 if len(spacing) == 3 else 1)]
        turned = rotation(angles if self._is_drawn(rng) else [0.0] * len(angles))
        scale = rng.uniform(*self.scale)
        if not self._is_drawn(rng):
            scale = 1.0
        matrix: NDArray[np.float64] = turned * spacing / spacing[:, None] / scale
        return matrix

    def _amount(self, largest: float, rng: np.random.Generator) -> float:
        return float(rng.uniform(-largest, largest))

    def _is_drawn(self, rng: np.random.Generator) -> bool:
        return bool(rng.random() < self.probability)


def rotation(degrees: Sequence[float]) -> NDArray[np.float64]:
    """A rotation of ``(y, x)`` by one angle, or of ``(z, y, x)`` about each axis in turn."""
    if len(degrees) == 1:
        return _plane_rotation(2, (0, 1), degrees[0])
    planes = [(1, 2), (0, 2), (0, 1)]
    about = [_plane_rotation(3, axes, by) for axes, by in zip(planes, degrees, strict=True)]
    turned: NDArray[np.float64] = about[0] @ about[1] @ about[2]
    return turned


def _plane_rotation(size: int, axes: tuple[int, int], degrees: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(size)
    matrix[np.ix_(axes, axes)] = [[cosine, -sine], [sine, cosine]]
    return matrix


def displacement(
    shape: Sequence[int], reach: Sequence[float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A smooth displacement in voxels, ``[*shape, axes]``, of about ``reach`` at most."""
    fields = []
    for largest in reach:
        knots = rng.uniform(-largest, largest, (KNOTS,) * len(shape))
        fields.append(ndimage.zoom(knots, [n / KNOTS for n in shape], order=3, grid_mode=True,
                                   mode="nearest"))  # fmt: skip
    return np.stack(fields, axis=-1)


def sampled(labels: NDArray[np.int8], source: NDArray[np.float64]) -> NDArray[np.int8]:
    """The label nearest to each place; background where it lies outside.

    Args:
        labels: ``[..., *axes]``.
        source: Where each voxel of the result comes from, in voxels, ``[*axes, len(axes)]``.

    Returns:
        Of the shape of ``labels``; axes that ``source`` does not name move alike.
    """
    nearest = np.rint(source).astype(np.intp)
    lengths = np.asarray(labels.shape[-nearest.shape[-1] :])
    inside = ((nearest >= 0) & (nearest < lengths)).all(axis=-1)
    indices = np.moveaxis(nearest.clip(0, lengths - 1), -1, 0)
    return np.where(inside, labels[(..., *indices)], BACKGROUND).astype(np.int8)


def _centre(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Of all structures, or of the image where there are none, in voxels ``(z, y, x)``."""
    found = np.argwhere(labels > BACKGROUND)
    if not len(found):
        return (np.asarray(labels.shape) - 1) / 2
    centre: NDArray[np.float64] = found.mean(axis=0)
    return centre
