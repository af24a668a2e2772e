"""From what lies in each voxel to the image a scanner gives, for every kind of phantom."""

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.artefacts import Artefacts, corrupt
from semiqc.phantom.draws import Normal
from semiqc.phantom.scanner import ScannerProfile, acquire, to_kspace
from semiqc.phantom.tissue import Image
from semiqc.study import PHANTOM_SOURCE, Geometry

SMALLEST_SIZE = 32


def check_size(name: str, shape: tuple[int, int, int], spacing: tuple[float, ...]) -> None:
    """Refuse what no phantom can be made of.

    Args:
        name: Of the study.
        shape: Frames, slices and size, ``(T, Z, S)``.
        spacing: ``(z, y, x)`` in mm.

    Raises:
        ValueError: If there are too few voxels, or pixels are not square.
    """
    frames, slices, size = shape
    if frames < 1 or slices < 1 or size < SMALLEST_SIZE:
        raise ValueError(
            f"{name}: a phantom needs at least 1 frame, 1 slice and size {SMALLEST_SIZE},"
            f" got {frames}, {slices} and {size}"
        )
    if not min(spacing) > 0 or spacing[1] != spacing[2]:
        raise ValueError(f"{name}: spacing must be positive mm with y equal to x, got {spacing}")


def scene(
    size: int, pixel_mm: float, angle_deg: float, shift_mm: NDArray[np.float64]
) -> tuple[Image, Image]:
    """Where each pixel lies in the body.

    Args:
        size: Rows and columns.
        pixel_mm: In-plane spacing.
        angle_deg: By which the body is turned in the image.
        shift_mm: From the image's centre to the body's origin, ``(x, y)``.

    Returns:
        ``x`` and ``y`` in mm, ``[Y, X]`` float32 each.
    """
    axis = (np.arange(size) - (size - 1) / 2) * pixel_mm
    right, down = axis[None, :] - shift_mm[0], axis[:, None] - shift_mm[1]
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    x = cosine * right + sine * down
    y = cosine * down - sine * right
    return x.astype(np.float32), y.astype(np.float32)


def scan(
    signal: Image,
    scanner: ScannerProfile,
    faults: Artefacts,
    pixel_mm: float,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Image:
    """The image of a study, with its noise and artefacts, normalised as an imported one.

    Args:
        signal: Tissue signal times coil sensitivity, ``[T, Z, Y, X]``; blood is about 1.
        scanner: That measures it.
        faults: Artefacts of the study.
        pixel_mm: In-plane spacing.
        rngs: Of the noise, and of the artefacts.

    Returns:
        Image, ``[1, T, Z, Y, X]`` float32.
    """
    of_noise, of_artefacts = rngs
    measured = to_kspace(signal)
    corrupt(measured, faults, pixel_mm, of_artefacts)
    image = acquire(measured, scanner, pixel_mm, faults.noise / scanner.snr, of_noise)
    return normalised(image)[None]


def normalised(image: Image) -> Image:
    """Intensities with the 1st percentile at 0 and the 99th at 1, as import brings them."""
    low, high = np.percentile(image[:: max(1, len(image) // 4)], (1, 99))
    scaled = (image - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.clip(scaled, -1, 3))


def oblique(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], rng: np.random.Generator
) -> Geometry:
    """A plausible place in the scanner for a short-axis stack.

    Args:
        shape: ``(Z, Y, X)``.
        spacing: ``(z, y, x)`` in mm.
        rng: Tilts and shifts the stack.
    """
    tilt = np.array([Normal(0, 0.07, -0.2, 0.2).draw(rng) for _ in range(6)])
    # In RAS+: the apex lies left, anterior and inferior of the base; rows run towards inferior.
    apex = np.array([-0.65, 0.57, -0.50]) + tilt[:3]
    left = np.array([-0.72, -0.66, 0.10]) + tilt[3:]
    return _placed(apex, left, shape, spacing)


def axial(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
    """A transverse slice: columns run towards the patient's left, rows towards posterior."""
    return _placed(np.array([0, 0, -1.0]), np.array([-1.0, 0, 0]), shape, spacing)


def _placed(
    through: NDArray[np.float64],
    across: NDArray[np.float64],
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> Geometry:
    """Geometry of a stack whose centre is the scanner's."""
    through = through / np.linalg.norm(through)
    across = across - (across @ through) * through
    across = across / np.linalg.norm(across)
    down = np.cross(across, through)
    affine = np.eye(4)
    columns = np.stack([across, down, through], axis=1)
    affine[:3, :3] = columns * np.array(spacing[::-1])
    source_shape = (shape[2], shape[1], shape[0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(source_shape) - 1) / 2)
    return Geometry(affine, source_shape, source=PHANTOM_SOURCE)
