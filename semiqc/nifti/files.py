"""NIfTI files: reading ones that nobody has checked, and writing labels and maps back."""

import gzip
import io
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from semiqc.files.atomic import whole_file
from semiqc.images.raw import UnusableError
from semiqc.images.resampling import map_to_source, to_source
from semiqc.nifti.headers import LONGEST, Header, parse_header
from semiqc.study import Geometry, Study, Voxels

ENDINGS = (".nii.gz", ".nii")

ALIGNED = 2
"""NIfTI's code of an affine that aligns to other data, as nibabel writes it."""

SAME_PLACE = 0.1
"""Share of a voxel by which the corners of two images of the same grid may lie apart."""

MAP_STEP = 1 / 128
"""Between stored values of a map: a power of two, so that 0 and 1 come back exactly."""

LONGEST_REST = 2**24
"""Bytes after the voxels, which nobody needs."""

Binary: TypeAlias = io.BufferedIOBase


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a NIfTI file."""
    return path.name.lower().endswith(ENDINGS) and not path.name.startswith(".")


def stem(path: Path) -> str:
    """The file's name without ``.nii`` or ``.nii.gz``."""
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
    try:
        size = path.stat().st_size
        if size == 0:
            raise UnusableError(f"{path.name}: empty file")
        is_packed = _is_packed(path)
        with _open(path, is_packed) as file:
            block = file.read(LONGEST)
    except FileNotFoundError:
        raise UnusableError(f"{path.name}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    return parse_header(path, block, size=size, is_packed=is_packed)


def read_voxels(header: Header) -> NDArray[Any]:
    """All voxels of a file, ``[T, Z, Y, X]``; integers of 16 bits at most stay what they are.

    Raises:
        UnusableError: If the file is cut short or damaged, or a voxel is not finite.
    """
    stored = np.empty(header.shape[::-1], header.dtype)
    try:
        with _open(header.path, _is_packed(header.path)) as file:
            file.seek(header.offset)
            _fill(file, stored, header.path)
            # Only at the end of a gzip file is its checksum compared.
            rest = len(file.read(LONGEST_REST))
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(header.path, error) from error
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
    nothing of them.
    """
    if other.shape[:3] != image.shape[:3]:
        return f"shape {other.shape[:3]}, {image.path.name} has {image.shape[:3]}"
    corners = np.array(
        [(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float
    ) * [*(n - 1 for n in image.shape[:3]), 1]
    apart = np.linalg.norm(((image.affine - other.affine) @ corners.T)[:3], axis=0).max()
    smallest = np.linalg.norm(image.affine[:3, :3], axis=0).min()
    if apart > SAME_PLACE * smallest:
        return f"affine lies up to {apart:.3g} mm from that of {image.path.name}"
    return ""


def write_labels(path: Path, study: Study, labels: Voxels) -> None:
    """Write labels in the geometry of the study's source, a frame at a time.

    The file is 3-D where the study has one frame, else 4-D; int8, so that ``UNLABELLED`` stays
    what it is. A study without geometry is written as it stands, its first voxel at 0 mm.

    Args:
        path: A ``.nii.gz`` or ``.nii`` file, written whole or not at all.
        study: Whose labels they are.
        labels: ``[T, Z, Y, X]`` of the study's grid.

    Raises:
        ValueError: If the shape is not the study's.
    """
    geometry = _checked_geometry(study, labels, "labels")
    frames = (to_source(labels[frame], geometry) for frame in range(study.frames))
    _write(path, _new_header(geometry, study, np.int8), frames)


def write_map(path: Path, study: Study, values: Voxels) -> None:
    """Write a map of values in [0, 1] in the geometry of the study's source, as ``write_labels``.

    It is stored in 8 bits, scaled by the header in steps of ``MAP_STEP``.

    Args:
        path: A ``.nii.gz`` or ``.nii`` file, written whole or not at all.
        study: Whose voxels they belong to.
        values: ``[T, Z, Y, X]`` of the study's grid.

    Raises:
        ValueError: If the shape is not the study's.
    """
    geometry = _checked_geometry(study, values, "values")
    maps = (map_to_source(values[frame], geometry) for frame in range(study.frames))
    header = _new_header(geometry, study, np.uint8)
    header.set_slope_inter(MAP_STEP, 0)
    _write(path, header, (np.rint(one.clip(0, 1) / MAP_STEP).astype(np.uint8) for one in maps))


def _is_packed(path: Path) -> bool:
    """Whether a file is compressed."""
    # Told by its first bytes: files lose and gain the ending .gz when they are passed on.
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _open(path: Path, is_packed: bool) -> Binary:
    return gzip.GzipFile(path, "rb") if is_packed else path.open("rb")


def _unreadable(path: Path, error: Exception) -> UnusableError:
    """The error to raise for whatever went wrong while a file was read."""
    if isinstance(error, PermissionError):
        return UnusableError(f"{path.name}: no permission to read it")
    if isinstance(error, IsADirectoryError):
        return UnusableError(f"{path.name}: a folder, expected a file")
    return UnusableError(f"{path.name}: cut short or damaged ({error})")


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
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def _checked_geometry(study: Study, voxels: Voxels, what: str) -> Geometry:
    """The study's geometry, once ``voxels`` are known to be of its shape.

    Raises:
        ValueError: If they are not.
    """
    if tuple(voxels.shape) != tuple(study.labels.shape):
        raise ValueError(
            f"{study.name}: {what} have shape {tuple(voxels.shape)},"
            f" the study {tuple(study.labels.shape)}"
        )
    if study.geometry is not None:
        return study.geometry
    z, y, x = study.labels.shape[1:]
    return Geometry(np.diag([*study.spacing[::-1], 1.0]), (x, y, z))


def _new_header(geometry: Geometry, study: Study, dtype: type[np.integer]) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    frames = study.frames
    header.set_data_shape((*geometry.shape, frames) if frames > 1 else geometry.shape)
    header.set_sform(geometry.affine, code=ALIGNED)
    recorded = geometry.to_source
    header["pixdim"][1:4] = tuple(recorded.get("source_spacing", study.spacing))[::-1]
    unit = recorded.get("time_unit") or None
    if frames > 1 and recorded.get("time_step"):
        header["pixdim"][4] = recorded["time_step"]
    header.set_xyzt_units("mm", unit)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return header


def _write(path: Path, header: nib.Nifti1Header, frames: Iterable[NDArray[np.integer]]) -> None:
    """Write a file, whole or not at all, a frame ``[Z, Y, X]`` of the header's type at a time."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        if path.name.endswith(".gz"):
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write_frames(packed, header, frames)
        else:
            _write_frames(file, header, frames)


def _write_frames(
    file: Binary, header: nib.Nifti1Header, frames: Iterable[NDArray[np.integer]]
) -> None:
    """Write a header and the frames behind it, one after the other."""
    file.write(header.binaryblock)
    file.write(bytes(4))
    for frame in frames:
        # [Z, Y, X] in C order is NIfTI's order, x fastest.
        file.write(np.ascontiguousarray(frame, header.get_data_dtype()).tobytes())
