"""One segmentation judged from Python, whether it lies in files or in memory."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import ArrayLike, NDArray

from qc.suites.suite import Scored, Suite
from semiqc.exchange.readers.nifti import checked_meaning
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.images.preparing import prepared
from semiqc.images.raw import UnusableError
from semiqc.measuring.measures import clinical
from semiqc.measuring.misshapen import misshapen
from semiqc.measuring.plausible import implausible
from semiqc.nifti.files import stem

File: TypeAlias = str | PathLike[str]
Given: TypeAlias = File | SpatialImage | ArrayLike


def score(
    image: Given,
    segmentation: Given,
    *,
    suite: Suite | File = "phantom",
    spacing: tuple[float, float, float] | None = None,
    meaning: Mapping[int, int] | None = None,
    name: str | None = None,
) -> Scored:
    """Judge a segmentation that any program made.

    Example:
        >>> semiqc.score("image.nii.gz", "segmentation.nii.gz").to_frame()

    Args:
        image: A file (NIfTI, NRRD or MetaImage), an image of nibabel, or an array, ``[Z, Y, X]``,
            ``[T, Z, Y, X]`` or ``[M, T, Z, Y, X]``.
        segmentation: Likewise, on the same grid; an array has label values, ``[Z, Y, X]`` or
            ``[T, Z, Y, X]``. Arrays go with arrays only.
        suite: A suite, its folder, or the name of one that is shipped. To judge many
            segmentations load it once: ``qc.Suite.load``.
        spacing: Of arrays, and only of them: mm between voxel centres, ordered ``(z, y, x)``.
        meaning: Value of the suite's scheme of each other label value; 0 stays 0.
        name: Of the study; default that of the image's file.

    Raises:
        ValueError: If they cannot be read, or do not fit each other or the suite.
    """
    suite = suite if isinstance(suite, Suite) else Suite.load(Path(suite))
    given = (image, segmentation)
    _check_kinds(given, spacing)
    if spacing is not None:
        labels = _translated(np.asarray(segmentation), checked_meaning(meaning, suite.scheme))
        found = suite.score(np.asarray(image), labels, spacing, name=name or "study")
    else:
        found = _score_files(suite, given, meaning, name)
    return replace(found, warnings=(*found.warnings, *_broken(found, suite)))


def _broken(found: Scored, suite: Suite) -> list[str]:
    labels, spacing = found.prediction.labels, found.prediction.spacing
    measured = clinical(labels, spacing, suite.scheme)
    return [*implausible(measured), *misshapen(labels, suite.scheme)]


def _check_kinds(given: tuple[Given, Given], spacing: object) -> None:
    """Refuse an array beside a file, arrays without their spacing, and files with one."""
    arrays = [not isinstance(one, str | PathLike | SpatialImage) for one in given]
    if any(arrays) != (spacing is not None) or any(arrays) != all(arrays):
        raise UnusableError(
            "expected two files or images of nibabel, or two arrays and their spacing (z, y, x)"
        )


def _translated(labels: NDArray[np.generic], meaning: Mapping[int, int] | None) -> ArrayLike:
    """Label values as the scheme has them; one without a meaning is refused where it is judged."""
    if meaning is None:
        return labels
    translated = np.full(labels.shape, -1, np.int16)
    for value, meant in meaning.items():
        translated[labels == value] = meant
    return translated


def _score_files(
    suite: Suite, given: tuple[Given, Given], meaning: Mapping[int, int] | None, name: str | None
) -> Scored:
    with TemporaryDirectory() as folder:
        image, segmentation = (
            _as_file(one, Path(folder) / f"{what}.nii")
            for one, what in zip(given, ("image", "segmentation"), strict=True)
        )
        listing = find_pairs(image, segmentation, suite.scheme, suite.training.modalities, meaning)
        if not listing.entries:
            raise UnusableError(listing.refusals[0].reason)
        raw = listing.entries[0].read(True)
        known = name or (stem(image) if isinstance(given[0], str | PathLike) else "study")
        return suite.judge(prepared(replace(raw, name=known), suite.training.spacing_mm))


def _as_file(given: Given, path: Path) -> Path:
    """The file that is given, or one with what is held in memory."""
    if isinstance(given, SpatialImage):
        nib.save(given, path)
        return path
    return Path(given)  # type: ignore[arg-type]
