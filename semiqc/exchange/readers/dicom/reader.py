"""Cine series as they leave a scanner: one DICOM file for each slice and phase.

::

    study/                   a study for each series, at any depth
        IM-0001-0001.dcm     files are taken by their content, whatever their names
        IM-0001-0002.dcm
    study_contours/          manual contours beside, as the Sunnybrook data has them; see
                             ``semiqc.exchange.readers.dicom.contours``

Files are grouped by series. Slices are sorted along their common normal, the phases of each by
trigger time, or else by acquisition time or instance number. A series in which a slice or phase
is missing or doubled is refused, since nobody could tell which frame is which. The slice distance
is that of the positions; ``SliceThickness`` says nothing of gaps. Series that put each slice into
a series of its own become a study each.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.readers.dicom.contours import contour_labels, contours_beside
from semiqc.exchange.readers.dicom.files import (
    claims_to_be_dicom,
    files_in,
    is_dicom,
    read_pixels,
    read_slice,
)
from semiqc.exchange.readers.dicom.stack import CineStack, Slice, stack_slices
from semiqc.exchange.readers.listing import listing_of
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.headers import MOST_VOXELS
from semiqc.schemes import SHORT_AXIS, UNLABELLED, LabelScheme


@dataclass(frozen=True)
class Series:
    """The files of a series.

    Args:
        folder: In which they lie.
        slices: What their headers say, in no order.
        broken: Names of files beside them that cannot be read.
    """

    folder: Path
    slices: tuple[Slice, ...]
    broken: tuple[str, ...] = ()

    @property
    def in_plane_mm(self) -> tuple[float, float]:
        """Spacing ``(y, x)`` of its first file."""
        y, x = self.slices[0].spacing
        return y, x


def recognises(source: Path) -> bool:
    """Whether a folder holds a DICOM file, at any depth."""
    return source.is_dir() and any(is_dicom(path) for path in files_in(source))


def find(source: Path, scheme: LabelScheme | None = None) -> Listing:
    """Series at any depth of a folder, named by their folder, and number where it has several.

    Args:
        source: The folder.
        scheme: Of labels from contours; by default ``SHORT_AXIS``.
    """
    scheme = scheme or SHORT_AXIS
    found, broken = _gathered(source)
    together = Counter(folder for folder, _, _ in found)
    series = [
        (
            folder.resolve().name if together[folder] == 1 else f"{folder.name}-{number}",
            Series(folder, tuple(slices), tuple(p.name for p in broken if p.parent == folder)),
        )
        for (folder, _, number), slices in found.items()
    ]
    refusals = [Refusal(path.parent.name, reason) for path, reason in broken.items()]
    return listing_of(series, partial(_entry, scheme), scheme, refusals=refusals)


def _entry(scheme: LabelScheme, text: str, series: Series) -> Entry:
    name = safe_name(text)
    read = partial(_read, name, series, scheme)
    return Entry(name, series.folder, lambda: series.in_plane_mm, read)


def _gathered(
    source: Path,
) -> tuple[dict[tuple[Path, str, str], list[Slice]], dict[Path, str]]:
    """Slices by folder, series and its number; and files that cannot be read, with the reason."""
    found: dict[tuple[Path, str, str], list[Slice]] = defaultdict(list)
    broken: dict[Path, str] = {}
    for path in files_in(source):
        try:
            series, number, piece = read_slice(path)
        except UnusableError as error:
            if claims_to_be_dicom(path):
                broken[path] = str(error)
        else:
            found[path.parent, series, number].append(piece)
    return found, broken


def _read(name: str, series: Series, scheme: LabelScheme, with_labels: bool) -> RawStudy:
    """The stack of a series, with labels where contours lie beside it.

    Raises:
        UnusableError: If the stack is incomplete or too large, or a file cannot be read.
    """
    stack = stack_slices(series.slices, series.broken)
    if prod(stack.shape) > MOST_VOXELS:
        raise UnusableError(
            f"{series.folder.name}: shape {stack.shape}, more than {MOST_VOXELS} voxels"
        )
    image = _image(stack)
    beside = contours_beside(series.folder) if with_labels else None
    labels = (
        contour_labels(beside, stack, scheme)
        if beside
        else np.full(stack.shape, UNLABELLED, np.int8)
    )
    return RawStudy(
        name=name,
        image=image,
        labels=labels,
        spacing=stack.spacing,
        affine=stack.affine,
        source=str(series.folder),
        time_step=stack.time_step_ms,
        time_unit="msec" if stack.time_step_ms else "",
        warnings=_oddities(stack),
    )


def _image(stack: CineStack) -> NDArray[np.float32]:
    """Pixels of all files, ``[1, T, Z, Y, X]``."""
    image = np.empty((1, *stack.shape), np.float32)
    for z, phases in enumerate(stack.slices):
        for t, piece in enumerate(phases):
            image[0, t, z] = read_pixels(piece)
    return image


def _oddities(stack: CineStack) -> tuple[str, ...]:
    """What a header announces and the series does not hold."""
    announced = stack.slices[0][0].announced
    if announced and announced != stack.frames:
        return (f"{stack.frames} phases, CardiacNumberOfImages says {announced}",)
    return ()
