"""Noise in which little is seen."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from semiqc.phantom.cine import normalised
from semiqc.schemes import LabelScheme
from semiqc.spoiling.base import Range, Spoiling, drawn
from semiqc.study import Study


@dataclass(frozen=True)
class Noise(Spoiling):
    """Noise of both channels of the receiver, as with a coil that was not plugged in.

    Args:
        sd: Standard deviation in each channel, as a share of the brightest tissue's signal.
    """

    title: ClassVar[str] = "extreme noise"

    sd: Range = (0.5, 1.2)

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        sd = np.float32(drawn(self.sd, rng))
        image = np.array(study.image[:], dtype=np.float32)
        image -= image.min()
        for modality in image:
            for frame in modality:
                real = frame + sd * rng.standard_normal(frame.shape, dtype=np.float32)
                imaginary = sd * rng.standard_normal(frame.shape, dtype=np.float32)
                frame[:] = np.hypot(real, imaginary)
            modality[:] = normalised(modality)
        return replace(study, image=image)
