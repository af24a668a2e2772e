"""Phantoms in a study's place: another organ, or a phantom among patients."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from semiqc.phantom.aorta import aorta_study
from semiqc.phantom.dataset import AORTA_SLICE_MM, CONTENTS, brain_slice_mm
from semiqc.phantom.scanner import PROFILES
from semiqc.phantom.short_axis import short_axis_study
from semiqc.phantom.tumour import tumour_study
from semiqc.schemes import AORTA, LabelScheme
from semiqc.spoiling.base import Spoiling, only_background
from semiqc.study import Study

PHANTOM = "phantom"
"""Source of every phantom, as its geometry says it."""


@dataclass(frozen=True)
class OtherAnatomy(Spoiling):
    """A transverse slice of the chest at the aorta; a heart where the aorta is looked for.

    Drawn, for every patient's data set has its own anatomy alone. Labels are background.
    """

    title: ClassVar[str] = "another anatomy"

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        is_aorta = not scheme.mismatch(AORTA)
        found = _phantom("short-axis" if is_aorta else "aorta", study, rng)
        return _in_place_of(study, found, has_truth=False)


@dataclass(frozen=True)
class AnotherPhantom(Spoiling):
    """A phantom of the organ among patients; among phantoms, a phantom of something else.

    In the first case the labels are those of the phantom, in the second they are background.
    """

    title: ClassVar[str] = "a phantom among patients, or of another kind"

    def __call__(self, study: Study, scheme: LabelScheme, rng: np.random.Generator) -> Study:
        alike = {kind: not own.mismatch(scheme) for kind, (own, _) in CONTENTS.items()}
        is_phantom = study.geometry is not None and study.geometry.source == PHANTOM
        wanted = not is_phantom and any(alike.values())
        # Brains come last among the kinds, and are what differs most from the others.
        kind = [name for name, is_alike in alike.items() if is_alike is wanted][-1]
        return _in_place_of(study, _phantom(kind, study, rng), has_truth=wanted)


def _phantom(kind: str, study: Study, rng: np.random.Generator) -> Study:
    """A phantom with the pixels and about the size of a study."""
    seed = int(rng.integers(2**31))
    profile = list(PROFILES)[rng.integers(len(PROFILES))]
    size = max(32, *study.labels.shape[2:])
    frames, slices, pixel = study.frames, study.labels.shape[1], study.spacing[1]
    in_plane = (pixel, pixel)
    if kind == "aorta":
        spacing = (AORTA_SLICE_MM, *in_plane)
        return aorta_study(seed, size=size, frames=frames, spacing=spacing, profile=profile)
    if kind == "tumour":
        spacing = (brain_slice_mm(slices, pixel), *in_plane)
        return tumour_study(seed, size=size, slices=slices, spacing=spacing, profile=profile)
    spacing = (study.spacing[0], *in_plane)
    return short_axis_study(
        seed, size=size, slices=slices, frames=frames, spacing=spacing, profile=profile
    )


def _in_place_of(study: Study, phantom: Study, *, has_truth: bool) -> Study:
    """A phantom under a study's name, with its modalities, frames, rows and columns.

    Args:
        study: Whose frames with labels have labels again.
        phantom: With one modality or several, beating or still.
        has_truth: Whether its labels mean what those of the study mean.
    """
    modalities, frames, _, *size = study.image.shape
    top, left = ((a - b) // 2 for a, b in zip(phantom.labels.shape[2:], size, strict=True))
    window = (..., slice(top, top + size[0]), slice(left, left + size[1]))
    image, labels = phantom.image[window], phantom.labels[window]
    moments = np.arange(frames) % image.shape[1]
    image = image[np.arange(modalities) % image.shape[0]][:, moments]
    shown = only_background(study.labels, (labels.shape[1], size[0], size[1]))
    if has_truth:
        shown = np.where(shown < 0, shown, labels[moments])
    return replace(study, image=image, labels=shown, spacing=phantom.spacing, geometry=None)
