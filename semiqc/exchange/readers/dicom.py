"""Cine series as they leave a scanner: one DICOM file for each slice and phase.

Files are taken by their content, whatever their names, and grouped by series. Slices are sorted
along their common normal, the phases of each by trigger time, or else by acquisition time or
instance number. A series in which a slice or phase is missing or doubled is refused, since nobody
could tell which frame is which. The slice distance is that of the positions; ``SliceThickness``
says nothing of gaps. Series that put each slice into a series of its own become a study each.

Contours beside the folder, as the Sunnybrook data has them, are read as labels; see
``semiqc.exchange.readers.contours``.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from semiqc.exchange.readers.contours import contour_labels, contours_beside
from semiqc.exchange.readers.stacking import Slice, Stack, stack_slices
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.headers import MOST_VOXELS
from semiqc.schemes import SHORT_AXIS, UNLABELLED, LabelScheme

TAGS = [
    "AcquisitionTime", "BitsAllocated", "CardiacNumberOfImages", "Columns", "ContentTime",
    "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber", "NumberOfFrames",
    "PatientID", "PhotometricInterpretation", "PixelSpacing", "Rows", "SamplesPerPixel",
    "SeriesInstanceUID", "SeriesNumber", "SliceThickness", "SpacingBetweenSlices", "TriggerTime",
]  # fmt: skip
REQUIRED = (
    "Columns", "ImageOrientationPatient", "ImagePositionPatient", "PhotometricInterpretation",
    "PixelSpacing", "Rows", "SamplesPerPixel", "SeriesInstanceUID",
)  # fmt: skip
NO_IMAGES = {"DICOMDIR"}
BROKEN = (
    AttributeError, EOFError, InvalidDicomError, KeyError, IndexError, NotImplementedError,
    OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What pydicom answers damaged files with."""

MARK = b"DICM"


@dataclass(frozen=True)
class Series:
    """The files of a series, and the names of files beside them that cannot be read."""

    folder: Path
    slices: tuple[Slice, ...]
    broken: tuple[str, ...] = ()


def recognises(source: Path) -> bool:
    """Whether a folder holds a DICOM file, at any depth."""
    return source.is_dir() and any(_is_dicom(path) for path in _files(source))


def find(source: Path, scheme: LabelScheme | None = None) -> Listing:
    """Series at any depth of a folder, named by their folder, and number where it has several.

    Args:
        source: The folder.
        scheme: Of labels from contours; by default ``SHORT_AXIS``.
    """
    scheme = scheme or SHORT_AXIS
    found, broken = _gathered(source)
    refusals = [Refusal(path.parent.name, reason) for path, reason in broken.items()]
    together = Counter(folder for folder, _, _ in found)
    entries = []
    for (folder, _, number), slices in found.items():
        text = folder.resolve().name if together[folder] == 1 else f"{folder.name}-{number}"
        try:
            name = safe_name(text)
        except UnusableError as error:
            refusals.append(Refusal(text, str(error)))
            continue
        beside = tuple(path.name for path in broken if path.parent == folder)
        series = Series(folder, tuple(slices), beside)
        read = partial(_read, name, series, scheme)
        entries.append(Entry(name, folder, partial(_in_plane_mm, series), read))
    return Listing(tuple(entries), scheme, refusals=tuple(refusals))


def _gathered(
    source: Path,
) -> tuple[dict[tuple[Path, str, str], list[Slice]], dict[Path, str]]:
    """Slices by folder, series and its number; and files that cannot be read, with the reason."""
    found: dict[tuple[Path, str, str], list[Slice]] = defaultdict(list)
    broken: dict[Path, str] = {}
    for path in _files(source):
        try:
            series, number, piece = _read_slice(path)
        except UnusableError as error:
            if _claims_to_be(path):
                broken[path] = str(error)
        else:
            found[path.parent, series, number].append(piece)
    return found, broken


def _files(source: Path) -> list[Path]:
    return sorted(p for p in source.rglob("*") if p.is_file() and p.name not in NO_IMAGES)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == MARK
    except OSError:
        return False


def _claims_to_be(path: Path) -> bool:
    """Whether a file that cannot be read was meant to be an image."""
    return path.suffix.lower() in {".dcm", ".ima", ".dicom"} or _is_dicom(path)


def _dataset(path: Path, tags: list[str] | None) -> pydicom.Dataset:
    with warnings.catch_warnings():
        # Identifiers that break the standard are common, and matter to nobody here.
        warnings.simplefilter("ignore")
        try:
            if path.stat().st_size == 0:
                raise UnusableError(f"{path.name}: empty file")
            return pydicom.dcmread(path, stop_before_pixels=bool(tags), specific_tags=tags)
        except PermissionError:
            raise UnusableError(f"{path.name}: no permission to read it") from None
        except UnusableError:
            raise
        except InvalidDicomError:
            raise UnusableError(f"{path.name}: not a DICOM file") from None
        except BROKEN as error:
            reason = " ".join(str(error).split())
            raise UnusableError(f"{path.name}: not a readable DICOM file ({reason})") from error


def _read_slice(path: Path) -> tuple[str, str, Slice]:
    """Series, its number, and the slice of a file, without its pixels."""
    dataset = _dataset(path, TAGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _as_slice(path, dataset)
        except UnusableError:
            raise
        except BROKEN as error:
            reason = " ".join(str(error).split())
            raise UnusableError(f"{path.name}: not an image of a series ({reason})") from error


def _as_slice(path: Path, dataset: Any) -> tuple[str, str, Slice]:  # noqa: ANN401
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
        thickness=float(dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness") or 0),
        announced=int(dataset.get("CardiacNumberOfImages") or 0),
    )
    if min(piece.size) < 1 or min(piece.spacing) <= 0:
        raise UnusableError(
            f"{path.name}: spacing and size must be positive, got {piece.spacing}, {piece.size}"
        )
    return str(dataset.SeriesInstanceUID), str(dataset.get("SeriesNumber") or ""), piece


def _numbers(values: Sequence[Any], count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"expected {count} numbers, got {numbers}")
    return numbers


def _in_plane_mm(series: Series) -> tuple[float, float]:
    y, x = series.slices[0].spacing
    return y, x


def _read(name: str, series: Series, scheme: LabelScheme, with_labels: bool) -> RawStudy:
    stack = stack_slices(series.slices, series.broken)
    rows, columns = stack.size
    shape = (stack.frames, len(stack.slices), rows, columns)
    if prod(shape) > MOST_VOXELS:
        raise UnusableError(f"{series.folder.name}: shape {shape}, more than {MOST_VOXELS} voxels")
    image = np.empty((1, *shape), np.float32)
    for z, phases in enumerate(stack.slices):
        for t, piece in enumerate(phases):
            image[0, t, z] = _pixels(piece)
    labels = np.full(shape, UNLABELLED, np.int8)
    beside = contours_beside(series.folder) if with_labels else None
    if beside:
        labels = contour_labels(beside, stack, scheme)
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


def _oddities(stack: Stack) -> tuple[str, ...]:
    announced = stack.slices[0][0].announced
    if announced and announced != stack.frames:
        return (f"{stack.frames} phases, CardiacNumberOfImages says {announced}",)
    return ()


def _pixels(piece: Slice) -> NDArray[np.float32]:
    """Intensities of a file, ``[Y, X]``, with its rescaling."""
    dataset = _dataset(piece.path, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = np.asarray(dataset.pixel_array, dtype=np.float32)
            slope = float(dataset.get("RescaleSlope", 1))
            intercept = float(dataset.get("RescaleIntercept", 0))
        except BROKEN as error:
            reason = " ".join(str(error).split())
            raise UnusableError(f"{piece.path.name}: pixels cannot be read ({reason})") from error
    pixels = pixels * np.float32(slope) + np.float32(intercept)
    if pixels.shape != piece.size or not np.isfinite(pixels).all():
        raise UnusableError(
            f"{piece.path.name}: expected finite pixels of shape {piece.size}, got {pixels.shape}"
        )
    return pixels
