"""Brain tumours in four MR contrasts: T1, T1 with contrast agent, T2 and FLAIR.

Voxels outside the brain are 0 in every modality. What a brain and a glioma draw is set out in
``docs/phantom.md``; the group is ``"HGG"`` or ``"LGG"``, high grade or low.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.artefacts import check_severity
from semiqc.phantom.brain import Brain, Tissue, draw_brain, shares
from semiqc.phantom.cine import axial, check_size, normalised
from semiqc.phantom.draws import Normal, Uniform, streams
from semiqc.phantom.scanner import ScannerProfile, acquire, find_profile, to_kspace, vary
from semiqc.phantom.tissue import Image, texture
from semiqc.study import Study

MODALITIES = ("T1", "T1c", "T2", "FLAIR")
"""In the order of the image's first axis."""

SIGNALS: dict[str, tuple[float, ...]] = {
    "T1": (0, 0.22, 0.66, 0.92, 0.60, 0.40, 0.58),
    "T1c": (0, 0.20, 0.60, 0.82, 0.54, 0.36, 1.45),
    "T2": (0, 1.35, 0.62, 0.44, 1.00, 1.15, 0.80),
    "FLAIR": (0, 0.10, 0.66, 0.50, 1.15, 0.66, 0.92),
}
"""Of each ``Tissue``, relative to a scanner's signal; CSF is nulled in FLAIR."""

LABEL_OF = (0, 0, 0, 0, 1, 2, 3)
"""Label value of each ``Tissue``, in the order of the scheme ``tumour``."""

RESOLUTION_MM = 1.1
LARGEST_NOISE_FACTOR = 4.0
HIGH_GRADE_SHARE = 0.75


def tumour_study(
    seed: int,
    *,
    size: int = 96,
    slices: int = 72,
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    profile: str = "1.5T-sharp",
    artefacts: float = 0.2,
    name: str | None = None,
) -> Study:
    """A still brain without its skull, with a glioma; every voxel has a label.

    Args:
        seed: Of everything that is drawn.
        size: Rows and columns.
        slices: From the crown down, around the brain's middle; the tumour lies among them.
        spacing: ``(z, y, x)`` in mm, with ``y`` equal to ``x``.
        profile: Scanner profile, which gives noise and bias.
        artefacts: 0 for clean images, 1 for very noisy and uneven ones.
        name: Of the study; by default from group and seed.

    Returns:
        A study with ``image [4, 1, Z, Y, X]`` in the order of ``MODALITIES``.

    Raises:
        ValueError: If the profile is unknown or a number is out of range.
    """
    check_severity(artefacts)
    of_brain, of_shape, of_scanner, of_noise = streams(seed, 4)
    scanner = vary(find_profile(profile), of_scanner)
    group = "HGG" if of_brain.random() < HIGH_GRADE_SHARE else "LGG"
    name = name or f"{group}-{seed}"
    check_size(name, (1, slices, size), spacing)
    reach_mm = 0.3 * slices * spacing[0]
    brain = draw_brain(of_brain, reach_mm, high_grade=group == "HGG")
    filled = _filled(brain, (slices, size), spacing, of_shape)
    image = _image(filled, scanner, artefacts, spacing[1], (of_scanner, of_noise))
    geometry = axial((slices, size, size), spacing)
    return Study(name, image, _labels(filled)[None], spacing, group=group, geometry=geometry)


def _filled(
    brain: Brain,
    shape: tuple[int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
) -> Image:
    """Share of each tissue in each voxel, ``[7, Z, Y, X]``; thick slices are means of planes."""
    slices, size = shape
    planes = max(1, round(spacing[0] / spacing[1]))
    heights = _axis(slices * planes, spacing[0] / planes)
    across = _axis(size, spacing[1])
    z, y, x = np.meshgrid(heights, across, across, indexing="ij")
    found = shares(brain, (x, y, z), spacing[1], rng)
    return np.asarray(found.reshape(len(Tissue), slices, planes, size, size).mean(axis=2))


def _axis(count: int, step_mm: float) -> Image:
    """Places of voxels in mm, with 0 in the middle."""
    return ((np.arange(count) - (count - 1) / 2) * step_mm).astype(np.float32)


def _labels(filled: Image) -> NDArray[np.int8]:
    """The class that fills most of each voxel, ``[Z, Y, X]``."""
    classes = np.zeros((max(LABEL_OF) + 1, *filled.shape[1:]), dtype=np.float32)
    for tissue, label in zip(filled, LABEL_OF, strict=True):
        classes[label] += tissue
    return np.asarray(classes.argmax(axis=0), dtype=np.int8)


def _image(
    filled: Image,
    scanner: ScannerProfile,
    artefacts: float,
    pixel_mm: float,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Image:
    """All modalities, ``[4, 1, Z, Y, X]``, of a scanner that resolves no less than a pixel."""
    scanner = replace(scanner, resolution_mm=(max(RESOLUTION_MM, pixel_mm),) * 2)
    modalities = [
        _imaged(filled, modality, scanner, artefacts, pixel_mm, rngs) for modality in MODALITIES
    ]
    return np.stack(modalities)


def _imaged(
    filled: Image,
    modality: str,
    scanner: ScannerProfile,
    artefacts: float,
    pixel_mm: float,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Image:
    """One modality, ``[1, Z, Y, X]``, normalised as import brings it."""
    of_scanner, of_noise = rngs
    shape = filled.shape[1:]
    signal = _signal(filled, modality, of_scanner)
    strength = 0.4 * scanner.bias * (1 + artefacts) * Uniform(0.6, 1.2).draw(of_scanner)
    smooth = texture(of_scanner, shape, tuple(n / 3 for n in shape))
    signal *= np.exp(np.float32(strength) * np.clip(smooth, -2, 2))
    noise = (1 + (LARGEST_NOISE_FACTOR - 1) * artefacts) / scanner.snr
    image = acquire(to_kspace(signal[None]), scanner, pixel_mm, noise, of_noise)
    image *= filled[Tissue.AIR] < 0.5
    return normalised(image)


def _signal(filled: Image, modality: str, rng: np.random.Generator) -> Image:
    """Sum of what the tissues of each voxel give, ``[Z, Y, X]``."""
    signal = np.zeros(filled.shape[1:], dtype=np.float32)
    for tissue, bright in zip(Tissue, SIGNALS[modality], strict=True):
        varied = bright * Normal(1, 0.05, 0.85, 1.15).draw(rng)
        uneven = _UNEVEN[tissue] * texture(rng, signal.shape, (2.0,) * 3)
        signal += filled[tissue] * np.float32(varied) * (1 + uneven)
    return signal


_UNEVEN: dict[Tissue, float] = {
    Tissue.AIR: 0.0,
    Tissue.FLUID: 0.03,
    Tissue.GREY: 0.04,
    Tissue.WHITE: 0.03,
    Tissue.OEDEMA: 0.08,
    Tissue.CORE: 0.15,
    Tissue.ENHANCING: 0.12,
}
"""Standard deviation of each tissue's signal, as a share of it."""
