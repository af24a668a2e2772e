"""Ghosts: copies of the image, apart by a fraction of the field of view."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import fft

from semiqc.phantom.scanner import KSpace
from semiqc.schemes import LabelScheme
from semiqc.spoiling.base import Range, Spoiling, drawn
from semiqc.spoiling.kspace import remeasured
from semiqc.study import Study

PERIODS = (2, 3, 4)
"""Lines after which the fault comes again: as many ghosts there are, the image itself counted."""


@dataclass(frozen=True)
class Ghosts(Spoiling):
    """Every second, third or fourth line of k-space has another strength and phase.

    So it is with pulsating blood, and with gradients or receivers that are out of step.

    Args:
        strength: Of the fault, as a share of the signal.
    """

    title: ClassVar[str] = "ghosts"

    strength: Range = (0.6, 1.0)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        period = int(rng.choice(PERIODS))
        strength = drawn(self.strength, rng)

        def change(measured: KSpace) -> None:
            lines = measured.shape[-2]
            phases = rng.uniform(0, 2 * np.pi, period)
            gains = 1 + strength * np.exp(1j * phases)
            gains[0] = 1  # Of the middle of k-space, so that slices stay equally bright.
            of_line = np.rint(fft.fftfreq(lines) * lines).astype(int) % period
            measured *= gains[of_line].astype(np.complex64)[:, None]

        return replace(study, image=remeasured(study.image, change, rng))
