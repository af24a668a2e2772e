"""How single DICOM slices make up a cine stack, and what is missing or doubled in it.

Reference:
    Geometry: DICOM PS3.3, C.7.6.2.1.1, "Image Position and Image Orientation".
    https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.7.6.2.html
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.images.raw import UnusableError

SAME_POSITION_MM = 0.25
"""Along the normal, of the phases of one slice; scanners jitter by a tenth of a mm."""
SAME_TRIGGER_MS = 0.01
SAME_DIRECTION = 1e-3
DECIMALS = 3
"""Of a slice distance in mm: scanners write positions rounded."""
UNEQUAL = 0.1
"""Share of the slice distance by which distances may differ."""
SKIPPED = 1.75
"""Times the usual step between phases from which on a phase is missing."""


@dataclass(frozen=True)
class Slice:
    """What the header of one file says.

    Args:
        path: The file.
        size: Rows and columns.
        spacing: In mm, between rows and between columns.
        orientation: Direction of rows and of columns, in LPS.
        position: Of the first pixel's centre in mm, in LPS.
        trigger_ms: Time since the R wave, where known.
        acquired: Time of day as DICOM writes it; empty where unknown.
        instance: Number of the file in its series.
        thickness: Slice distance or thickness in mm, as the header says; 0 where unknown.
        announced: Number of phases that the header announces; 0 where unknown.
        patient: PatientID; empty where there is none, or it is an anonymiser's filler.
        exam: StudyInstanceUID; empty where unknown.
        uid: SOPInstanceUID, with the frame where a file has several; empty where unknown.
        frame: Of a file of several, from 0; None where it has one.
    """

    path: Path
    size: tuple[int, int]
    spacing: tuple[float, ...]
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    trigger_ms: float | None
    acquired: str
    instance: int
    thickness: float
    announced: int
    patient: str = ""
    exam: str = ""
    uid: str = ""
    frame: int | None = None

    @property
    def called(self) -> str:
        """How messages name it."""
        return self.path.name if self.frame is None else f"{self.path.name} frame {self.frame + 1}"


@dataclass(frozen=True, eq=False)
class CineStack:
    """Slices in order, each with its phases in order.

    Args:
        slices: ``[Z][T]``.
        size: Rows and columns.
        spacing: In mm, ordered ``(z, y, x)``.
        affine: From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``.
        time_step_ms: Mean step between phases, where trigger times tell.
    """

    slices: tuple[tuple[Slice, ...], ...]
    size: tuple[int, int]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]
    time_step_ms: float | None

    @property
    def frames(self) -> int:
        """Number of phases."""
        return len(self.slices[0])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, Z, Y, X)``."""
        return (self.frames, len(self.slices), *self.size)


def stack_slices(slices: Sequence[Slice], broken: Sequence[str] = ()) -> CineStack:
    """Sort the files of a series by position and phase.

    Args:
        slices: In any order.
        broken: Names of unreadable files beside them, to be named where one is missing.

    Raises:
        UnusableError: If slices differ in size or direction, or one or a phase is missing or
            doubled.
    """
    _check_alike(slices)
    phases = tuple(_in_order(group) for group in _by_position(slices))
    _check_complete(phases, broken)
    positions = np.array([along_normal(group[0], slices[0]) for group in phases])
    distance = _distance(positions, phases)
    (dy, dx) = slices[0].spacing
    return CineStack(
        slices=phases,
        size=slices[0].size,
        spacing=(distance, dy, dx),
        affine=_affine(phases, distance),
        time_step_ms=_time_step(phases[0]),
    )


def along_normal(piece: Slice, first: Slice) -> float:
    """Where a slice lies along the normal of the ``first`` of its series, in mm."""
    return float(np.dot(_normal(first), piece.position))


def _by_position(slices: Sequence[Slice]) -> list[list[Slice]]:
    """The phases of each slice, in no order; slices along their normal."""
    groups: list[list[Slice]] = []
    begin = 0.0
    for along, _, piece in sorted(
        (along_normal(piece, slices[0]), number, piece) for number, piece in enumerate(slices)
    ):
        if groups and along - begin <= SAME_POSITION_MM:
            groups[-1].append(piece)
        else:
            groups.append([piece])
            begin = along
    return groups


def _check_alike(slices: Sequence[Slice]) -> None:
    """Refuse files of other size, spacing or direction than the most.

    Raises:
        UnusableError: Naming the first such file.
    """
    sizes = Counter(piece.size for piece in slices)
    common = sizes.most_common(1)[0][0]
    first = next(piece for piece in slices if piece.size == common)
    for piece in slices:
        if piece.size != common:
            raise UnusableError(f"{piece.called}: size {piece.size}, the others {common}")
        if not np.allclose(piece.spacing, first.spacing, rtol=1e-3):
            raise UnusableError(
                f"{piece.called}: spacing {piece.spacing}, {first.called} {first.spacing}"
            )
        if not np.allclose(piece.orientation, first.orientation, atol=SAME_DIRECTION):
            raise UnusableError(f"{piece.called}: not parallel to {first.called}")


def _normal(piece: Slice) -> NDArray[np.float64]:
    """Direction across a slice, of length 1, in LPS.

    Raises:
        UnusableError: If its rows and columns are not at right angles.
    """
    along_row, along_column = np.reshape(piece.orientation, (2, 3))
    normal: NDArray[np.float64] = np.cross(along_row, along_column)
    if abs(float(np.linalg.norm(normal)) - 1) > 10 * SAME_DIRECTION:
        raise UnusableError(
            f"{piece.called}: rows and columns are not at right angles: {piece.orientation}"
        )
    return normal


def _in_order(group: Sequence[Slice]) -> tuple[Slice, ...]:
    """The phases of a slice in the order of time.

    Trigger times are taken where all phases have one and they differ at all; they must then all
    differ. Otherwise times of acquisition, where all differ, or else instance numbers.
    """
    triggers = [piece.trigger_ms for piece in group]
    if None not in triggers and (len(group) == 1 or len(set(triggers)) > 1):
        return _by_trigger(group)
    times = {piece.acquired for piece in group}
    if "" not in times and len(times) == len(group):
        return tuple(sorted(group, key=lambda piece: float(piece.acquired.replace(":", ""))))
    return _by_instance(group)


def _by_trigger(group: Sequence[Slice]) -> tuple[Slice, ...]:
    """Phases, all with a trigger time, in its order.

    Raises:
        UnusableError: If two have the same.
    """
    ordered = sorted(group, key=lambda piece: (piece.trigger_ms or 0.0, piece.instance))
    for first, second in pairwise(ordered):
        if (second.trigger_ms or 0.0) - (first.trigger_ms or 0.0) <= SAME_TRIGGER_MS:
            raise UnusableError(
                f"{second.called}: same slice and phase as {first.called}"
                f" (trigger time {first.trigger_ms:g} ms)"
            )
    return tuple(ordered)


def _by_instance(group: Sequence[Slice]) -> tuple[Slice, ...]:
    """Phases in the order of their instance numbers.

    Raises:
        UnusableError: If two have the same.
    """
    numbers = Counter(piece.instance for piece in group)
    number, count = numbers.most_common(1)[0]
    if count > 1:
        same = [piece.called for piece in group if piece.instance == number]
        raise UnusableError(
            f"{same[1]}: cannot be told from {same[0]}; same slice, no trigger time and the"
            f" same instance number {number}"
        )
    return tuple(sorted(group, key=lambda piece: piece.instance))


def _check_complete(phases: Sequence[Sequence[Slice]], broken: Sequence[str]) -> None:
    """Refuse a stack whose slices have different numbers of phases.

    Raises:
        UnusableError: Naming slice and folder, and the files that could not be read.
    """
    beside = f" (could not be read: {', '.join(broken[:3])})" if broken else ""
    usual = Counter(len(group) for group in phases).most_common(1)[0][0]
    for number, group in enumerate(phases, start=1):
        if len(group) != usual:
            raise UnusableError(
                f"{group[0].path.parent.name}: slice {number} of {len(phases)} has {len(group)}"
                f" phases, the others {usual}{beside}"
            )
        _check_steps(number, group, beside)


def _check_steps(number: int, group: Sequence[Slice], beside: str) -> None:
    """Refuse a slice with a gap between its trigger times."""
    times = np.array([np.nan if p.trigger_ms is None else p.trigger_ms for p in group])
    steps = np.diff(np.sort(times))
    if len(steps) < 2 or not np.isfinite(steps).all():
        return
    widest, usual = int(np.argmax(steps)), np.sort(steps)[(len(steps) - 1) // 2]
    if 0 < SKIPPED * usual < steps[widest]:
        raise UnusableError(
            f"{group[0].path.parent.name}: slice {number} lacks a phase between"
            f" {times[widest]:g} and {times[widest + 1]:g} ms{beside}"
        )


def _distance(positions: NDArray[np.float64], phases: Sequence[Sequence[Slice]]) -> float:
    """Distance between slices in mm; of a single slice, what its header says.

    Raises:
        UnusableError: If two slices lie closer together or further apart than the others.
    """
    if len(positions) == 1:
        return phases[0][0].thickness or 1.0
    gaps = np.diff(positions)
    usual = float(np.median(gaps))
    worst = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[worst] - usual) > UNEQUAL * usual:
        raise UnusableError(
            f"{phases[0][0].path.parent.name}: slices {worst + 1} and {worst + 2} of"
            f" {len(positions)} lie {gaps[worst]:.3g} mm apart, the others {usual:.3g} mm"
        )
    return round(float(gaps.mean()), DECIMALS)


def _affine(phases: Sequence[Sequence[Slice]], distance: float) -> NDArray[np.float64]:
    """From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``."""
    first, last = phases[0][0], phases[-1][0]
    along_row, along_column = np.reshape(first.orientation, (2, 3))
    dy, dx = first.spacing
    step = _normal(first) * distance
    if len(phases) > 1:
        step = (np.array(last.position) - first.position) / (len(phases) - 1)
    affine = np.eye(4)
    affine[:3] = np.column_stack([along_row * dx, along_column * dy, step, first.position])
    affine[:2] *= -1  # DICOM counts towards left and posterior, NIfTI towards right and anterior.
    return affine


def _time_step(phases: Sequence[Slice]) -> float | None:
    """Mean step between the trigger times of a slice in ms; None where one is not known."""
    times = [piece.trigger_ms for piece in phases if piece.trigger_ms is not None]
    if len(times) < 2 or len(times) != len(phases):
        return None
    return round((max(times) - min(times)) / (len(times) - 1), 6)
