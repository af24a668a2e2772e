"""What surrounds the heart in a short-axis slice: chest wall, lung, liver, stomach, vessels.

Places are in mm from the long axis of the left ventricle: ``x`` towards the patient's left (to
the right in the image), ``y`` towards inferior (down), ``z`` from the base to the apex.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.draws import Normal, Uniform
from semiqc.phantom.tissue import Image, Signals, coverage, over

VESSELS = 140


@dataclass(frozen=True, eq=False)
class Thorax:
    """The surroundings of one heart, with the unit of each field in ``docs/phantom.md``."""

    chest_radius_mm: float
    chest_left_mm: float
    chest_middle_mm: float
    lean_x: float
    lean_y: float
    muscle_mm: float
    fat_mm: float
    ribs: float
    rib_phase: float
    diaphragm_mm: float
    diaphragm_tilt: float
    diaphragm_rise: float
    stomach_x_mm: float
    stomach_mm: float
    stomach_brightness: float
    aorta_mm: tuple[float, float, float]
    lung_vessels: NDArray[np.float32]
    liver_vessels: NDArray[np.float32]


def draw_thorax(rng: np.random.Generator, left_mm: float, bottom_mm: float) -> Thorax:
    """Surroundings that leave room for the heart.

    Args:
        rng: Source of randomness.
        left_mm: How far the heart reaches towards the chest wall, from the long axis.
        bottom_mm: How far it reaches towards the diaphragm.
    """
    radius = Normal(135, 12, 110, 165).draw(rng)
    return Thorax(
        chest_radius_mm=radius,
        chest_left_mm=left_mm + Uniform(2, 9).draw(rng),
        chest_middle_mm=Normal(15, 12, -10, 40).draw(rng),
        lean_x=Normal(0.28, 0.07, 0.1, 0.45).draw(rng),
        lean_y=Normal(0.30, 0.08, 0.1, 0.5).draw(rng),
        muscle_mm=Normal(15, 3, 9, 23).draw(rng),
        fat_mm=Normal(15, 6, 4, 32).draw(rng),
        ribs=Uniform(5.5, 8).draw(rng),
        rib_phase=Uniform(0, 2 * np.pi).draw(rng),
        diaphragm_mm=bottom_mm + Uniform(2, 7).draw(rng),
        diaphragm_tilt=Normal(-0.22, 0.12, -0.5, 0.1).draw(rng),
        diaphragm_rise=Uniform(0.05, 0.20).draw(rng),
        stomach_x_mm=Normal(32, 10, 10, 60).draw(rng),
        stomach_mm=Normal(30, 5, 20, 42).draw(rng),
        stomach_brightness=Uniform(0.6, 2.6).draw(rng),
        aorta_mm=(
            Normal(64, 6, 50, 80).draw(rng),
            Normal(42, 6, 28, 56).draw(rng),
            Normal(10.5, 1.2, 8, 14).draw(rng),
        ),
        lung_vessels=_draw_vessels(rng, (-60, 120), (-110, 60), 0.6, 3.2),
        liver_vessels=_draw_vessels(rng, (-110, 30), (30, 120), 1.0, 3.2),
    )


def _draw_vessels(
    rng: np.random.Generator,
    across: tuple[float, float],
    down: tuple[float, float],
    thinnest: float,
    thickest: float,
) -> NDArray[np.float32]:
    """Short vessels as ``(x, y, z, radius, brightness)``, ``[VESSELS, 5]``."""
    columns = [
        rng.uniform(*across, VESSELS),
        rng.uniform(*down, VESSELS),
        rng.uniform(-20, 110, VESSELS),
        rng.uniform(thinnest, thickest, VESSELS),
        rng.uniform(0.2, 1.0, VESSELS),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def surroundings(
    thorax: Thorax,
    signals: Signals,
    place: tuple[Image, Image, float],
    ripple: Image,
    pixel_mm: float,
) -> Image:
    """A slice without the heart.

    Args:
        thorax: What lies where.
        signals: Of the tissues.
        place: ``x`` and ``y`` of each pixel, ``[Y, X]``, and ``z`` of the slice, in mm.
        ripple: Smooth field that bends surfaces and varies tissues, ``[Y, X]``.
        pixel_mm: In-plane spacing.

    Returns:
        Signal, ``[Y, X]`` float32.
    """
    x, y, z = place
    image = np.asarray(signals.lung * (1 + 0.35 * ripple), dtype=np.float32)
    _draw_tubes(image, place, thorax.lung_vessels, 0.75, pixel_mm)
    _descending_aorta(image, thorax, signals, place, pixel_mm)
    _abdomen(image, thorax, signals, place, ripple, pixel_mm)
    _chest_wall(image, thorax, signals, (x, y, z), ripple, pixel_mm)
    return image


def _draw_tubes(
    image: Image,
    place: tuple[Image, Image, float],
    vessels: NDArray[np.float32],
    signal: float,
    pixel_mm: float,
    within: Image | float = 1.0,
) -> None:
    """Lay vessels over a slice, in place.

    Args:
        image: The slice, ``[Y, X]``.
        place: ``x`` and ``y`` of each pixel, and ``z`` of the slice, in mm.
        vessels: As ``_draw_vessels`` gives them.
        signal: Of their blood.
        pixel_mm: In-plane spacing.
        within: Share of each pixel that they may fill.
    """
    x, y, z = place
    for centre_x, centre_y, centre_z, radius, brightness in vessels[
        np.abs(vessels[:, 2] - z) < 18
    ]:
        # Most vessels cross the slice obliquely, so they wander as the slices go by.
        centre_x = centre_x + 0.6 * (z - centre_z)
        near = np.abs(x - centre_x) + np.abs(y - centre_y) < 3 * radius + 2 * pixel_mm
        distance = np.hypot(x[near] - centre_x, y[near] - centre_y)
        share = coverage(radius - distance, pixel_mm)
        share *= brightness * (within if isinstance(within, float) else within[near])
        image[near] += share * (signal - image[near])


def _descending_aorta(
    image: Image,
    thorax: Thorax,
    signals: Signals,
    place: tuple[Image, Image, float],
    pixel_mm: float,
) -> None:
    """The descending aorta in its wall, oblique to the slices, in place."""
    x, y, z = place
    centre_x, centre_y, radius = thorax.aorta_mm
    distance = np.hypot(x - centre_x - 0.25 * z, y - centre_y - 0.15 * z)
    over(image, coverage(radius + 7 - distance, 4 * pixel_mm) * np.float32(0.8), signals.muscle)
    over(image, coverage(radius - distance, pixel_mm), 1.05 * signals.blood)


def _abdomen(
    image: Image,
    thorax: Thorax,
    signals: Signals,
    place: tuple[Image, Image, float],
    ripple: Image,
    pixel_mm: float,
) -> None:
    """Liver, spleen and stomach with the fat between them, under the diaphragm."""
    x, y, z = place
    top = thorax.diaphragm_mm - thorax.diaphragm_rise * z + 2.0 * ripple
    below = y - top - thorax.diaphragm_tilt * x - np.square(x + 15) * np.float32(0.0022)
    under = coverage(below, pixel_mm)
    liver = np.asarray(signals.liver * (1 + 0.10 * ripple), dtype=np.float32)
    right = coverage(thorax.stomach_x_mm - 25 - x + 0.3 * y, 6 * pixel_mm)
    organs = np.where(right > 0.5, liver, np.float32(signals.spleen)) * (1 + 0.06 * ripple)
    patchy = coverage(ripple - 0.1, 1.2)
    fat = coverage(2.6 - np.abs(below), pixel_mm) * patchy
    over(image, under, organs)
    over(image, fat, signals.fat)
    _draw_tubes(image, place, thorax.liver_vessels, 0.75, pixel_mm, under * right)
    _stomach(image, thorax, signals, (x, y, top), (ripple, under, patchy), pixel_mm)


def _stomach(
    image: Image,
    thorax: Thorax,
    signals: Signals,
    place: tuple[Image, Image, Image],
    fields: tuple[Image, Image, Image],
    pixel_mm: float,
) -> None:
    """The stomach in its bed of fat; ``place`` has the ``y`` of the diaphragm at its end."""
    x, y, top = place
    ripple, under, patchy = fields
    stomach_y = top + thorax.stomach_mm + 10
    bent = np.hypot((x - thorax.stomach_x_mm - 8) / 1.15, y - stomach_y) - 3 * ripple
    content = np.asarray(signals.stomach * thorax.stomach_brightness * (1 + 0.5 * ripple))
    bed = coverage(thorax.stomach_mm + 3.5 * ripple - bent, pixel_mm) * (1 - patchy)
    over(image, np.asarray(0.7 * bed * under, dtype=np.float32), signals.fat)
    over(image, coverage(thorax.stomach_mm - bent, 2 * pixel_mm) * under, signals.muscle * 1.3)
    filled = coverage(thorax.stomach_mm - 3.5 - bent, 2 * pixel_mm) * under
    over(image, filled, content.astype(np.float32))


def _chest_wall(
    image: Image,
    thorax: Thorax,
    signals: Signals,
    place: tuple[Image, Image, float],
    ripple: Image,
    pixel_mm: float,
) -> None:
    """Muscle with ribs, subcutaneous fat and the air beyond."""
    x, y, z = place
    centre_x = thorax.chest_radius_mm - thorax.chest_left_mm + thorax.lean_x * z
    centre_y = thorax.chest_middle_mm + thorax.lean_y * z
    offset_x, offset_y = x - centre_x, (y - centre_y) * np.float32(0.85)
    depth = np.hypot(offset_x, offset_y) - thorax.chest_radius_mm + 1.5 * ripple
    angle = np.arctan2(offset_y, -offset_x)
    wave = np.cos(thorax.ribs * 2 * angle + thorax.rib_phase + 0.02 * z)
    muscle = np.asarray(signals.muscle * (1 + 0.18 * ripple), dtype=np.float32)
    over(image, coverage(depth, pixel_mm), muscle)
    _seams(image, thorax, signals, depth, ripple, pixel_mm)
    rib = 4.2 * (wave - 0.25) - np.abs(depth - 0.45 * thorax.muscle_mm)
    over(image, coverage(rib, pixel_mm), signals.bone)
    over(image, coverage(rib - 1.8, pixel_mm), 0.45 * signals.fat)
    _skin_and_fat(image, thorax, signals, (depth, angle), ripple, pixel_mm)


def _seams(
    image: Image,
    thorax: Thorax,
    signals: Signals,
    depth: Image,
    ripple: Image,
    pixel_mm: float,
) -> None:
    """Thin layers of fat between the muscles of the chest wall."""
    for share, width in ((0.1, 1.8), (0.45, 0.9), (0.78, 1.2)):
        seam = width * (1 + ripple) - np.abs(depth - share * thorax.muscle_mm + 2 * ripple)
        over(image, coverage(seam, 1.5 * pixel_mm), signals.fat * 0.7)


def _skin_and_fat(
    image: Image,
    thorax: Thorax,
    signals: Signals,
    polar: tuple[Image, Image],
    ripple: Image,
    pixel_mm: float,
) -> None:
    """Fat with its septa, the skin, and the air; ``polar`` is depth in mm and angle."""
    depth, angle = polar
    outer = depth - thorax.muscle_mm
    fat = np.asarray(signals.fat * (1 + 0.06 * ripple), dtype=np.float32)
    over(image, coverage(outer, pixel_mm), fat)
    septa = coverage(0.5 - np.abs(ripple - 1.1) * 4, 1.0) * np.float32(0.35)
    over(image, septa * coverage(outer, pixel_mm), 0.2)
    skin = thorax.fat_mm * (1 + 0.25 * np.sin(1.5 * angle + thorax.rib_phase) + 0.08 * ripple)
    over(image, coverage(outer - skin, pixel_mm), 0.3)
    over(image, coverage(outer - skin - 2.0, pixel_mm), 0.0)
