"""What a scanner makes of the anatomy: contrast, coil, resolution and noise."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from semiqc.phantom.draws import Normal, Uniform
from semiqc.phantom.tissue import Image, Signals

KSpace = NDArray[np.complex64]


@dataclass(frozen=True)
class ScannerProfile:
    """One scanner and protocol; studies of one profile differ a little around it.

    Args:
        name: Of the profile.
        signals: Of the tissues.
        resolution_mm: Voxel edge that is really measured, along readout and phase encoding.
        snr: Signal of blood in the heart over the noise's standard deviation.
        bias: How much the coil sees of near tissue more than of far; 0 for an even coil.
        apodisation: Share of k-space that is damped at its border; 0 leaves full ringing.
        orientation_deg: Mean in-plane angle at which the chest lies in the image.
        slice_mm: Thickness of a slice; never more than the slice distance is used.
    """

    name: str
    signals: Signals = field(default_factory=Signals)
    resolution_mm: tuple[float, float] = (2.0, 2.4)
    snr: float = 45.0
    bias: float = 0.4
    apodisation: float = 0.5
    orientation_deg: float = 0.0
    slice_mm: float = 8.0


PROFILES: dict[str, ScannerProfile] = {
    profile.name: profile
    for profile in (
        ScannerProfile("1.5T-sharp"),
        ScannerProfile(
            "1.5T-soft",
            signals=Signals(myocardium=0.42, muscle=0.32, liver=0.36, lung=0.07, fat=-0.75),
            resolution_mm=(2.3, 2.9),
            snr=35,
            bias=0.25,
            apodisation=0.8,
            orientation_deg=8,
        ),
        ScannerProfile(
            "3T-bright",
            signals=Signals(myocardium=0.26, muscle=0.20, liver=0.20, fat=-1.0),
            resolution_mm=(1.7, 2.0),
            snr=60,
            bias=0.65,
            apodisation=0.4,
            orientation_deg=-8,
            slice_mm=7.0,
        ),
        ScannerProfile(
            "3T-fast",
            signals=Signals(myocardium=0.38, muscle=0.28, liver=0.42, spleen=0.48, fat=-0.85),
            resolution_mm=(2.3, 3.2),
            snr=22,
            bias=0.5,
            apodisation=0.6,
            orientation_deg=25,
            slice_mm=6.0,
        ),
    )
}
"""Profiles that a command may name, for experiments on domain shift."""


def find_profile(name: str) -> ScannerProfile:
    """The profile of that name.

    Raises:
        ValueError: If there is none.
    """
    if name not in PROFILES:
        raise ValueError(f"unknown scanner profile '{name}'; known: {', '.join(PROFILES)}")
    return PROFILES[name]


def vary(profile: ScannerProfile, rng: np.random.Generator) -> ScannerProfile:
    """The profile as one study has it: contrast, noise, coil and angle drawn around its own."""
    signals = Signals(
        **{name: value * Normal(1, 0.09, 0.75, 1.25).draw(rng)
           for name, value in vars(profile.signals).items() if name != "blood"}
    )  # fmt: skip
    return ScannerProfile(
        name=profile.name,
        signals=signals,
        resolution_mm=profile.resolution_mm,
        snr=profile.snr * Uniform(0.75, 1.3).draw(rng),
        bias=profile.bias * Uniform(0.6, 1.4).draw(rng),
        apodisation=profile.apodisation,
        orientation_deg=profile.orientation_deg + Normal(0, 12, -35, 35).draw(rng),
        slice_mm=profile.slice_mm,
    )


def sensitivity(x: Image, y: Image, strength: float, rng: np.random.Generator) -> Image:
    """Sensitivity of the surface coils, 1 on average over the image.

    Args:
        x: Distance in mm from the heart towards the patient's left, ``[Y, X]``.
        y: Distance in mm towards inferior, likewise.
        strength: Bias of the profile.
        rng: Draws where the coils lie.

    Returns:
        Factors, ``[Y, X]`` float32.
    """
    field = np.ones_like(x)
    for centre_x, centre_y, weight in ((-105.0, -25.0, 1.0), (20.0, 135.0, 0.55)):
        centre_x += Normal(0, 15, -40, 40).draw(rng)
        centre_y += Normal(0, 20, -50, 50).draw(rng)
        reach = Uniform(40, 65).draw(rng)
        squared = (x - centre_x) ** 2 + (y - centre_y) ** 2
        field += np.float32(2.2 * strength * weight) / (1 + squared / np.float32(reach) ** 2)
    return np.asarray(field / field.mean(), dtype=np.float32)


def to_kspace(signal: Image) -> KSpace:
    """What is measured of ``signal [T, Z, Y, X]``, its centre at index 0."""
    return np.asarray(fft.fft2(signal, axes=(-2, -1)), dtype=np.complex64)


def acquire(
    measured: KSpace,
    profile: ScannerProfile,
    pixel_mm: float,
    noise: float,
    rng: np.random.Generator,
) -> Image:
    """The magnitude image of what was measured, with limited resolution and Rician noise.

    Args:
        measured: From ``to_kspace``, ``[T, Z, Y, X]``; changed in place.
        profile: Of the scanner.
        pixel_mm: In-plane spacing.
        noise: Standard deviation of the noise in each of the two channels.
        rng: Of the noise.

    Returns:
        Image, ``[T, Z, Y, X]`` float32.
    """
    height, width = measured.shape[-2:]
    _add_noise(measured, noise * np.sqrt(height * width), rng)
    readout, phase = profile.resolution_mm
    measured *= _damping(width, pixel_mm / readout, profile.apodisation)
    measured *= _damping(height, pixel_mm / phase, profile.apodisation)[:, None]
    image = fft.ifft2(measured, axes=(-2, -1), overwrite_x=True)
    return np.asarray(np.abs(image), dtype=np.float32)


def _add_noise(measured: KSpace, sd: float, rng: np.random.Generator) -> None:
    """Add noise of that standard deviation to both channels, in place."""
    for parts in (measured.real, measured.imag):
        parts += np.float32(sd) * rng.standard_normal(measured.shape, dtype=np.float32)


def _damping(length: int, reach: float, apodisation: float) -> Image:
    """What is kept of each spatial frequency: none beyond ``reach`` times the highest."""
    relative = np.abs(fft.fftfreq(length)) * 2 / reach
    start = 1 - apodisation
    ramp = np.clip((relative - start) / max(apodisation, 1e-6), 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * ramp), dtype=np.float32)
