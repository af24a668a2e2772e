"""Cine series as they leave a scanner: a DICOM file for each slice and phase, or for many.

::

    study/                   a study for each series, at any depth
        IM-0001-0001.dcm     files are taken by their content, whatever their names
        IM-0001-0002.dcm
    study_contours/          manual contours beside, as the Sunnybrook data has them; see
                             ``semiqc.exchange.readers.dicom.contours``

Files are grouped by series. Slices are sorted along their common normal, the phases of each by
trigger time, or else by acquisition time or instance number. A stack in which
a slice or phase is missing or doubled is refused, since nobody could tell which frame is which.
The slice distance is that of the positions; ``SliceThickness`` says nothing of gaps. Which series
are one stack, see ``semiqc.exchange.readers.dicom.grouping``. The subject is the PatientID.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
    read_slices,
)
from semiqc.exchange.readers.dicom.grouping import Group, put_together
from semiqc.exchange.readers.dicom.stack import CineStack, Slice, stack_slices
from semiqc.exchange.readers.dicom.steadiness import unsteady
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import Meaning
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.headers import MOST_VOXELS
from semiqc.schemes import SHORT_AXIS, UNLABELLED, LabelScheme

NAMED = 3
"""Patients that a note lists."""


def recognises(source: Path) -> bool:
    """Whether a folder holds a DICOM file, at any depth."""
    return source.is_dir() and any(is_dicom(path) for path in files_in(source))


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Series at any depth of a folder, named by their folder, and number where it has several.

    Args:
        source: The folder.
        scheme: Of labels from contours; by default ``SHORT_AXIS``.
        meaning: Must not be given: contours have no values.

    Raises:
        ValueError: If it is.
    """
    if meaning:
        raise ValueError(f"{source}: DICOM has no label values that could mean others")
    scheme = scheme or SHORT_AXIS
    gathered, broken = _gathered(source)
    groups = put_together(gathered)
    together = Counter(group.folder for group in groups)
    named = [
        (
            group.folder.resolve().name
            if together[group.folder] == 1
            else f"{group.folder.name}-{group.number}",
            group,
        )
        for group in groups
    ]
    return listing_of(
        named, partial(_entry, scheme, list(broken)), scheme, refusals=list(_alike(broken))
    )


def _alike(broken: Mapping[Path, str]) -> Iterator[Refusal]:
    """Files that were left out; those of a folder that are wrong alike are told together.

    Args:
        broken: Reason of each, which begins with its name.
    """
    alike: dict[tuple[Path, str], list[str]] = defaultdict(list)
    for path, reason in broken.items():
        alike[path.parent, reason.removeprefix(path.name)].append(path.name)
    for (folder, reason), names in alike.items():
        more = f" and {len(names) - 1} more" if names[1:] else ""
        yield Refusal(folder.name, f"{names[0]}{more}{reason}")


def _entry(scheme: LabelScheme, broken: Sequence[Path], text: str, group: Group) -> Entry:
    name = safe_name(text)
    folders = {piece.path.parent for piece in group.slices}
    beside = [path.name for path in broken if path.parent in folders]
    y, x = group.slices[0].spacing
    read = partial(_read, name, group, beside, scheme)
    return Entry(name, group.folder, lambda: (y, x), read)


def _gathered(source: Path) -> tuple[list[Group], dict[Path, str]]:
    """Files by folder and series; and files that cannot be read, with the reason."""
    found: dict[tuple[Path, str, str], list[Slice]] = defaultdict(list)
    broken: dict[Path, str] = {}
    for path in files_in(source):
        try:
            pieces = read_slices(path)
        except UnusableError as error:
            if claims_to_be_dicom(path):
                broken[path] = str(error)
        else:
            for series, number, piece in pieces:
                found[path.parent, series, number].append(piece)
    groups = [Group(folder, uid, n, tuple(s)) for (folder, uid, n), s in found.items()]
    return groups, broken


def _read(
    name: str, group: Group, broken: Sequence[str], scheme: LabelScheme, with_labels: bool
) -> RawStudy:
    """The stack of a group of files, with labels where contours lie beside it.

    Raises:
        UnusableError: If the stack is incomplete or too large, or a file cannot be read.
    """
    stack = stack_slices(group.slices, broken)
    if prod(stack.shape) > MOST_VOXELS:
        raise UnusableError(
            f"{group.folder.name}: shape {stack.shape}, more than {MOST_VOXELS} voxels"
        )
    image = _image(stack)
    beside = contours_beside(group.folder) if with_labels else None
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
        subject=_subject(group.slices),
        source=str(group.folder),
        time_step=stack.time_step_ms,
        time_unit="msec" if stack.time_step_ms else "",
        warnings=(*group.notes, *_of_several(group.slices), *_oddities(stack)),
        dicom=[[(piece.path, piece.frame) for piece in phases] for phases in stack.slices],
    )


def _subject(slices: Sequence[Slice]) -> str:
    """The one PatientID of all files; empty where there is none, or several."""
    patients = {piece.patient for piece in slices}
    return patients.pop() if len(patients) == 1 else ""


def _of_several(slices: Sequence[Slice]) -> tuple[str, ...]:
    """Says that files of one series name several patients."""
    patients = sorted({piece.patient for piece in slices})
    if len(patients) == 1:
        return ()
    named = ", ".join(one or "none" for one in patients[:NAMED])
    return (f"its files name {len(patients)} patients ({named}); is it one series?",)


def _image(stack: CineStack) -> NDArray[np.float32]:
    """Pixels of all files, ``[1, T, Z, Y, X]``."""
    image = np.empty((1, *stack.shape), np.float32)
    places: dict[Path, list[tuple[int, int, Slice]]] = defaultdict(list)
    for z, phases in enumerate(stack.slices):
        for t, piece in enumerate(phases):
            places[piece.path].append((t, z, piece))
    for within in places.values():
        pixels = read_pixels([piece for _, _, piece in within])
        for (t, z, _), plane in zip(within, pixels, strict=True):
            image[0, t, z] = plane
    return image


def _oddities(stack: CineStack) -> tuple[str, ...]:
    """What a header announces and the series does not hold, and places that do not agree."""
    announced = stack.slices[0][0].announced
    missing = (f"{stack.frames} phases, CardiacNumberOfImages says {announced}",)
    is_complete = not announced or announced == stack.frames
    return (*(() if is_complete else missing), *unsteady(stack))
