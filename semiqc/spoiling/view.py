"""A view in which the short axis is not seen."""

from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from semiqc.images.resampling import resample_image, resample_labels
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme
from semiqc.spoiling.base import Spoiling
from semiqc.study import Study

Scalar = TypeVar("Scalar", bound=np.generic)

MIDDLE_SHARE = 0.5
"""Of the image's rows or columns, the middle ones through which planes are laid."""


@dataclass(frozen=True)
class OtherView(Spoiling):
    """Planes along the stack's axis, as of a reformatted series: the long axis in the rows.

    As many planes as there were slices, through the middle of the image, of the same size.
    Beyond the stack there is nothing. Labels are cut alike.
    """

    title: ClassVar[str] = "long axis in place of short axis"
    fewest_slices: ClassVar[int] = 3

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        image, labels = study.image[:], study.labels[:]
        if rng.random() < 0.5:
            image, labels = np.swapaxes(image, -1, -2), np.swapaxes(labels, -1, -2)
        count, across = labels.shape[1], labels.shape[-1]
        margin = (1 - MIDDLE_SHARE) / 2 * (across - 1)
        places = np.rint(np.linspace(margin, across - 1 - margin, count)).astype(int)
        # [..., Z, Y, X] -> [..., X', Z, Y]: the planes are at columns, the rows along the stack.
        planes = np.moveaxis(image[..., places], -1, -3)
        label_planes = np.moveaxis(labels[..., places], -1, -3)
        source, target = study.spacing[:2], (study.spacing[1],) * 2
        height = study.labels.shape[2], study.labels.shape[3]
        cut = resample_image(planes, source, target)
        cut_labels = resample_labels(label_planes, source, target)
        return replace(
            study,
            image=_framed(cut, height, float(image.min())),
            labels=_framed_labels(cut_labels, height),
            geometry=None,
        )


def _framed(slices: NDArray[Scalar], size: tuple[int, int], fill: float) -> NDArray[Scalar]:
    """``[..., Y, X]`` in the middle of slices of another size, cut or filled."""
    found = np.full((*slices.shape[:-2], *size), fill, slices.dtype)
    here, there = [], []
    for length, wanted in zip(slices.shape[-2:], size, strict=True):
        kept = min(length, wanted)
        here.append(slice((length - kept) // 2, (length - kept) // 2 + kept))
        there.append(slice((wanted - kept) // 2, (wanted - kept) // 2 + kept))
    found[..., there[0], there[1]] = slices[..., here[0], here[1]]
    return found


def _framed_labels(labels: NDArray[np.int8], size: tuple[int, int]) -> NDArray[np.int8]:
    """``[T, Z, Y, X]`` likewise; filled with background where a frame has labels."""
    return np.stack(
        [
            _framed(frame, size, BACKGROUND if (frame != UNLABELLED).any() else UNLABELLED)
            for frame in labels
        ]
    )
