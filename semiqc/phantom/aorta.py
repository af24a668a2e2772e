"""Cine studies of the ascending aorta in one transverse slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.artefacts import draw_artefacts
from semiqc.phantom.cine import axial, check_size, scan, scene
from semiqc.phantom.curve import PulseTiming, distension, draw_pulse
from semiqc.phantom.draws import Normal, Uniform, cine_streams
from semiqc.phantom.scanner import find_profile, sensitivity, vary
from semiqc.phantom.tissue import Image, Signals, coverage, over, texture
from semiqc.study import Study

WALL_MM = 1.6

AIRWAYS = ((-7.0, 33.0, 8.0), (17.0, 35.0, 7.0))
"""Centre and radius of each bronchus, in mm from the ascending aorta."""


@dataclass(frozen=True)
class Vessel:
    """A vessel that is cut across.

    Args:
        x: Of its centre, in mm from the ascending aorta towards the patient's left.
        y: Likewise, towards posterior.
        area_mm2: Smallest area of its lumen.
        distension: Growth of the area during a beat, as a share of the smallest.
        oval: Half the relative difference of its axes.
        angle: Of its longer axis, in radians.
        travel_mm: How far it moves during a beat, ``(x, y)``.
        brightness: Signal of its blood.
    """

    x: float
    y: float
    area_mm2: float
    distension: float
    oval: float
    angle: float
    travel_mm: tuple[float, float]
    brightness: float


@dataclass(frozen=True)
class Mediastinum:
    """The great vessels of one subject and how they pulse."""

    ascending: Vessel
    others: tuple[Vessel, ...]
    pulse: PulseTiming
    chest_front_mm: float
    chest_half_width_mm: float
    fat_mm: float


def draw_mediastinum(rng: np.random.Generator) -> Mediastinum:
    """The vessels of one subject; the distributions stand in ``docs/phantom.md``."""
    radius = Normal(14.5, 1.8, 10.5, 20).draw(rng)
    ascending = _draw_vessel(rng, (0, 0, radius), Uniform(0.10, 0.40).draw(rng), 3.0)
    return Mediastinum(
        ascending=ascending,
        others=_draw_others(rng, radius, ascending.distension),
        pulse=draw_pulse(rng),
        chest_front_mm=Normal(48, 6, 36, 62).draw(rng),
        chest_half_width_mm=Normal(150, 10, 125, 175).draw(rng),
        fat_mm=Normal(14, 5, 5, 28).draw(rng),
    )


def _draw_others(rng: np.random.Generator, radius: float, distension: float) -> tuple[Vessel, ...]:
    """Pulmonary trunk and artery, vena cava and descending aorta.

    Args:
        rng: Source of randomness.
        radius: Of the ascending aorta in mm; the wider, the further the others lie from it.
        distension: Of the ascending aorta.
    """
    aside = radius / 14.5
    return (
        _draw_vessel(rng, (26 * aside, -3, Normal(13.5, 1.5, 10, 17).draw(rng)), 0.25, 3.0),
        _draw_vessel(rng, (8, 23 * aside, Normal(9, 1, 7, 12).draw(rng)), 0.2, 2.0),
        _draw_vessel(rng, (-22 * aside, 9, Normal(7.5, 1, 5.5, 10).draw(rng)), 0.1, 1.5),
        _draw_vessel(rng, (33, 48, Normal(11.5, 1.3, 8.5, 15).draw(rng)), 0.5 * distension, 0.8),
    )


def _draw_vessel(
    rng: np.random.Generator, place: tuple[float, float, float], grows: float, travel: float
) -> Vessel:
    """A vessel cut across.

    Args:
        rng: Source of randomness.
        place: ``x``, ``y`` and radius in mm, from the ascending aorta.
        grows: Growth of its area during a beat, as a share.
        travel: How far it moves during a beat at most, in mm.
    """
    x, y, radius = place
    direction = rng.uniform(0, 2 * np.pi)
    far = travel * rng.uniform(0.3, 1.0)
    return Vessel(
        x=x + rng.normal(0, 1.2) * (x != 0),
        y=y + rng.normal(0, 1.2) * (y != 0),
        area_mm2=float(np.pi * radius**2),
        distension=grows,
        oval=Uniform(0.0, 0.08).draw(rng),
        angle=Uniform(0.0, np.pi).draw(rng),
        travel_mm=(float(far * np.cos(direction)), float(far * np.sin(direction))),
        brightness=Uniform(0.85, 1.12).draw(rng),
    )


def aorta_study(
    seed: int,
    *,
    size: int = 96,
    frames: int = 100,
    spacing: tuple[float, float, float] = (8.0, 1.6, 1.6),
    profile: str = "1.5T-sharp",
    artefacts: float = 0.3,
    name: str | None = None,
) -> Study:
    """A cine study of the ascending aorta, with a reference for the whole cycle.

    The label scheme is ``semiqc.study.AORTA``: the lumen of the ascending aorta only.

    Args:
        seed: Decides everything that is drawn.
        size: Rows and columns of the image.
        frames: Number of frames; frame 0 is end-diastole.
        spacing: Slice thickness and distance between pixels, ``(z, y, x)`` in mm.
        profile: One of ``semiqc.phantom.PROFILES``.
        artefacts: Severity of what goes wrong in the scan, from 0 to 1.
        name: Of the study; by default made of the seed.

    Raises:
        ValueError: If the profile is unknown, there are too few voxels, pixels are not square or
            the severity is not in [0, 1].
    """
    name = name or f"aorta-{seed}"
    check_size(name, (frames, 1, size), spacing)
    rngs = cine_streams(seed)
    mediastinum = draw_mediastinum(rngs.anatomy)
    scanner = vary(find_profile(profile), rngs.scanner)
    faults = draw_artefacts(rngs.artefacts, artefacts)
    x, y = _place(size, spacing[1], rngs.scene)
    signal, labels = _paint(mediastinum, x, y, frames, spacing[1], scanner.signals, rngs.scene)
    # The front coil lies on the sternum: above the vessels, as the chest wall is left of a heart.
    signal *= sensitivity(y, x, scanner.bias, rngs.scanner)
    image = scan(signal[:, None], scanner, faults, spacing[1], (rngs.noise, rngs.artefacts))
    geometry = axial((1, size, size), spacing)
    return Study(name, image, labels[:, None], spacing, geometry=geometry)


def _place(size: int, pixel_mm: float, rng: np.random.Generator) -> tuple[Image, Image]:
    """Where each pixel lies, from an ascending aorta off the image's centre."""
    shift = np.array([Normal(-6, 7, -25, 15).draw(rng), Normal(-14, 7, -32, 5).draw(rng)])
    turned = Normal(0, 6, -15, 15).draw(rng)
    return scene(size, pixel_mm, turned, shift)


def _paint(
    mediastinum: Mediastinum,
    x: Image,
    y: Image,
    frames: int,
    pixel_mm: float,
    signals: Signals,
    rng: np.random.Generator,
) -> tuple[Image, NDArray[np.int8]]:
    """Signal and labels of every frame, ``[T, Y, X]``."""
    smooth = 8 / pixel_mm
    ripple, swirl, drift = (texture(rng, x.shape, (smooth, smooth)) for _ in range(3))
    grain = texture(rng, x.shape, (1.3 / pixel_mm, 1.3 / pixel_mm))
    chest = _chest(mediastinum, x, y, pixel_mm, signals, ripple) * (1 + 0.07 * grain)
    signal = np.empty((frames, *x.shape), dtype=np.float32)
    labels = np.empty(signal.shape, dtype=np.int8)
    for frame, widened in enumerate(distension(frames, mediastinum.pulse)):
        image = chest.astype(np.float32)
        phase = 2 * np.pi * frame / frames
        flow = np.cos(phase) * swirl + np.sin(phase) * drift
        blood = np.asarray(1 + (0.04 + 0.06 * widened) * flow + 0.02 * grain, dtype=np.float32)
        for vessel in (*mediastinum.others, mediastinum.ascending):
            inside = lumen(vessel, float(widened), x, y)
            over(image, coverage(inside + WALL_MM, pixel_mm), signals.muscle)
            over(image, coverage(inside, pixel_mm), vessel.brightness * signals.blood * blood)
        signal[frame], labels[frame] = image, inside > 0
    return signal, labels


def lumen(vessel: Vessel, widened: float, x: Image, y: Image) -> Image:
    """Distance of each pixel to the vessel's wall in mm, positive inside, ``[Y, X]``.

    Args:
        vessel: Which.
        widened: Share of its largest distension.
        x: Of each pixel in mm, ``[Y, X]``.
        y: Likewise.
    """
    radius = np.sqrt(vessel.area_mm2 * (1 + vessel.distension * widened) / np.pi)
    right = x - np.float32(vessel.x + vessel.travel_mm[0] * widened)
    down = y - np.float32(vessel.y + vessel.travel_mm[1] * widened)
    cosine, sine = np.float32(np.cos(vessel.angle)), np.float32(np.sin(vessel.angle))
    # Axes whose product is 1 leave the area as it is.
    longer = np.float32(np.sqrt((1 + vessel.oval) / (1 - vessel.oval)))
    along, across = cosine * right + sine * down, cosine * down - sine * right
    return np.asarray(radius - np.hypot(along / longer, across * longer), dtype=np.float32)


def _chest(
    mediastinum: Mediastinum,
    x: Image,
    y: Image,
    pixel_mm: float,
    signals: Signals,
    ripple: Image,
) -> Image:
    """What does not move: lungs, mediastinal fat, spine, airways and the chest wall."""
    image = np.asarray(signals.lung * (1 + 0.4 * ripple), dtype=np.float32)
    middle = 30 - np.abs(x - 6) - np.float32(0.12) * np.abs(y - 8) + 4 * ripple
    fat = np.asarray(signals.fat * (0.62 + 0.15 * ripple), dtype=np.float32)
    over(image, coverage(middle + 6, pixel_mm), fat)
    for centre_x, centre_y, radius in AIRWAYS:
        over(image, coverage(radius - np.hypot(x - centre_x, y - centre_y), pixel_mm), 0.03)
    _back(image, x, y, pixel_mm, signals, ripple)
    _chest_front(image, mediastinum, x, y, pixel_mm, signals, ripple)
    return image


def _back(
    image: Image, x: Image, y: Image, pixel_mm: float, signals: Signals, ripple: Image
) -> None:
    """Spine with its canal, between the muscles of the back."""
    spine = np.hypot((x - 8) / 1.2, y - 68)
    muscles = np.hypot((x - 8) / 2.2, y - 92)
    over(image, coverage(34 - muscles, pixel_mm), signals.muscle)
    over(image, coverage(21 - spine, pixel_mm), np.asarray(0.32 * (1 + 0.15 * ripple), np.float32))
    over(image, coverage(8 - np.hypot((x - 8) / 1.2, y - 98), pixel_mm), signals.fluid)


def _chest_front(
    image: Image,
    mediastinum: Mediastinum,
    x: Image,
    y: Image,
    pixel_mm: float,
    signals: Signals,
    ripple: Image,
) -> None:
    """Muscle, sternum, fat and the air in front of the chest."""
    squared = ((x - 6) / mediastinum.chest_half_width_mm) ** 2
    depth = np.asarray(-mediastinum.chest_front_mm + 55 * squared - y + 2 * ripple, np.float32)
    over(image, coverage(depth, pixel_mm), signals.muscle * (1 + 0.15 * ripple))
    bone = np.hypot((x - 2) / 2.6, depth - 8) - 6
    over(image, coverage(-bone, pixel_mm), signals.fat * 0.4)
    fat = np.asarray(signals.fat * (1 + 0.06 * ripple), np.float32)
    over(image, coverage(depth - 16, pixel_mm), fat)
    over(image, coverage(depth - 16 - mediastinum.fat_mm, pixel_mm), 0.0)
