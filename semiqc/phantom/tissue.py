"""Signals of tissues, partial coverage of voxels, and smooth random texture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Signals:
    """Signal of each tissue in balanced steady-state imaging, relative to blood in the LV.

    Fat is negative: it is out of phase with water, so that voxels with both are dark, as the
    thin dark lines around organs show. The image is the magnitude.
    """

    blood: float = 1.0
    myocardium: float = 0.33
    fat: float = -0.95
    muscle: float = 0.24
    liver: float = 0.28
    spleen: float = 0.34
    stomach: float = 0.22
    lung: float = 0.035
    bone: float = 0.12
    fluid: float = 1.25


def coverage(inside_mm: NDArray[np.floating], voxel_mm: float) -> Image:
    """Share of each voxel that lies inside a surface.

    Args:
        inside_mm: Distance from the voxel's centre to the surface, positive inside; any shape.
        voxel_mm: Edge of a voxel.

    Returns:
        Shares in [0, 1], of the same shape: exact for a straight edge along an axis.
    """
    share = np.asarray(inside_mm, dtype=np.float32) / np.float32(voxel_mm)
    share += np.float32(0.5)
    return np.clip(share, 0, 1, out=share)


def over(image: Image, share: Image, signal: NDArray[np.float32] | float) -> None:
    """Lay a tissue over ``image``, in place, where its ``share`` of the voxel says."""
    image += share * (signal - image)


def texture(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> Image:
    """Smooth random field of mean 0 and standard deviation 1.

    Args:
        rng: Source of randomness.
        shape: Of the field.
        sigma: Smoothness along each axis, in voxels.
    """
    coarse = _coarser(shape, sigma)
    scaled = [s * c / n for s, c, n in zip(sigma, coarse, shape, strict=True)]
    field = ndimage.gaussian_filter(
        rng.standard_normal(coarse, dtype=np.float32), scaled, mode="wrap"
    )
    factors = [n / c for n, c in zip(shape, coarse, strict=True)]
    if any(factor != 1 for factor in factors):
        field = ndimage.zoom(field, factors, order=1, mode="grid-wrap", grid_mode=True)
    field -= field.mean()
    spread = float(field.std())
    return np.asarray(field / spread if spread > 0 else field, dtype=np.float32)


def _coarser(shape: tuple[int, ...], sigma: tuple[float, ...]) -> list[int]:
    """Shape of a grid on which a field so smooth is drawn at far less cost."""
    return [
        max(2, min(n, int(np.ceil(2.5 * n / max(s, 2.5)))))
        for n, s in zip(shape, sigma, strict=True)
    ]
