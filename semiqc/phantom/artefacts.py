"""What goes wrong while a patient is scanned, and how badly.

Slices are measured in separate breath-holds, each over several heartbeats; in phase-encoding
direction (image rows) neighbouring lines of k-space are measured at different times.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from semiqc.phantom.scanner import KSpace

LARGEST_OFFSET_MM = 7.0
LARGEST_BREATH_MM = 4.5
LARGEST_MISTRIGGERED_SHARE = 0.5
LARGEST_NOISE_FACTOR = 4.0
SEGMENTS = 8
"""Heartbeats in which the lines of a slice are measured."""


@dataclass(frozen=True)
class Artefacts:
    """How strong each artefact of one study is.

    Args:
        misregistration_mm: Standard deviation of the position between breath-holds.
        breathing_mm: Amplitude of breathing while a slice is measured; blurs and ghosts.
        mistriggered: Share of the lines of k-space that come from another moment of the cycle.
        noise: Factor on the scanner's noise.
    """

    misregistration_mm: float = 0.0
    breathing_mm: float = 0.0
    mistriggered: float = 0.0
    noise: float = 1.0


def check_severity(severity: float) -> None:
    """Refuse a severity that is not in [0, 1].

    Raises:
        ValueError: If so.
    """
    if not 0 <= severity <= 1:
        raise ValueError(f"severity of artefacts must lie in [0, 1], got {severity}")


def draw_artefacts(rng: np.random.Generator, severity: float) -> Artefacts:
    """Artefacts of one study: one of the four at ``severity``, the rest weaker.

    Args:
        rng: Source of randomness.
        severity: 0 for none, 1 for a study that few would report on.

    Raises:
        ValueError: If the severity is not in [0, 1].
    """
    check_severity(severity)
    strength = severity * rng.uniform(0, 0.5, 4)
    strength[rng.integers(4)] = severity
    return Artefacts(
        misregistration_mm=LARGEST_OFFSET_MM * strength[0],
        breathing_mm=LARGEST_BREATH_MM * strength[1],
        mistriggered=LARGEST_MISTRIGGERED_SHARE * strength[2],
        noise=1 + (LARGEST_NOISE_FACTOR - 1) * strength[3],
    )


def breath_hold_offsets(
    artefacts: Artefacts, slices: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where the heart lies in each slice against its mean place, ``[Z, 2]`` mm, ``(x, y)``.

    The diaphragm moves the heart mostly along ``y``.
    """
    offsets = rng.standard_normal((slices, 2)) * artefacts.misregistration_mm * [0.4, 1.0]
    return np.asarray(offsets - offsets.mean(axis=0))


def corrupt(
    measured: KSpace, artefacts: Artefacts, pixel_mm: float, rng: np.random.Generator
) -> None:
    """Move lines of k-space between moments and shift them by breathing, in place.

    Each slice is hit by a strength of its own, from none to one and a half times the study's.

    Args:
        measured: ``[T, Z, Y, X]``, phase encoding along ``Y``.
        artefacts: Of the study.
        pixel_mm: Spacing along ``Y``.
        rng: Source of randomness.
    """
    for plane in range(measured.shape[1]):
        _corrupt_slice(measured[:, plane], artefacts, pixel_mm, rng)


def _corrupt_slice(
    measured: KSpace, artefacts: Artefacts, pixel_mm: float, rng: np.random.Generator
) -> None:
    """Corrupt one slice ``[T, Y, X]`` by a strength of its own, in place."""
    strength = rng.uniform(0, 1.5)
    if artefacts.mistriggered > 0:
        share = min(strength * artefacts.mistriggered, 0.9)
        _mistrigger(measured, share, rng)
    if artefacts.breathing_mm > 0:
        amplitude = strength * artefacts.breathing_mm / pixel_mm
        _breathe(measured, amplitude, rng)


def _mistrigger(measured: KSpace, share: float, rng: np.random.Generator) -> None:
    """Take segments of lines ``[T, Y, X]`` from another moment of the cycle."""
    frames, lines, _ = measured.shape
    # Every eighth line belongs to one heartbeat, so that the errors show as ghosts.
    of_line = np.arange(lines) % SEGMENTS
    for segment in np.flatnonzero(rng.random(SEGMENTS) < share):
        late = max(1, round(rng.uniform(0.08, 0.35) * frames)) * int(rng.choice([-1, 1]))
        chosen = of_line == segment
        measured[:, chosen] = np.roll(measured[:, chosen], late, axis=0)


def _breathe(measured: KSpace, amplitude: float, rng: np.random.Generator) -> None:
    """Shift each line ``[T, Y, X]`` along ``Y`` as the breath does when it is measured."""
    lines = measured.shape[1]
    frequency = fft.fftfreq(lines)
    order = np.argsort(np.argsort(frequency)) / lines
    breaths = rng.uniform(1.5, 5)
    drift = rng.uniform(-0.4, 0.4) * order
    position = amplitude * (np.sin(2 * np.pi * (breaths * order + rng.random())) + drift)
    measured *= np.exp(-2j * np.pi * frequency * position).astype(np.complex64)[:, None]
