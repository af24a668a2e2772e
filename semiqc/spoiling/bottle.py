"""The bottle of water that a scanner is tested with."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from semiqc.phantom.cine import normalised
from semiqc.phantom.scanner import PROFILES, acquire, to_kspace
from semiqc.phantom.tissue import Image, coverage, over
from semiqc.schemes import LabelScheme
from semiqc.spoiling.base import Spoiling, drawn, only_background
from semiqc.study import Study

RODS = 8
WATER = 1.0


@dataclass(frozen=True)
class Bottle(Spoiling):
    """A round bottle, measured to check the scanner and archived with the patients.

    Rods of different signal stand in a ring in every second slice, the others are of water
    alone. Nothing moves. Labels are background.
    """

    title: ClassVar[str] = "the scanner's test bottle"

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        _, frames, slices, *size = study.image.shape
        profile = PROFILES[list(PROFILES)[rng.integers(len(PROFILES))]]
        pixel = study.spacing[1]
        painted = _painted((slices, size[0], size[1]), rng)
        image = np.empty(study.image.shape, np.float32)
        for frame in range(frames):
            measured = to_kspace(painted[None])
            image[:, frame] = acquire(measured, profile, pixel, 1 / profile.snr, rng)
        for modality in image:
            modality[:] = normalised(modality)
        labels = only_background(study.labels, (slices, size[0], size[1]))
        return replace(study, image=image, labels=labels, geometry=None)


def _painted(shape: tuple[int, int, int], rng: np.random.Generator) -> Image:
    """Signal of the bottle, ``[Z, Y, X]``; lengths are in pixels."""
    slices, height, width = shape
    shortest = min(height, width)
    radius = shortest * drawn((0.3, 0.42), rng)
    middle = np.array([height - 1, width - 1]) / 2 + rng.uniform(-0.06, 0.06, 2) * shortest
    rows, columns = np.mgrid[:height, :width] - middle[:, None, None]
    bottle = coverage(radius - np.hypot(rows, columns), 1.0) * np.float32(WATER)
    with_rods = bottle.copy()
    angles = rng.uniform(0, 2 * np.pi) + np.arange(RODS) * 2 * np.pi / RODS
    for number, angle in enumerate(angles):
        centre = 0.6 * radius * np.array([np.sin(angle), np.cos(angle)])
        thickness = radius * (0.05 + 0.09 * number / (RODS - 1))
        distance = np.hypot(rows - centre[0], columns - centre[1])
        over(with_rods, coverage(thickness - distance, 1.0), 0.08 + 1.2 * (number % 3) / 2)
    return np.stack([with_rods if plane % 2 else bottle for plane in range(slices)])
