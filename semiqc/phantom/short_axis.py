"""Short-axis cine studies of a beating heart with a reference in every frame.

Frame 0 is end-diastole and slice 0 the most basal. The label scheme is
``semiqc.schemes.SHORT_AXIS``; papillary muscles count as cavity, as in ACDC, unless asked
otherwise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.anatomy import GROUPS, HeartAnatomy, draw_anatomy
from semiqc.phantom.artefacts import Artefacts, breath_hold_offsets, draw_artefacts
from semiqc.phantom.cine import check_size, oblique, scan, scene
from semiqc.phantom.clutter import clutter
from semiqc.phantom.draws import CineStreams, cine_streams
from semiqc.phantom.grid import CENTRED, Placement, ShortAxisGrid
from semiqc.phantom.heart import ANGLES, BeatingHeart
from semiqc.phantom.muscles import Muscles, check_muscles
from semiqc.phantom.painter import HeartPainter
from semiqc.phantom.scanner import ScannerProfile, find_profile, sensitivity, vary
from semiqc.phantom.thorax import Thorax, draw_thorax, surroundings
from semiqc.phantom.tissue import Image, texture
from semiqc.phantom.variety import (
    ANYWHERE,
    RANDOM,
    USUAL,
    check_variety,
    random_anatomy,
    random_scanner,
    random_thorax,
)
from semiqc.study import Study

PLANES = 4
"""Planes that a slice is averaged over: the partial volume along the long axis."""


def short_axis_study(
    seed: int,
    *,
    group: str | None = None,
    size: int = 128,
    slices: int = 8,
    frames: int = 20,
    spacing: tuple[float, float, float] = (10.0, 1.8, 1.8),
    profile: str = "1.5T-sharp",
    artefacts: float = 0.3,
    variety: str = USUAL,
    papillary: Muscles = "cavity",
    name: str | None = None,
) -> Study:
    """A cine study of a heart that never was, with a reference for the whole cycle.

    Args:
        seed: Decides everything that is drawn.
        group: One of ``semiqc.phantom.GROUPS``; drawn where None.
        size: Rows and columns of the image.
        slices: Number of slices.
        frames: Number of frames.
        spacing: Between voxel centres, ``(z, y, x)`` in mm, with square pixels.
        profile: One of ``semiqc.phantom.PROFILES``.
        artefacts: Severity of what goes wrong in the scan, from 0 to 1.
        variety: ``"usual"``, or ``"random"`` whatever the group and profile.
        papillary: What becomes of papillary muscles and trabeculae, see ``muscles``.
        name: Of the study; by default made of the group and the seed.

    Raises:
        ValueError: If a name is unknown, or shape, spacing or severity are not possible.
    """
    check_variety(variety)
    rngs, is_random = cine_streams(seed), variety == RANDOM
    anatomy = random_anatomy(rngs.anatomy) if is_random else _draw_heart(group, rngs.anatomy)
    check_size(name := name or f"{anatomy.group}-{seed}", (frames, slices, size), spacing)
    scanner = _draw_scanner(None if is_random else profile, rngs.scanner)
    faults = draw_artefacts(rngs.artefacts, artefacts)
    exam = _Exam(BeatingHeart(anatomy, frames), scanner, faults, rngs, is_random, papillary)
    return exam.study(name, (slices, size), spacing)


def _draw_heart(group: str | None, rng: np.random.Generator) -> HeartAnatomy:
    """A heart of the group, or of one that is drawn; what follows is drawn alike."""
    drawn = list(GROUPS)[rng.integers(len(GROUPS))]
    return draw_anatomy(rng, group or drawn)


def _draw_scanner(profile: str | None, rng: np.random.Generator) -> ScannerProfile:
    """The profile as a study has it; one of no kind in particular where None."""
    return random_scanner(rng) if profile is None else vary(find_profile(profile), rng)


@dataclass(frozen=True)
class _Exam:
    """A heart in a scanner.

    Args:
        heart: That beats.
        scanner: That measures it.
        faults: What goes wrong.
        rngs: Of the study; of these, those of scene, scanner, artefacts and noise are used.
        is_random: Whether place and surroundings are of no kind in particular.
        papillary: What becomes of papillary muscles and trabeculae.
    """

    heart: BeatingHeart
    scanner: ScannerProfile
    faults: Artefacts
    rngs: CineStreams
    is_random: bool
    papillary: Muscles

    def __post_init__(self) -> None:
        check_muscles(self.papillary)

    def study(
        self, name: str, shape: tuple[int, int], spacing: tuple[float, float, float]
    ) -> Study:
        """What is taken, placed in the scanner; the arguments are those of ``taken``."""
        image, labels = self.taken(shape, spacing)
        slices, size = shape
        place = oblique((slices, size, size), spacing, self.rngs.scanner)
        group = self.heart.anatomy.group
        return Study(name, image, labels, spacing, group=group, geometry=place)

    def taken(
        self, shape: tuple[int, int], spacing: tuple[float, float, float]
    ) -> tuple[Image, NDArray[np.int8]]:
        """The image ``[1, T, Z, Y, X]``, and labels ``[T, Z, Y, X]``.

        Args:
            shape: Slices and size, ``(Z, S)``.
            spacing: ``(z, y, x)`` in mm.
        """
        slices, size = shape
        offsets = breath_hold_offsets(self.faults, slices, self.rngs.artefacts)
        placement = ANYWHERE if self.is_random else CENTRED
        grid = _grid(self.heart, self.scanner, size, spacing, offsets, placement, self.rngs.scene)
        signal, labels = self._painted(grid)
        rngs = (self.rngs.noise, self.rngs.artefacts)
        return scan(signal, self.scanner, self.faults, spacing[1], rngs), labels

    def _painted(self, grid: ShortAxisGrid) -> tuple[Image, NDArray[np.int8]]:
        """What the coils receive, and the labels, ``[T, Z, Y, X]`` each."""
        of_slices = grid.thinnest() if self.is_random else grid
        thorax = _draw_thorax(self.heart, self.rngs.scene)
        if self.is_random:
            thorax = random_thorax(thorax, self.rngs.scene)
        behind = _behind(thorax, of_slices, self.scanner, self.rngs.scene)
        if self.is_random:
            behind = clutter(behind, grid, self.scanner.signals, self.rngs.scene)
        given = self.heart, grid, self.scanner.signals, behind, self.rngs.scene
        painter = HeartPainter(*given, self.papillary)
        coil = sensitivity(grid.x, grid.y, self.scanner.bias, self.rngs.scanner)
        signal = np.empty((len(self.heart.filling), *behind.shape), dtype=np.float32)
        labels = np.empty(signal.shape, dtype=np.int8)
        for frame in range(len(signal)):
            signal[frame], labels[frame] = painter.paint(frame)
        signal *= coil
        return signal, labels


def _grid(
    heart: BeatingHeart,
    scanner: ScannerProfile,
    size: int,
    spacing: tuple[float, float, float],
    offsets: NDArray[np.float64],
    placement: Placement,
    rng: np.random.Generator,
) -> ShortAxisGrid:
    """Slices from the base at end-diastole towards the apex, around a heart off the centre."""
    apart, pixel = spacing[0], spacing[1]
    first = placement.first.draw(rng) * apart
    middle = first + np.arange(len(offsets)) * apart
    planes = ((np.arange(PLANES) + 0.5) / PLANES - 0.5) * min(scanner.slice_mm, apart)
    # The axis is rarely quite at a right angle to the slices, so the heart wanders.
    lean = np.array([placement.lean.draw(rng) for _ in range(2)])
    centre = offsets + (middle - 0.4 * heart.apex_mm)[:, None] * lean
    shift = np.array([placement.right_mm.draw(rng), placement.down_mm.draw(rng)])
    x, y = scene(size, pixel, scanner.orientation_deg, shift)
    return ShortAxisGrid(x, y, middle[:, None] + planes, centre, pixel)


def _behind(
    thorax: Thorax, grid: ShortAxisGrid, scanner: ScannerProfile, rng: np.random.Generator
) -> Image:
    """Every slice without its heart, ``[Z, Y, X]``; the abdomen moves with the breath."""
    smooth = 9 / grid.pixel_mm
    ripples = texture(rng, (len(grid.z), *grid.x.shape), (1.0, smooth, smooth))
    grain = texture(rng, ripples.shape, (0.3, 1.3 / grid.pixel_mm, 1.3 / grid.pixel_mm))
    slices = []
    for number, planes in enumerate(grid.z):
        y = grid.y - np.float32(grid.centre[number, 1])
        places = [(grid.x, y, float(z)) for z in planes]
        painted = [
            surroundings(thorax, scanner.signals, place, ripples[number], grid.pixel_mm)
            for place in places
        ]
        slices.append(np.mean(painted, axis=0) * (1 + 0.07 * grain[number]))
    return np.asarray(slices, dtype=np.float32)


def _draw_thorax(heart: BeatingHeart, rng: np.random.Generator) -> Thorax:
    """Surroundings with room for the heart at end-diastole."""
    radius = heart.radii(np.linspace(-0.2, 0.6, 9), 0)[2].max(axis=0)
    left_mm = float((radius * np.cos(ANGLES)).max())
    bottom_mm = float((-radius * np.sin(ANGLES)).max())
    return draw_thorax(rng, left_mm, bottom_mm)
