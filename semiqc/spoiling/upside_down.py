"""Images read from the wrong side."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from semiqc.schemes import LabelScheme
from semiqc.spoiling.base import Spoiling
from semiqc.study import Study


@dataclass(frozen=True)
class UpsideDown(Spoiling):
    """Rows are counted from below: the image is mirrored, and its header does not say so."""

    title: ClassVar[str] = "upside down"

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        return replace(
            study,
            image=np.ascontiguousarray(study.image[:][..., ::-1, :]),
            labels=np.ascontiguousarray(study.labels[:][..., ::-1, :]),
        )
