"""A scanner and protocol unlike those of the labelled studies."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from semiqc.phantom.cine import normalised
from semiqc.phantom.scanner import ScannerProfile, acquire, to_kspace
from semiqc.phantom.tissue import Image, texture
from semiqc.schemes import LabelScheme
from semiqc.spoiling.base import Range, Spoiling, drawn
from semiqc.study import Study


@dataclass(frozen=True)
class OtherScanner(Spoiling):
    """Other contrast, coarser resolution, an uneven coil and more noise at once.

    The contrast is flattened or steepened, or inverted as where blood is dark.

    Args:
        gamma: Exponent of the intensities, or its inverse.
        inverted: Share of the studies whose contrast is inverted.
        resolution_mm: Along readout; a fifth more along phase encoding.
        bias: Standard deviation of the logarithm of the coil's sensitivity.
        snr: Signal of the brightest tissue over the noise's standard deviation.
    """

    title: ClassVar[str] = "another scanner"

    gamma: Range = (1.6, 2.6)
    inverted: float = 0.4
    resolution_mm: Range = (3.0, 5.0)
    bias: Range = (0.4, 0.8)
    snr: Range = (6.0, 14.0)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        coil = self._coil(study.image.shape[-2:], rng)
        readout = drawn(self.resolution_mm, rng)
        profile = ScannerProfile(
            "another", resolution_mm=(readout, 1.2 * readout), snr=drawn(self.snr, rng)
        )
        exponent = drawn(self.gamma, rng) ** rng.choice([-1, 1])
        is_inverted = rng.random() < self.inverted
        image = np.empty(study.image.shape, np.float32)
        for modality, found in zip(study.image[:], image, strict=True):
            signal = np.clip(modality, 0, 1) ** np.float32(exponent)
            signal = (1 - signal if is_inverted else signal) * coil
            for plane in range(signal.shape[1]):
                measured = to_kspace(signal[:, plane, None])
                noise = 1 / profile.snr
                seen = acquire(measured, profile, study.spacing[1], noise, rng)
                found[:, plane] = seen[:, 0]
            found[:] = normalised(found)
        return replace(study, image=image)

    def _coil(self, size: tuple[int, ...], rng: np.random.Generator) -> Image:
        """Sensitivity of the coil, ``[Y, X]``."""
        smooth = texture(rng, size, tuple(length / 3 for length in size))
        sensitivity: Image = np.exp(np.float32(drawn(self.bias, rng)) * np.clip(smooth, -2, 2))
        return sensitivity
