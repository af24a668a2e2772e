"""Breathing while a slice is measured."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from semiqc.phantom.artefacts import Artefacts, corrupt
from semiqc.phantom.scanner import KSpace
from semiqc.schemes import LabelScheme
from semiqc.spoiling.base import Range, Spoiling, drawn
from semiqc.spoiling.kspace import remeasured
from semiqc.study import Study


@dataclass(frozen=True)
class Motion(Spoiling):
    """Lines of k-space are measured at other positions of the breath and moments of the beat.

    Labels stay: they are of the mean position.

    Args:
        breathing_mm: Amplitude of breathing; each slice has up to one and a half times of it.
        mistriggered: Share of the heartbeats that were triggered at another moment.
    """

    title: ClassVar[str] = "breathing and bad triggering"

    breathing_mm: Range = (6.0, 12.0)
    mistriggered: Range = (0.2, 0.6)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        faults = Artefacts(
            breathing_mm=drawn(self.breathing_mm, rng), mistriggered=drawn(self.mistriggered, rng)
        )

        def change(measured: KSpace) -> None:
            corrupt(measured, faults, study.spacing[1], rng)

        return replace(study, image=remeasured(study.image, change, rng))
