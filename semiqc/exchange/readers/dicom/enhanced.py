"""Enhanced multi-frame DICOM: a file of many slices and phases, each with a place of its own.

Reference:
    DICOM PS3.3, C.7.6.16, "Multi-frame Functional Groups Module".
    https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.7.6.16.html

What single files have at their top stands here in functional groups, of one frame or shared by
all. Frames of several stacks in one file, such as long axes in three directions, are series each.
"""

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import pydicom

from semiqc.exchange.readers.dicom.elements import finite, numbers, patient_of, slice_distance
from semiqc.exchange.readers.dicom.stack import Slice
from semiqc.images.raw import UnusableError
from semiqc.nifti.headers import MOST_VOXELS

PER_FRAME = "PerFrameFunctionalGroupsSequence"
SHARED = "SharedFunctionalGroupsSequence"
PLACE = ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing")
"""Elements that stand in functional groups."""

PHASES = 2**20
"""More than a file has frames, so that phases come first in the number of a frame."""


def is_enhanced(dataset: pydicom.Dataset) -> bool:
    """Whether frames have functional groups, and the file itself does not tell where it lies.

    Files of one frame that were made of enhanced ones may have kept them.
    """
    is_single = int(dataset.get("NumberOfFrames") or 1) == 1 and all(e in dataset for e in PLACE)
    return bool(dataset.get(PER_FRAME)) and not is_single


def frames_of(path: Path, dataset: pydicom.Dataset) -> list[tuple[str, Slice]]:
    """The slice of each frame, after the name of its stack where there are several.

    Raises:
        UnusableError: If frames are missing, too many, or do not tell where they lie.
    """
    count, size = (
        int(dataset.get("NumberOfFrames") or 1),
        (int(dataset.Rows), int(dataset.Columns)),
    )
    if count != len(dataset[PER_FRAME].value):
        raise UnusableError(
            f"{path.name}: {count} frames, but places of {len(dataset[PER_FRAME].value)}"
        )
    if count * prod(size) > MOST_VOXELS:
        raise UnusableError(f"{path.name}: {count} frames of {size}, over {MOST_VOXELS} voxels")
    frames = [_Frame(dataset, number) for number in range(count)]
    stacks = [str(frame.first("FrameContentSequence", "StackID") or "") for frame in frames]
    several = len(set(stacks)) > 1
    return [
        (f"-{stack}" if several else "", _as_slice(path, frame, size))
        for stack, frame in zip(stacks, frames, strict=True)
    ]


def rescaling(dataset: pydicom.Dataset, frame: int | None) -> tuple[float, float]:
    """Slope and intercept of a frame of a file; of the file where it has one frame only."""
    if frame is None:
        return _of_file(dataset)
    found = _Frame(dataset, frame)
    slope, intercept = (
        found.first("PixelValueTransformationSequence", f"Rescale{name}")
        for name in ("Slope", "Intercept")
    )
    of_file = _of_file(dataset)
    return (
        of_file[0] if slope is None else float(slope),
        of_file[1] if intercept is None else float(intercept),
    )


def _of_file(dataset: pydicom.Dataset) -> tuple[float, float]:
    """Slope and intercept of a whole file; anonymisers leave both elements empty."""
    given = (dataset.get("RescaleSlope"), dataset.get("RescaleIntercept"))
    slope, intercept = map(finite, given)
    return 1.0 if slope is None else slope, intercept or 0.0


class _Frame:
    """A frame of a file, with what it shares with the others.

    Args:
        dataset: Of the file.
        number: Of the frame, from 0.
    """

    def __init__(self, dataset: pydicom.Dataset, number: int) -> None:
        self.dataset = dataset
        self.number = number

    def groups(self, sequence: str) -> Iterator[pydicom.Dataset]:
        """Items of a functional group: the frame's own, then the shared one."""
        own = self.dataset[PER_FRAME].value[self.number]
        for holder in (own, *(self.dataset.get(SHARED) or ())):
            yield from holder.get(sequence) or ()

    def first(self, sequence: str, element: str) -> Any:  # noqa: ANN401
        """An element of a functional group; None where there is none."""
        values = (group.get(element) for group in self.groups(sequence))
        return next((value for value in values if value not in (None, "")), None)

    def needed(self, sequence: str, element: str, count: int) -> tuple[float, ...]:
        """So many numbers of an element.

        Raises:
            ValueError: If they are missing.
        """
        value = self.first(sequence, element)
        if value is None:
            raise ValueError(f"frame {self.number + 1} lacks {element}")
        return numbers(value, count)

    def trigger_ms(self) -> float | None:
        """Time since the R wave, or since the first phase, where known."""
        for name in ("NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime"):
            found = finite(self.first("CardiacSynchronizationSequence", name))
            if found is not None:
                return found
        seconds = finite(self.first("TemporalPositionSequence", "TemporalPositionTimeOffset"))
        return None if seconds is None else 1000 * seconds


def _as_slice(path: Path, frame: _Frame, size: tuple[int, int]) -> Slice:
    """The slice of a frame in our words."""
    dataset, number = frame.dataset, frame.number
    measures = next(frame.groups("PixelMeasuresSequence"), pydicom.Dataset())
    when = re.match(
        r"[\d.]*", str(frame.first("FrameContentSequence", "FrameAcquisitionDateTime"))
    )
    phase = int(frame.first("FrameContentSequence", "TemporalPositionIndex") or 0)
    return Slice(
        path=path,
        size=size,
        spacing=frame.needed("PixelMeasuresSequence", "PixelSpacing", 2),
        orientation=frame.needed("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        position=frame.needed("PlanePositionSequence", "ImagePositionPatient", 3),
        trigger_ms=frame.trigger_ms(),
        acquired=when[0] if when else "",
        instance=phase * PHASES + number,
        thickness=slice_distance(measures),
        announced=int(dataset.get("CardiacNumberOfImages") or 0),
        patient=patient_of(str(dataset.get("PatientID") or "")),
        exam=str(dataset.get("StudyInstanceUID") or ""),
        uid=f"{dataset.get('SOPInstanceUID') or ''}#{number}",
        frame=number,
    )
