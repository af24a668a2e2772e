"""Surroundings of no anatomy: organs of any shape and signal behind and beside the heart.

Real slices hold fat, bowel, stomach, spleen, kidneys and vessels of every brightness, often in
touch with the heart. A network taught on these learns not to expect a dark lung beside it.
"""

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.draws import LogUniform, Uniform
from semiqc.phantom.grid import ShortAxisGrid
from semiqc.phantom.tissue import Image, Signals, coverage, over, texture

ORGANS = 5
BALLS = 9


def clutter(
    behind: Image, grid: ShortAxisGrid, signals: Signals, rng: np.random.Generator
) -> Image:
    """The slices without their heart, with organs and vessels of any kind laid over them.

    Args:
        behind: The slices, ``[Z, Y, X]``.
        grid: Where their voxels lie.
        signals: Of the tissues.
        rng: Draws everything.
    """
    image = behind.copy()
    share = _where(grid, rng)
    over(image, share, _organs(image.shape, grid.pixel_mm, signals, rng))
    fine = LogUniform(1.5, 6).draw(rng) / grid.pixel_mm
    grain = texture(rng, image.shape, (0.4, fine, fine))
    for _ in range(rng.integers(BALLS)):
        _ball(image, grain, grid, signals, rng)
    return image


def _any_signal(signals: Signals, rng: np.random.Generator) -> float:
    """Signal of an organ: of fat in every third, else of anything."""
    known = (signals.fat, signals.fat, signals.muscle, signals.liver, signals.spleen)
    drawn = (*known, signals.lung, signals.blood, signals.stomach)
    return float(drawn[rng.integers(len(drawn))]) * Uniform(0.6, 1.4).draw(rng)


def _organs(
    shape: tuple[int, ...], pixel_mm: float, signals: Signals, rng: np.random.Generator
) -> Image:
    """A patchwork of organs with a texture each, ``[Z, Y, X]``."""
    # Borders are as sharp as the scan allows on half as many rows and columns.
    half = (shape[0], -(-shape[1] // 2), -(-shape[2] // 2))
    smooth = LogUniform(6, 45).draw(rng) / (2 * pixel_mm)
    fields = [texture(rng, half, (0.8, smooth, smooth)) for _ in range(ORGANS)]
    which = np.argmax(fields, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    which = which[:, : shape[1], : shape[2]]
    of_organ = np.array([_any_signal(signals, rng) for _ in fields], dtype=np.float32)
    rough = np.array([_roughness(rng) for _ in fields], dtype=np.float32)
    fine = LogUniform(1.2, 5).draw(rng) / pixel_mm
    grain = texture(rng, shape, (0.4, fine, fine))
    return np.asarray(of_organ[which] * (1 + rough[which] * grain), dtype=np.float32)


def _roughness(rng: np.random.Generator) -> float:
    """How uneven an organ is: hardly in every other, as fat is."""
    return Uniform(0, 0.06 if rng.random() < 0.5 else 0.35).draw(rng)


def _where(grid: ShortAxisGrid, rng: np.random.Generator) -> Image:
    """Share of each voxel that belongs to organs, ``[Z, Y, X]``: mostly below, or anywhere."""
    shape = (len(grid.z), *grid.x.shape)
    smooth = LogUniform(12, 35).draw(rng) / grid.pixel_mm
    field = texture(rng, shape, (1.0, smooth, smooth)) * np.float32(12)
    level = Uniform(-25, 15).draw(rng)
    if rng.random() < 0.6:
        angle = Uniform(-0.6, 0.6).draw(rng)
        depth = np.cos(angle) * grid.y + np.sin(angle) * grid.x - Uniform(15, 55).draw(rng)
        field = field + np.asarray(depth, dtype=np.float32)
        level = 0.0
    return coverage(field + np.float32(level), grid.pixel_mm)


def _ball(
    image: Image, grain: Image, grid: ShortAxisGrid, signals: Signals, rng: np.random.Generator
) -> None:
    """A vessel, bowel or stomach across some slices, with a wall or without, in place."""
    centre = _beside_heart(grid, rng)
    radius, wall = LogUniform(3, 38).draw(rng), _organ_wall(rng)
    rough = _roughness(rng)
    is_vessel = rng.random() < 0.4
    inner = signals.blood if is_vessel else _any_signal(signals, rng)
    outer, breadth = _any_signal(signals, rng), Uniform(0.6, 1.6).draw(rng)
    lean = rng.uniform(-0.5, 0.5, 2)
    first, last = sorted(rng.integers(0, len(image) + 1, 2))
    for plane in range(first, last):
        x, y = centre + lean * grid.z[plane].mean()
        inside = radius - np.hypot((grid.x - x) * breadth, grid.y - y)
        over(image[plane], coverage(inside + wall, grid.pixel_mm), outer)
        content = np.asarray(inner * (1 + rough * grain[plane]), dtype=np.float32)
        over(image[plane], coverage(inside, grid.pixel_mm), content)


def _organ_wall(rng: np.random.Generator) -> float:
    """Thickness in mm: thin or none, and in every fourth organ like that of a ventricle."""
    thick = Uniform(6, 16).draw(rng)
    return thick if rng.random() < 0.25 else max(0.0, Uniform(-3, 6).draw(rng))


def _beside_heart(grid: ShortAxisGrid, rng: np.random.Generator) -> NDArray[np.float64]:
    """A place in the image, ``(x, y)`` mm from the heart's axis."""
    row, column = (int(rng.integers(n)) for n in grid.x.shape)
    return np.array([grid.x[row, column], grid.y[row, column]], dtype=np.float64)
