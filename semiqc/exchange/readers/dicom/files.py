"""What stands in single DICOM files: the place of a slice, and its pixels.

A file is a slice of one phase: grey values (``MONOCHROME2``), one frame. Headers are read without
pixels; ``RescaleSlope`` and ``RescaleIntercept`` are applied when pixels are read. Lengths are in
mm and directions in DICOM's LPS: towards left, posterior and superior.
"""

import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from semiqc.doors.regular import open_regular, refusing
from semiqc.exchange.readers.dicom.stack import Slice
from semiqc.files.walking import files_within
from semiqc.images.raw import UnusableError
from semiqc.images.sizes import LARGEST_MM, SMALLEST_MM, check_spacing

TAGS = [
    "AcquisitionTime", "BitsAllocated", "CardiacNumberOfImages", "Columns", "ContentTime",
    "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber", "NumberOfFrames",
    "PatientID", "PhotometricInterpretation", "PixelSpacing", "Rows", "SamplesPerPixel",
    "SeriesInstanceUID", "SeriesNumber", "SliceThickness", "SOPInstanceUID",
    "SpacingBetweenSlices", "StudyInstanceUID", "TriggerTime",
]  # fmt: skip
REQUIRED = (
    "Columns", "ImageOrientationPatient", "ImagePositionPatient", "PhotometricInterpretation",
    "PixelSpacing", "Rows", "SamplesPerPixel", "SeriesInstanceUID",
)  # fmt: skip
NO_IMAGES = {"DICOMDIR"}
FILLERS = frozenset(
    {"anon", "anonymous", "anonymized", "anonymised", "unknown", "none", "na", "null", "noid",
     "removed", "deidentified", "patient", "patientid", "subject", "id", "test", "default"}
)  # fmt: skip
"""What anonymisers write as everybody's PatientID."""

LARGEST = 2**30
"""Bytes of a file, packed or not: a slice has a few megabytes."""

LARGEST_UNPACKED = 2**28
"""Bytes of a deflated file once it is unpacked."""

PIECE = 2**20
"""Bytes that are unpacked at a time."""

GROUP_LENGTH = 12
"""Bytes of the element that tells the length of the file's meta information."""

MOST_PIXELS = 2**26
"""Of a slice: 8192 x 8192."""

MARK = b"DICM"


def files_in(source: Path) -> list[Path]:
    """All files of a folder at any depth, sorted, but for tables of contents."""
    return [path for path in files_within(source) if path.name not in NO_IMAGES]


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark behind its preamble of 128 bytes."""
    try:
        with open_regular(path) as file:
            return file.read(132)[128:] == MARK
    except (UnusableError, OSError):
        return False


def claims_to_be_dicom(path: Path) -> bool:
    """Whether a file that cannot be read was meant to be an image."""
    return path.suffix.lower() in {".dcm", ".ima", ".dicom"} or is_dicom(path)


@contextmanager
def _refusing(path: Path, reason: str) -> Iterator[None]:
    """Turn whatever pydicom answers a damaged file with into one ``UnusableError``.

    Args:
        path: The file.
        reason: What it should have been.
    """
    with warnings.catch_warnings():
        # Identifiers that break the standard are common, and matter to nobody here.
        warnings.simplefilter("ignore")
        with refusing(path.name, reason):
            try:
                yield
            except InvalidDicomError:
                raise UnusableError(f"{path.name}: not a DICOM file") from None


def _dataset(path: Path, tags: list[str] | None) -> pydicom.Dataset:
    """The elements named ``tags``; all, with pixels, where that is None."""
    with (
        open_regular(path, most=LARGEST, called=path.name) as file,
        _refusing(path, "a readable DICOM file"),
    ):
        if path.stat().st_size == 0:
            raise UnusableError(f"{path.name}: empty file")
        _check_deflated(path, file)
        return pydicom.dcmread(file, stop_before_pixels=bool(tags), specific_tags=tags)


def _check_deflated(path: Path, file: BinaryIO) -> None:
    """Refuse a deflated file that would become far too large; pydicom unpacks it in one piece.

    Raises:
        UnusableError: If so, or if it cannot be unpacked.
    """
    head = file.read(132)
    meta: Any = read_file_meta_info(path) if head[128:] == MARK else {}
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        file.seek(len(head) + GROUP_LENGTH + int(meta["FileMetaInformationGroupLength"].value))
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        left = LARGEST_UNPACKED
        while left > 0 and (part := unpacker.unconsumed_tail or file.read(PIECE)):
            left -= len(unpacker.decompress(part, PIECE))
        if left <= 0:
            raise UnusableError(f"{path.name}: unpacks to {LARGEST_UNPACKED >> 20} MiB or more")
    file.seek(0)


def read_slice(path: Path) -> tuple[str, str, Slice]:
    """Series, its number, and the slice of a file, without its pixels.

    Raises:
        UnusableError: If the file cannot be read, or is not an image of a series.
    """
    dataset = _dataset(path, TAGS)
    with _refusing(path, "an image of a series"):
        _check_image(path, dataset)
        piece = _as_slice(path, dataset)
        return str(dataset.SeriesInstanceUID), str(dataset.get("SeriesNumber") or ""), piece


def _check_image(path: Path, dataset: pydicom.Dataset) -> None:
    """Refuse what is not a single slice of grey values with a place.

    Raises:
        UnusableError: Naming what is missing or was expected.
    """
    missing = [element for element in REQUIRED if element not in dataset]
    if missing:
        raise UnusableError(f"{path.name}: not an image of a series, lacks {', '.join(missing)}")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise UnusableError(f"{path.name}: multi-frame DICOM, expected a file for each slice")
    if dataset.SamplesPerPixel != 1 or dataset.PhotometricInterpretation != "MONOCHROME2":
        raise UnusableError(
            f"{path.name}: expected grey values (MONOCHROME2),"
            f" got {dataset.PhotometricInterpretation}"
        )


def _as_slice(path: Path, dataset: pydicom.Dataset) -> Slice:
    """The header of a slice in our words.

    Raises:
        UnusableError: If spacing or size is not positive.
    """
    trigger, acquired = dataset.get("TriggerTime"), dataset.get("AcquisitionTime")
    piece = Slice(
        path=path,
        size=(int(dataset.Rows), int(dataset.Columns)),
        spacing=_numbers(dataset.PixelSpacing, 2),
        orientation=_numbers(dataset.ImageOrientationPatient, 6),
        position=_numbers(dataset.ImagePositionPatient, 3),
        trigger_ms=None if trigger in (None, "") else float(trigger),
        acquired=str(acquired or dataset.get("ContentTime") or ""),
        instance=int(dataset.get("InstanceNumber") or 0),
        thickness=_slice_distance(dataset),
        announced=int(dataset.get("CardiacNumberOfImages") or 0),
        patient=_patient(str(dataset.get("PatientID") or "")),
        exam=str(dataset.get("StudyInstanceUID") or ""),
        uid=str(dataset.get("SOPInstanceUID") or ""),
    )
    if min(piece.size) < 1 or prod(piece.size) > MOST_PIXELS:
        raise UnusableError(
            f"{path.name}: size must be positive, {MOST_PIXELS} pixels at most, got {piece.size}"
        )
    check_spacing(piece.spacing, path.name)
    return piece


def _patient(written: str) -> str:
    """A PatientID; empty for what anonymisers write in its place."""
    patient = " ".join(written.split())
    is_filler = re.sub(r"[^a-z0-9]", "", patient.lower()) in FILLERS
    return "" if is_filler or set(patient.lower()) <= set("0x -_*^.") else patient


def _slice_distance(dataset: pydicom.Dataset) -> float:
    """What the header says of the distance between slices, in mm; 0 where it says nothing usable.

    Some scanners write it with the sign of the direction in which the slices lie.
    """
    for element in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            mm = abs(float(dataset.get(element) or 0))
        except (TypeError, ValueError):
            continue
        if SMALLEST_MM <= mm <= LARGEST_MM:
            return mm
    return 0.0


def _numbers(values: Sequence[Any], count: int) -> tuple[float, ...]:
    """So many finite numbers of an element with several values."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"expected {count} numbers, got {numbers}")
    return numbers


def read_pixels(piece: Slice) -> NDArray[np.float32]:
    """Intensities of a file, ``[Y, X]``, with its rescaling.

    Raises:
        UnusableError: If they cannot be read, are not finite, or are of another shape.
    """
    dataset = _dataset(piece.path, None)
    with _refusing(piece.path, "an image whose pixels can be read"):
        pixels = np.asarray(dataset.pixel_array, dtype=np.float32)
        slope = float(dataset.get("RescaleSlope", 1))
        intercept = float(dataset.get("RescaleIntercept", 0))
    pixels = pixels * np.float32(slope) + np.float32(intercept)
    if pixels.shape != piece.size or not np.isfinite(pixels).all():
        raise UnusableError(
            f"{piece.path.name}: expected finite pixels of shape {piece.size}, got {pixels.shape}"
        )
    return pixels
