"""NIfTI files: reading ones that nobody has checked."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.regular import check_regular, in_short, open_regular
from semiqc.images.raw import UnusableError
from semiqc.nifti import itk
from semiqc.nifti.forms import SAME_PLACE, apart_mm
from semiqc.nifti.headers import LONGEST, Header, parse_header

ENDINGS = (".nii.gz", ".nii", *itk.ENDINGS)

LONGEST_REST = 2**24
"""Bytes after the voxels, which nobody needs."""

Binary: TypeAlias = io.BufferedIOBase


def is_image(path: Path) -> bool:
    """Whether the name is that of a NIfTI file, or of one of ITK's own formats."""
    return path.name.lower().endswith(ENDINGS) and not path.name.startswith(".")


def stem(path: Path) -> str:
    """The file's name without the ending of its format."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.name


def read_header(path: Path) -> Header:
    """Read and check the header of a file; no voxel is read.

    Raises:
        UnusableError: If it is empty or not a NIfTI file, has no positive spacing, claims what
            the file cannot hold, or cannot be opened.
    """
    if itk.is_itk(path):
        return itk.read_itk_header(path)
    size = check_regular(path, called=path.name).st_size
    if size == 0:
        raise UnusableError(f"{path.name}: empty file")
    is_packed = _is_packed(path)
    with _reading(path), _open(path, is_packed) as file:
        block = file.read(LONGEST)
    return parse_header(path, block, size=size, is_packed=is_packed)


def read_voxels(header: Header) -> NDArray[Any]:
    """All voxels of a file, ``[T, Z, Y, X]``; integers of 16 bits at most stay what they are.

    Raises:
        UnusableError: If the file is cut short or damaged, or a voxel is not finite.
    """
    if itk.is_itk(header.path):
        voxels = itk.read_itk_voxels(header)
        _check_finite(voxels, header.path)
        return voxels
    stored = np.empty(header.shape[::-1], header.dtype)
    with _reading(header.path), _open(header.path, _is_packed(header.path)) as file:
        file.seek(header.offset)
        _fill(file, stored, header.path)
        # Only at the end of a gzip file is its checksum compared.
        rest = len(file.read(LONGEST_REST))
    if rest == LONGEST_REST:
        raise UnusableError(f"{header.path.name}: goes on for {rest} bytes after its voxels")
    voxels = _as_numbers(stored, header.scaling)
    _check_finite(voxels, header.path)
    return voxels.reshape(header.frames, *header.shape[2::-1])


def _check_finite(voxels: NDArray[Any], path: Path) -> None:
    """Refuse voxels that are NaN or infinite.

    Raises:
        UnusableError: With their number.
    """
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        broken = int((~np.isfinite(voxels)).sum())
        raise UnusableError(f"{path.name}: {broken} voxels are NaN, infinite or beyond float32")


def difference(image: Header, other: Header) -> str:
    """How the grid of ``other`` differs from that of ``image``, in words; empty if not.

    Voxel sizes are not compared: in ACDC's cine files the affine, which gives the place, says
    nothing of them. Two images lie in the same place if any program would say so: one that ITK
    wrote has the place that ITK reads from the other.
    """
    if other.shape[:3] != image.shape[:3]:
        return f"shape {other.shape[:3]}, {image.path.name} has {image.shape[:3]}"
    apart = apart_mm(image.views, other.views, image.shape)
    smallest = np.linalg.norm(image.affine[:3, :3], axis=0).min()
    if apart > SAME_PLACE * smallest:
        return f"affine lies up to {apart:.3g} mm from that of {image.path.name}"
    return ""


def _is_packed(path: Path) -> bool:
    """Whether a file is compressed."""
    # Told by its first bytes: files lose and gain the ending .gz when they are passed on.
    with open_regular(path, called=path.name) as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def _open(path: Path, is_packed: bool) -> Iterator[Binary]:
    """A file, unpacked where it is compressed."""
    with open_regular(path, called=path.name) as file:
        if not is_packed:
            yield file
        else:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                yield unpacked


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while voxels are read into one ``UnusableError``."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise UnusableError(f"{path.name}: cut short or damaged ({in_short(error)})") from error
    except MemoryError:
        raise UnusableError(f"{path.name}: needs more memory than there is") from None


def _fill(file: Binary, array: NDArray[Any], path: Path) -> None:
    """Read bytes until ``array`` is full.

    Raises:
        UnusableError: If the file ends before.
    """
    view = array.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(view):
        count = file.readinto(view[filled:])
        if not count:
            raise UnusableError(
                f"{path.name}: cut short; its header announces {len(view)} bytes of voxels,"
                f" it holds {filled}"
            )
        filled += count


def _as_numbers(stored: NDArray[Any], scaling: tuple[float, float] | None) -> NDArray[Any]:
    """Stored voxels with the scaling of the header, as integers or float32."""
    small_integer = stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2
    if scaling is None and small_integer:
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        if scaling is None:
            return stored.astype(np.float32)
        slope, intercept = scaling
        # Part by part: of a long cine the numbers of double precision fill a gigabyte.
        scaled = np.empty(stored.shape, np.float32)
        for part, target in zip(stored, scaled, strict=True):
            target[...] = part.astype(np.float64) * slope + intercept
        return scaled
