"""Which DICOM files make up one study: a series, or several that scanners part one stack into.

Some exports give each short-axis slice a series of its own, others spread one series over a folder
for each slice. Such are one stack: series of one slice each, of one examination and patient,
parallel and of one size and number of phases; and files of one series in several folders, unless
they are copies.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from semiqc.exchange.readers.dicom.stack import SAME_POSITION_MM, Slice, along_normal, stack_slices
from semiqc.images.raw import UnusableError

FEWEST_IN_STACK = 4
"""Parallel series of one slice each that are a stack even where a slice is missing in it."""


@dataclass(frozen=True)
class Group:
    """Files that are one study.

    Args:
        folder: In which they lie; what is common to them where they lie in several.
        series: SeriesInstanceUID.
        number: Of the series.
        slices: What their headers say, in no order.
        notes: What a user must know of how they were put together.
    """

    folder: Path
    series: str
    number: str
    slices: tuple[Slice, ...]
    notes: tuple[str, ...] = ()


def put_together(groups: Iterable[Group]) -> list[Group]:
    """The groups, each of one series and folder, with those joined that are of one stack."""
    whole = _whole_series(groups)
    found = [group for group in whole if not _is_of_one_slice(group)]
    alike: dict[tuple[object, ...], list[Group]] = defaultdict(list)
    for group in whole:
        if _is_of_one_slice(group):
            alike[_kind(group)].append(group)
    for parts in alike.values():
        found.extend(_stacked(parts))
    return sorted(found, key=lambda group: (str(group.folder), group.number, group.series))


def _whole_series(groups: Iterable[Group]) -> list[Group]:
    """The groups, with those of one series joined unless some are copies of others."""
    of_series: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        of_series[group.series].append(group)
    found = []
    for parts in of_series.values():
        uids = [piece.uid for part in parts for piece in part.slices]
        if len(parts) > 1 and "" not in uids and len(set(uids)) == len(uids):
            found.append(_joined(parts, f"a series in {len(parts)} folders is taken as one study"))
        else:
            found.extend(parts)
    return found


def _joined(parts: Sequence[Group], note: str) -> Group:
    """One group of the files of several."""
    folder = Path(os.path.commonpath([part.folder for part in parts]))
    slices = tuple(piece for part in parts for piece in part.slices)
    return replace(parts[0], folder=folder, slices=slices, notes=(*parts[0].notes, note))


def _is_of_one_slice(group: Group) -> bool:
    """Whether all files lie at one place."""
    first = group.slices[0].position
    return all(
        np.allclose(piece.position, first, rtol=0, atol=SAME_POSITION_MM) for piece in group.slices
    )


def _kind(group: Group) -> tuple[object, ...]:
    """What series of one stack have in common."""
    first = group.slices[0]
    place = first.exam or str(group.folder.parent)
    direction = tuple(round(cosine, 2) + 0.0 for cosine in first.orientation)
    pixel = tuple(round(mm, 3) for mm in first.spacing)
    return (place, first.patient, first.size, direction, pixel, len(group.slices))


def _stacked(parts: Sequence[Group]) -> list[Group]:
    """Series of one slice each as one study, where they make up a stack.

    Where two lie at one place, the slice was measured again: the later series is taken.
    """
    by_place: list[Group] = []
    origin = parts[0].slices[0]
    for part in sorted(parts, key=lambda part: (_along(part, origin), _order(part))):
        if by_place and _along(part, origin) - _along(by_place[-1], origin) <= SAME_POSITION_MM:
            by_place[-1] = part
        else:
            by_place.append(part)
    if len(by_place) == 1:
        return list(parts)
    note = f"{len(by_place)} series of one slice each are taken as one stack"
    if len(by_place) < len(parts):
        note += "; of slices measured twice, the later"
    joined = _joined(by_place, note)
    try:
        stack_slices(joined.slices)
    except UnusableError:
        if len(by_place) < FEWEST_IN_STACK:
            note = "parallel series of one slice each that make up no stack are studies each"
            return [replace(part, notes=(*part.notes, note)) for part in parts]
    return [joined]


def _along(group: Group, origin: Slice) -> float:
    """Where a group of one slice lies along the normal of ``origin``, in mm."""
    return along_normal(group.slices[0], origin)


def _order(group: Group) -> tuple[int, str]:
    """Sorts series by when they were measured."""
    return (int(group.number) if group.number.isdecimal() else 0, group.series)
