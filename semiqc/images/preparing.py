"""A raw study as segmenters and estimators take it: resampled in plane and normalised."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.images.axes import AS_IT_LIES, axes_of, turned
from semiqc.images.plausible import oddities
from semiqc.images.raw import RawStudy, UnusableError
from semiqc.images.resampling import length_at, resample_image, resample_labels
from semiqc.images.sizes import MOST_SLICES, MOST_VOXELS, WIDEST_MM, check_spacing
from semiqc.study import Geometry, Study

PERCENTILES = (1.0, 99.0)
"""Intensities that become 0 and 1; robust against what is brightest and darkest."""

CLIPPED = (-1.0, 3.0)
"""Where intensities end: a spike must not outweigh the image."""

SAMPLED_VOXELS = 2_000_000
"""Of a study, from which percentiles are taken."""

FEWEST_PIXELS = 16
"""Rows or columns of an image that was much shrunk; likewise."""

SHRUNK = 5
"""Times that an image is much shrunk by."""

MOST_PIXELS = 4096
"""Rows or columns of a resampled image; what asks for more has a spacing that is not in mm."""


def prepared(raw: RawStudy, spacing: float) -> Study:
    """A raw study with its slices first, resampled in plane and normalised.

    Of several modalities one may be the same everywhere: the study lacks it, and it becomes 0.

    Args:
        raw: As a reader gave it.
        spacing: In plane, in mm.

    Raises:
        UnusableError: If the image is the same everywhere, or would become far too large, as with
            a spacing that is not in mm.
    """
    raw = turned(raw)
    check_size(raw.name, raw.image.shape, raw.spacing, spacing)
    z, y, x = raw.spacing
    image, labels = _resampled(raw, (y, x), (spacing, spacing))
    _normalise_all(image, raw)
    depth, height, width = raw.image.shape[2:]
    recorded = {
        "source_spacing": [z, y, x],
        "study_spacing": [z, spacing, spacing],
        "time_step": raw.time_step,
        "time_unit": raw.time_unit,
        **({"nifti": dict(raw.form)} if raw.form else {}),
        **({"axes": list(raw.axes)} if raw.axes != AS_IT_LIES else {}),
    }
    return Study(
        name=raw.name,
        image=image,
        labels=labels,
        spacing=(z, spacing, spacing),
        group=raw.group,
        subject=raw.subject,
        split=raw.split,
        geometry=Geometry(raw.affine, (width, height, depth), raw.source, recorded),
        source_labels=None if (y, x) == (spacing, spacing) else raw.labels,
        notes=(*raw.warnings, *oddities(raw)),
    )


def regridded(raw: RawStudy, frame: NDArray[np.floating], spacing: float) -> NDArray[np.float32]:
    """What lies on the grid of a raw study, brought to that of the prepared one.

    Args:
        raw: The study.
        frame: Numbers of one frame, ``[K, Z, Y, X]``, such as class probabilities.
        spacing: In plane, in mm, as of ``prepared``.
    """
    axes = axes_of(raw.spacing)
    _, y, x = (raw.spacing[axis] for axis in axes)
    turned_frame = frame.transpose(0, *(1 + axis for axis in axes))
    return resample_image(turned_frame, (y, x), (spacing, spacing))


def check_size(
    called: str, shape: Sequence[int], spacing: tuple[float, float, float], target_mm: float
) -> None:
    """Refuse a study that would become far too large, or too small to show anything.

    Args:
        called: The study's name.
        shape: Of its image, ``[..., Z, Y, X]``.
        spacing: In mm, ordered ``(z, y, x)``.
        target_mm: In plane, of the study as it would become.

    Raises:
        UnusableError: Naming the spacing, which is hardly in mm then.
    """
    check_spacing(spacing, called)
    *others, height, width = shape
    pixels = (height * spacing[1] / target_mm, width * spacing[2] / target_mm)
    for mm, length, wanted in zip(spacing[1:], (height, width), pixels, strict=True):
        if wanted > MOST_PIXELS or wanted < min(FEWEST_PIXELS, length / SHRUNK):
            raise UnusableError(
                f"{called}: {length} pixels of {mm:g} mm would become {wanted:.0f} of"
                f" {target_mm:g} mm; is the spacing in mm?"
            )
        if length * mm > WIDEST_MM:
            raise UnusableError(
                f"{called}: {length} pixels of {mm:g} mm measure {length * mm:.6g} mm, expected"
                f" {WIDEST_MM:g} at most; is the spacing in mm?"
            )
    *_, frames, slices = others
    if frames * slices > MOST_SLICES:
        raise UnusableError(
            f"{called}: {frames} frames of {slices} slices, expected {MOST_SLICES} slices at most"
        )
    voxels = prod(others) * prod(pixels)
    if voxels > MOST_VOXELS:
        raise UnusableError(
            f"{called}: shape {tuple(shape)} would become {voxels:.3g} voxels at"
            f" {target_mm:g} mm, expected {MOST_VOXELS} at most; is the spacing in mm?"
        )


def _resampled(
    raw: RawStudy, source_mm: tuple[float, float], target_mm: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Image and labels on another grid, a frame at a time, since every step makes a copy."""
    modalities, frames, slices, *lengths = raw.image.shape
    wanted = map(length_at, lengths, source_mm, target_mm)
    size = (frames, slices, *wanted)
    image, labels = np.empty((modalities, *size), np.float32), np.empty(size, np.int8)
    for frame in range(frames):
        image[:, frame] = resample_image(raw.image[:, frame], source_mm, target_mm)
        labels[frame] = resample_labels(raw.labels[frame], source_mm, target_mm)
    return image, labels


def _normalise_all(image: NDArray[np.float32], raw: RawStudy) -> None:
    """Normalise each modality, in place; one that is the same everywhere becomes 0.

    Raises:
        UnusableError: If all are the same everywhere.
    """
    is_flat = [source.min() == source.max() for source in raw.image]
    if all(is_flat):
        raise UnusableError(f"{raw.name}: image is {raw.image.flat[0]:g} everywhere")
    for modality, source, flat in zip(image, raw.image, is_flat, strict=True):
        if flat:
            modality[:] = 0
        else:
            _normalise(modality, source)


def _normalise(image: NDArray[np.float32], source: NDArray[Any]) -> None:
    """Bring the percentiles of ``source``, which has several values, to 0 and 1, in place."""
    flat = source.reshape(-1)
    low, high = np.percentile(flat[:: 1 + flat.size // SAMPLED_VOXELS], PERCENTILES)
    if low == high:
        # Nearly everything is background, as around a small masked organ.
        low, high = float(flat.min()), float(flat.max())
    image -= np.float32(low)
    image /= np.float32(high - low)
    np.clip(image, *CLIPPED, out=image)
