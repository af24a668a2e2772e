"""What a short-axis slice above the ventricles shows: atria, aortic root and outflow tract."""

import numpy as np

from semiqc.phantom.grid import ShortAxisGrid
from semiqc.phantom.tissue import Image, Signals, coverage, over

LEFT = ((0.10, 0.20, 1.00), (-0.62, -0.35, 0.60))
"""Left atrium and aortic root: centre and radius over the left ventricle's radius."""

RIGHT = ((-0.58, 0.24, 0.31), (-0.46, -0.38, 0.22))
"""Right atrium and outflow tract: centre and radius over the reach of the right ventricle."""

WALL_MM = 1.5
FAT_MM = 6.0


def great_vessels(
    behind: Image,
    bed: Image,
    grid: ShortAxisGrid,
    sizes_mm: tuple[float, float],
    signals: Signals,
    blood: tuple[Image, Image],
    rng: np.random.Generator,
    spread: float,
) -> Image:
    """The slices as they are above the base.

    Args:
        behind: The slices without the heart, ``[Z, Y, X]``.
        bed: Depth in mm within the outline that the heart has at its base, ``[Z, Y, X]``.
        grid: Where their voxels lie.
        sizes_mm: Radius of the left ventricle, and how far the right one reaches from its axis.
        signals: Of the tissues.
        blood: Signal of the left and the right chambers, ``[Z, Y, X]`` each.
        rng: Draws where the chambers lie.
        spread: Relative standard deviation of their places and sizes.

    Returns:
        Signal, ``[Z, Y, X]`` float32.
    """
    image = behind.copy()
    insides = _insides(grid, sizes_mm, rng, spread)
    around = np.maximum.reduce([*insides, bed - FAT_MM]) + np.float32(FAT_MM)
    patchy = np.clip(blood[1] / blood[1].mean() * 4 - 3.6, 0, 1)
    over(image, coverage(around, grid.pixel_mm) * patchy, 0.75 * signals.fat)
    over(image, coverage(around - FAT_MM + 4, grid.pixel_mm), signals.muscle)
    for inside, of_chamber in zip(
        insides, [blood[1]] * len(RIGHT) + [blood[0]] * len(LEFT), strict=True
    ):
        over(image, coverage(inside + WALL_MM, grid.pixel_mm), signals.myocardium)
        over(image, coverage(inside, grid.pixel_mm), of_chamber)
    return image


def _insides(
    grid: ShortAxisGrid, sizes_mm: tuple[float, float], rng: np.random.Generator, spread: float
) -> list[Image]:
    """Distance of each voxel inside each chamber in mm, right ones first, ``[Z, Y, X]`` each."""
    left_mm, right_mm = sizes_mm
    chambers = np.concatenate([right_mm * np.array(RIGHT), left_mm * np.array(LEFT)])
    chambers *= rng.normal(1, spread, chambers.shape)
    insides = []
    for x, y, radius in chambers.astype(np.float32):
        right = grid.x - grid.centre[:, 0, None, None].astype(np.float32) - x
        down = grid.y - grid.centre[:, 1, None, None].astype(np.float32) - y
        insides.append(radius - np.hypot(right, down))
    return insides
