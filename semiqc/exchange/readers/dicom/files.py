"""What stands in single DICOM files: the place of slices, and their pixels.

A file is a slice of one phase, or many of them where it is an enhanced multi-frame file (see
``semiqc.exchange.readers.dicom.enhanced``): grey values (``MONOCHROME2``). Headers are read
without pixels; ``RescaleSlope`` and ``RescaleIntercept`` are applied when pixels are read.
Lengths are in mm and directions in DICOM's LPS: towards left, posterior and superior.
"""

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
from pydicom.uid import DeflatedExplicitVRLittleEndian, SegmentationStorage

from semiqc.doors.regular import in_short, open_regular, refusing
from semiqc.exchange.readers.dicom.elements import finite, numbers, patient_of, slice_distance
from semiqc.exchange.readers.dicom.enhanced import PLACE, frames_of, is_enhanced, rescaling
from semiqc.exchange.readers.dicom.stack import Slice
from semiqc.exchange.readers.formats import DICOM, format_of
from semiqc.files.walking import files_within
from semiqc.images.raw import UnusableError
from semiqc.images.sizes import check_spacing

TAGS = [
    "AcquisitionTime", "BitsAllocated", "CardiacNumberOfImages", "Columns", "ContentTime",
    "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber", "NumberOfFrames",
    "PatientID", "PerFrameFunctionalGroupsSequence", "PhotometricInterpretation", "PixelSpacing",
    "Rows", "SamplesPerPixel", "SeriesInstanceUID", "SeriesNumber",
    "SharedFunctionalGroupsSequence", "SliceThickness", "SOPClassUID", "SOPInstanceUID",
    "SpacingBetweenSlices", "StudyInstanceUID", "TriggerTime",
]  # fmt: skip
REQUIRED = (
    "Columns", "ImageOrientationPatient", "ImagePositionPatient", "PhotometricInterpretation",
    "PixelSpacing", "Rows", "SamplesPerPixel", "SeriesInstanceUID",
)  # fmt: skip
NO_IMAGES = {"DICOMDIR"}
LARGEST = 2**30
"""Bytes of a file, packed or not: a slice has a few megabytes."""

LARGEST_UNPACKED = 2**28
"""Bytes of a deflated file once it is unpacked."""

PIECE = 2**20
"""Bytes that are unpacked at a time."""

GROUP_LENGTH = 12
"""Bytes of the element that tells the length of the file's meta information."""

LONGEST_VALUE = 40
"""Characters of a value that a message cites; in a damaged file it may hold all that follows."""

BITS = (8, 16, 32, 64)
"""Of a grey value; single bits are those of a mask."""

MOST_PIXELS = 2**26
"""Of a slice: 8192 x 8192."""

MARK = b"DICM"


def files_in(source: Path) -> list[Path]:
    """All files of a folder at any depth, sorted, that may be DICOM by their names.

    Left out are tables of contents, and what is named as a file of another format: one of these
    that begins like DICOM does not make a folder of DICOM.
    """
    return [
        path
        for path in files_within(source)
        if path.name not in NO_IMAGES and format_of(path) in ("", DICOM)
    ]


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark behind its preamble of 128 bytes."""
    try:
        with open_regular(path) as file:
            return file.read(132)[128:] == MARK
    except (UnusableError, OSError):
        return False


def claims_to_be_dicom(path: Path) -> bool:
    """Whether a file that cannot be read was meant to be an image."""
    return format_of(path) == DICOM or is_dicom(path)


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


def read_dataset(path: Path, tags: list[str] | None = None) -> pydicom.Dataset:
    """The elements of a file that are named ``tags``; all, with pixels, where that is None.

    Raises:
        UnusableError: If the file cannot be read, or is too large.
    """
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


def read_slices(path: Path) -> list[tuple[str, str, Slice]]:
    """Series, its number, and slice of each frame of a file, without pixels.

    Raises:
        UnusableError: If the file cannot be read, or is not an image of a series.
    """
    dataset = read_dataset(path, TAGS)
    with _refusing(path, "an image of a series"):
        if dataset.get("SOPClassUID") == SegmentationStorage:
            raise UnusableError(f"{path.name}: a DICOM segmentation, expected an image")
        if is_enhanced(dataset):
            _check_grey(path, dataset, [element for element in REQUIRED if element not in PLACE])
            pieces = frames_of(path, dataset)
        else:
            _check_image(path, dataset)
            pieces = [("", _as_slice(path, dataset))]
        series, number = str(dataset.SeriesInstanceUID), str(dataset.get("SeriesNumber") or "")
        for _, piece in pieces:
            _check_size(piece)
        return [(f"{series}{s}", f"{number}{s}", piece) for s, piece in pieces]


def _check_image(path: Path, dataset: pydicom.Dataset) -> None:
    """Refuse what is not a single slice of grey values with a place.

    Raises:
        UnusableError: Naming what is missing or was expected.
    """
    _check_grey(path, dataset, REQUIRED)
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise UnusableError(
            f"{path.name}: multi-frame DICOM that does not tell where each frame lies, expected"
            " a file for each slice, or an enhanced one"
        )


def _check_grey(path: Path, dataset: pydicom.Dataset, required: Sequence[str]) -> None:
    """Refuse what lacks an element, or has no grey values.

    Raises:
        UnusableError: Naming what is missing or was expected.
    """
    missing = [element for element in required if element not in dataset]
    if missing:
        raise UnusableError(f"{path.name}: not an image of a series, lacks {', '.join(missing)}")
    if dataset.SamplesPerPixel != 1 or dataset.PhotometricInterpretation != "MONOCHROME2":
        raise UnusableError(
            f"{path.name}: expected grey values (MONOCHROME2),"
            f" got {in_short(dataset.PhotometricInterpretation, LONGEST_VALUE)}"
        )
    if dataset.get("BitsAllocated", 16) not in BITS:
        raise UnusableError(
            f"{path.name}: expected grey values of {', '.join(map(str, BITS))} bits, got"
            f" {in_short(dataset.BitsAllocated, LONGEST_VALUE)}"
        )


def _as_slice(path: Path, dataset: pydicom.Dataset) -> Slice:
    """The header of a slice in our words."""
    trigger, acquired = dataset.get("TriggerTime"), dataset.get("AcquisitionTime")
    return Slice(
        path=path,
        size=(int(dataset.Rows), int(dataset.Columns)),
        spacing=numbers(dataset.PixelSpacing, 2),
        orientation=numbers(dataset.ImageOrientationPatient, 6),
        position=numbers(dataset.ImagePositionPatient, 3),
        trigger_ms=finite(trigger),
        acquired=str(acquired or dataset.get("ContentTime") or ""),
        instance=int(dataset.get("InstanceNumber") or 0),
        thickness=slice_distance(dataset),
        announced=int(dataset.get("CardiacNumberOfImages") or 0),
        patient=patient_of(str(dataset.get("PatientID") or "")),
        exam=str(dataset.get("StudyInstanceUID") or ""),
        uid=str(dataset.get("SOPInstanceUID") or ""),
    )


def _check_size(piece: Slice) -> None:
    """Refuse a slice without a size or a spacing.

    Raises:
        UnusableError: If one is not positive, or too large.
    """
    if min(piece.size) < 1 or prod(piece.size) > MOST_PIXELS:
        raise UnusableError(
            f"{piece.path.name}: size must be positive, {MOST_PIXELS} pixels at most,"
            f" got {piece.size}"
        )
    check_spacing(piece.spacing, piece.path.name)


def read_pixels(pieces: Sequence[Slice]) -> NDArray[np.float32]:
    """Intensities of slices of one file, ``[N, Y, X]``, with their rescaling.

    Raises:
        UnusableError: If they cannot be read, are not finite, or are of another shape.
    """
    path, size = pieces[0].path, pieces[0].size
    dataset = read_dataset(path)
    with _refusing(path, "an image whose pixels can be read"):
        stored = np.reshape(dataset.pixel_array, (-1, *np.shape(dataset.pixel_array)[-2:]))
        found = np.empty((len(pieces), *stored.shape[1:]), np.float32)
        for number, piece in enumerate(pieces):
            slope, intercept = rescaling(dataset, piece.frame)
            found[number] = stored[piece.frame or 0]
            # What overflows is refused below.
            with np.errstate(all="ignore"):
                found[number] *= np.float32(slope)
                found[number] += np.float32(intercept)
    if found.shape[1:] != size or not np.isfinite(found).all():
        raise UnusableError(
            f"{path.name}: expected finite pixels of shape {size}, got {found.shape[1:]}"
        )
    return found
