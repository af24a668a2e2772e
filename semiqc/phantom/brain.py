"""A brain that grows around a tumour: which tissue fills which share of each voxel.

Places are in mm from the middle of the brain: ``x`` towards the patient's left, ``y`` towards
posterior, ``z`` towards inferior, as columns, rows and slices run.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from semiqc.phantom.draws import Normal, Uniform
from semiqc.phantom.tissue import Image, coverage, texture

Place = tuple[Image, Image, Image]
Centre = tuple[float, float, float]

ENHANCING_MM = 2.0
"""Thickness from which enhancement closes to a rim; below, it is in spots."""


HALF_WIDTH = Normal(67, 3, 60, 75)
HALF_LENGTH = Normal(85, 4, 76, 95)
HALF_HEIGHT = Normal(64, 3, 57, 72)
"""Of a brain, in mm."""


class Tissue(IntEnum):
    """What a voxel may be filled with; the first axis of shares."""

    AIR = 0
    FLUID = 1
    GREY = 2
    WHITE = 3
    OEDEMA = 4
    CORE = 5
    ENHANCING = 6


@dataclass(frozen=True)
class Tumour:
    """A glioma; the distributions stand in ``docs/phantom.md``.

    Args:
        centre: In mm, ``(x, y, z)``.
        core_mm: Radius of the tumour core.
        rim_mm: Thickness of the part that enhances; 0 for none.
        oedema_mm: How far oedema reaches beyond the core.
        ragged: How uneven its surfaces are, as a share of its radius.
        push: How much of the space it takes is pressed out of the brain around it, in [0, 1).
    """

    centre: Centre
    core_mm: float
    rim_mm: float
    oedema_mm: float
    ragged: float
    push: float


@dataclass(frozen=True)
class Brain:
    """A brain without its skull; the distributions stand in ``docs/phantom.md``.

    Args:
        half_mm: Half its width, length and height.
        cortex_mm: Thickness of the grey matter.
        sulcus_mm: Depth of the sulci.
        atrophy: Width of sulci and fissure, and size of the ventricles, relative to the mean.
        tumour: In it.
    """

    half_mm: Centre
    cortex_mm: float
    sulcus_mm: float
    atrophy: float
    tumour: Tumour


def draw_brain(rng: np.random.Generator, reach_mm: float, *, high_grade: bool) -> Brain:
    """The brain of one subject.

    Args:
        rng: Source of randomness.
        reach_mm: How far above or below the middle the tumour's centre may lie.
        high_grade: Whether the tumour enhances in a closed rim, or faintly if at all.
    """
    half = (HALF_WIDTH.draw(rng), HALF_LENGTH.draw(rng), HALF_HEIGHT.draw(rng))
    tumour = _draw_tumour(rng, reach_mm, high_grade)
    return Brain(
        half_mm=half,
        cortex_mm=Normal(3.2, 0.3, 2.4, 4).draw(rng),
        sulcus_mm=Normal(17, 2, 12, 22).draw(rng),
        atrophy=Normal(1, 0.25, 0.5, 1.8).draw(rng),
        tumour=tumour,
    )


def _draw_tumour(rng: np.random.Generator, reach_mm: float, high_grade: bool) -> Tumour:
    """A tumour in one half of the brain, no further from the middle slice than ``reach_mm``."""
    side = float(rng.choice([-1, 1]))
    height = min(reach_mm, 26.0)
    centre = (
        side * Uniform(22, 40).draw(rng),
        Uniform(-42, 42).draw(rng),
        Uniform(-height, 0.4 * height).draw(rng) if height > 0 else 0.0,
    )
    return Tumour(
        centre=centre,
        core_mm=Normal(17 if high_grade else 15, 5, 8, 27).draw(rng),
        rim_mm=Normal(4.2, 1.3, 2, 8).draw(rng) if high_grade else Uniform(0, 1.5).draw(rng),
        oedema_mm=Normal(15 if high_grade else 8, 5, 3, 28).draw(rng),
        ragged=Uniform(0.1, 0.24).draw(rng),
        push=Uniform(0.2, 0.5).draw(rng),
    )


def shares(brain: Brain, place: Place, voxel_mm: float, rng: np.random.Generator) -> Image:
    """Share of each tissue in each voxel.

    Args:
        brain: Of the subject.
        place: ``x``, ``y`` and ``z`` of each voxel, ``[Z, Y, X]`` mm each.
        voxel_mm: Edge of the cubes they lie on.
        rng: Of folds and ragged surfaces.

    Returns:
        ``[7, Z, Y, X]`` float32 in the order of ``Tissue``, summing to 1.
    """
    found = np.zeros((len(Tissue), *place[0].shape), dtype=np.float32)
    found[Tissue.AIR] = 1
    pushed = _pushed(place, brain.tumour)
    depth = _depth(brain, place, rng, voxel_mm)
    _fill(found, Tissue.FLUID, coverage(depth, voxel_mm))
    folded = _folded(brain, pushed, depth, rng, voxel_mm)
    _fill(found, Tissue.GREY, coverage(folded, voxel_mm))
    _fill(found, Tissue.WHITE, coverage(folded - brain.cortex_mm, voxel_mm))
    _fill(found, Tissue.GREY, coverage(_deep_grey(pushed), voxel_mm))
    hollow = coverage(_ventricles(pushed, brain.atrophy), voxel_mm)
    _fill(found, Tissue.FLUID, hollow)
    _grow(found, brain.tumour, place, voxel_mm, (1 - found[Tissue.AIR]) * (1 - hollow), rng)
    return found


def _fill(found: Image, tissue: Tissue, share: Image) -> None:
    """Let a tissue take its share of each voxel from whatever was there."""
    found *= 1 - share
    found[tissue] += share


def _pushed(place: Place, tumour: Tumour) -> Place:
    """Where the tissue of each place lay before the tumour pressed it away."""
    offsets = [np.float32(c) for c in tumour.centre]
    squared = sum(np.square(p - c) for p, c in zip(place, offsets, strict=True))
    reach = np.float32(2.2 * tumour.core_mm)
    kept = 1 - np.float32(tumour.push) * np.exp(-np.asarray(squared) / reach**2)
    x, y, z = (c + (p - c) * kept for p, c in zip(place, offsets, strict=True))
    return x, y, z


def _ellipsoid(place: Place, centre: Centre, half_mm: Centre, turn: float = 0.0) -> Image:
    """Distance inside an ellipsoid in mm, nearly; ``turn`` in radians from ``y`` towards ``x``."""
    x, y, z = (p - np.float32(c) for p, c in zip(place, centre, strict=True))
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    x, y = cosine * x - sine * y, cosine * y + sine * x
    a, b, c = (np.float32(half) for half in half_mm)
    scaled = np.sqrt(np.square(x / a) + np.square(y / b) + np.square(z / c))
    slope = np.sqrt(np.square(x / a**2) + np.square(y / b**2) + np.square(z / c**2))
    return np.asarray((1 - scaled) * scaled / np.maximum(slope, 1e-3), dtype=np.float32)


def _depth(brain: Brain, place: Place, rng: np.random.Generator, voxel_mm: float) -> Image:
    """Distance below the surface of cerebrum, cerebellum and stem, in mm."""
    x, y, z = place
    width, length, height = brain.half_mm
    # The forehead is narrower than the back of the head.
    narrowed = x * (1 + np.float32(0.12) * np.clip(-y / np.float32(length), -0.5, 1))
    cerebrum = _ellipsoid((narrowed, y, z), (0, 0, 0), (width, length, height))
    floor = np.float32(height) * (np.float32(0.36) - np.float32(0.08) * np.tanh((y - 15) / 25))
    cerebrum = np.minimum(cerebrum, 0.9 * (floor + np.float32(0.1) * np.abs(x) - z))
    cerebellum = _ellipsoid(place, (0, 46, 0.62 * height), (50, 30, 25))
    stem = _ellipsoid(place, (0, 16, 0.75 * height), (13, 12, 42))
    waves = texture(rng, x.shape, (12 / voxel_mm,) * 3)
    together = np.maximum(np.maximum(cerebrum, cerebellum), stem)
    return np.asarray(together + np.float32(1.2) * waves, dtype=np.float32)


def _folded(
    brain: Brain, place: Place, depth: Image, rng: np.random.Generator, voxel_mm: float
) -> Image:
    """Distance below the folded surface of the brain, in mm: down into sulci and fissure."""
    x, y, z = place
    open_mm = np.float32(0.6 * brain.atrophy)
    shape = x.shape
    folds = np.abs(texture(rng, shape, (4.4 / voxel_mm,) * 3))
    # Sulci are where a smooth field crosses zero; it changes by about 1 in 5 mm there.
    to_sulcus = np.float32(5.2) * folds - open_mm
    beyond = np.clip(depth - np.float32(brain.sulcus_mm), 0, None)
    bent = x + np.float32(1.2) * texture(rng, shape, (14 / voxel_mm,) * 3)
    # The corpus callosum closes the fissure in the middle, the stem below.
    callosum = _ellipsoid(place, (0, 2, 0), (30, 42, 30))
    to_fissure = np.abs(bent) - np.float32(1.3) * open_mm + np.clip(callosum, 0, None)
    to_fissure += np.clip(z - np.float32(0.3 * brain.half_mm[2]), 0, None)
    below = np.minimum(depth - np.float32(1.1) * open_mm, to_sulcus + beyond)
    sides = _sylvian((bent, y, z), np.float32(1.6) * open_mm)
    return np.asarray(np.minimum(np.minimum(below, to_fissure), sides), dtype=np.float32)


def _sylvian(place: Place, open_mm: np.float32) -> Image:
    """Distance to the fissures that run into both sides of the cerebrum, in mm."""
    x, y, z = np.abs(place[0]), place[1], place[2]
    across = (y + 12 + np.float32(0.9) * (z - 5) + np.float32(0.35) * (x - 40)) * np.float32(0.7)
    outside = np.clip(40 - x, 0, None) + np.clip(np.abs(z - 5) - 22, 0, None)
    return np.asarray(np.hypot(across, outside) - open_mm, dtype=np.float32)


def _mirrored(place: Place) -> Place:
    """Both halves of the brain as one."""
    return np.abs(place[0]), place[1], place[2]


def _deep_grey(place: Place) -> Image:
    """Distance inside thalamus, caudate and lentiform nucleus, in mm."""
    half = _mirrored(place)
    nuclei = (
        _ellipsoid(half, (10, 14, 2), (8.5, 14, 9), 0.35),
        _ellipsoid(half, (14, -18, -5), (5, 11, 10), 0.25),
        _ellipsoid(half, (25, -3, 2), (6.5, 17, 9), 0.15),
    )
    return np.asarray(np.maximum.reduce(nuclei), dtype=np.float32)


def _ventricles(place: Place, atrophy: float) -> Image:
    """Distance inside lateral and third ventricles, in mm."""
    half = _mirrored(place)
    wide = float(np.sqrt(atrophy))
    horns = (
        _ellipsoid(half, (9, -25, -8), (4.2 * wide, 14, 8 * wide), 0.35),
        _ellipsoid(half, (10, 3, -16), (5.5 * wide, 24, 6 * wide), -0.12),
        _ellipsoid(half, (24, 33, -5), (6 * wide, 19, 8 * wide), 0.2),
        _ellipsoid(half, (0, 3, 4), (2.0 * wide, 13, 10)),
    )
    return np.asarray(np.maximum.reduce(horns), dtype=np.float32)


def _grow(
    found: Image,
    tumour: Tumour,
    place: Place,
    voxel_mm: float,
    room: Image,
    rng: np.random.Generator,
) -> None:
    """Lay oedema, core and enhancing rim over the brain, in place, where there is room."""
    x, y, z = (p - np.float32(c) for p, c in zip(place, tumour.centre, strict=True))
    distance = np.sqrt(x**2 + y**2 + z**2)
    shape = place[0].shape
    lobes = texture(rng, shape, (0.55 * tumour.core_mm / voxel_mm,) * 3)
    fingers = texture(rng, shape, (6 / voxel_mm,) * 3)
    grain = texture(rng, shape, (3.5 / voxel_mm,) * 3)
    ragged = np.float32(tumour.ragged * tumour.core_mm)
    inside = tumour.core_mm + ragged * lobes + np.float32(0.5) * grain - distance
    spread = inside + np.float32(tumour.oedema_mm) * (1 + np.float32(0.35) * fingers)
    _soak(found, spread, voxel_mm)
    _fill(found, Tissue.CORE, coverage(inside, voxel_mm) * room)
    enhancing = _enhancing(tumour, inside, fingers)
    _fill(found, Tissue.ENHANCING, coverage(enhancing, voxel_mm) * room)


def _soak(found: Image, spread: Image, voxel_mm: float) -> None:
    """Lay oedema over the brain, in place: it follows white matter, and stops at the cortex."""
    _fill(found, Tissue.OEDEMA, coverage(spread, voxel_mm) * found[Tissue.WHITE])
    soaked = coverage(spread - 7, 2 * voxel_mm) * np.float32(0.7)
    _fill(found, Tissue.OEDEMA, soaked * found[Tissue.GREY])


def _enhancing(tumour: Tumour, inside: Image, fingers: Image) -> Image:
    """Distance inside what enhances in mm: a rim of the core, or spots where that is thin."""
    if tumour.rim_mm < ENHANCING_MM:
        return np.asarray(np.minimum(inside - 1, np.float32(tumour.rim_mm) * 2 * (fingers - 1)))
    rim = np.float32(tumour.rim_mm) * (1 + np.float32(0.45) * fingers)
    return np.asarray(np.minimum(inside, rim - inside))
