"""Headers of NIfTI files that nobody has checked.

nibabel answers a broken header by mending it: a spacing of 0 becomes 1 mm. Here it is refused, and
so is one that claims more voxels than its file can hold, before memory is reserved for them.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from semiqc.doors.regular import in_short
from semiqc.images.raw import UnusableError
from semiqc.images.sizes import FARTHEST_MM, check_spacing
from semiqc.nifti.forms import form_of, oddities, qform, sform, views

LONGEST = 540
"""Bytes of the longer of the two kinds of header, that of NIfTI-2."""

MOST_VOXELS = 2**28
"""Of one file: a cine of 50 frames, 20 slices and 512 x 512 pixels."""

LONGEST_AXIS = 2**15 - 1
"""Voxels or frames: NIfTI-1 cannot name more, and a cine of more would take a command hours."""

MOST_BYTES = 2**30
"""Of the voxels of one file as they are stored."""

MOST_DEFLATED = 1032
"""Bytes that one byte of a deflate stream can stand for; see https://zlib.net/zlib_tech.html."""

FURTHEST_OFFSET = 2**24
"""Of the first voxel; header extensions lie before it."""

FLATTEST = 1e-3
"""Volume that three axes of length 1 span, below which they lie in one plane."""

_HEADERS: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_SPATIAL_UNITS = {1: "metres", 3: "microns"}
_TIME_UNITS = {8: "sec", 16: "msec"}


@dataclass(frozen=True, eq=False)
class Header:
    """A header that was found sound.

    Args:
        path: The file.
        shape: ``(X, Y, Z)`` or ``(X, Y, Z, T)``; axes of length 1 at the end are left out.
        affine: From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        time_step: Between frames, where the header has it.
        time_unit: Of ``time_step``: ``"sec"``, ``"msec"`` or empty.
        offset: Byte of the first voxel.
        dtype: Of the voxels as they are stored.
        scaling: Slope and intercept of the stored values, where they are scaled.
        warnings: What is odd about the header.
        form: Both transforms and the units as they stand there, see ``semiqc.nifti.forms``.
        views: Every affine that some program reads from it, likewise.
    """

    path: Path
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    spacing: tuple[float, float, float]
    time_step: float | None
    time_unit: str
    offset: int
    dtype: np.dtype[Any]
    scaling: tuple[float, float] | None
    warnings: tuple[str, ...]
    form: Mapping[str, Any]
    views: tuple[NDArray[np.float64], ...]

    @property
    def frames(self) -> int:
        """Number of frames; 1 where the file is 3-D."""
        return self.shape[3] if len(self.shape) == 4 else 1


def parse_header(path: Path, block: bytes, *, size: int, is_packed: bool) -> Header:
    """Check the first bytes of a file.

    Args:
        path: The file.
        block: Its first ``LONGEST`` bytes, unpacked.
        size: Bytes of the file.
        is_packed: Whether it is compressed.

    Raises:
        UnusableError: If they are no header, or an unsound one.
    """
    try:
        # What overflows is refused for what it becomes.
        with np.errstate(all="ignore"):
            return _parse(path, block, size * MOST_DEFLATED if is_packed else size)
    except UnusableError:
        raise
    except (ValueError, KeyError, ArithmeticError, HeaderDataError) as error:
        raise UnusableError(f"{path.name}: unsound NIfTI header ({in_short(error)})") from error


def _parse(path: Path, block: bytes, most: int) -> Header:
    """The header, checked part by part; ``most`` is what the file can hold, in bytes.

    Raises:
        UnusableError: Naming the part that is unsound.
    """
    header, length = _known_header(path, block)
    shape = _shape(path, header)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise UnusableError(f"{path.name}: voxels of type {dtype}, expected real numbers")
    offset = _offset(path, header, length)
    _check_claim(path, shape, offset + prod(shape) * dtype.itemsize, most)
    slope, intercept = header.get_slope_inter()
    form = form_of(header)
    seen = views(form)
    affine = _affine(path, form, seen)
    spacing, warnings = _spacing(path, header, affine)
    step = float(header["pixdim"][4])
    return Header(
        path=path,
        shape=shape,
        affine=affine,
        spacing=spacing,
        time_step=step if len(shape) == 4 and 0 < step < float("inf") else None,
        time_unit=_time_unit(path, header),
        warnings=warnings or tuple(oddities(form)),
        form=form,
        views=seen,
        offset=offset,
        dtype=dtype,
        scaling=None if slope is None or (slope, intercept) == (1, 0) else (slope, intercept),
    )


def _known_header(path: Path, block: bytes) -> tuple[Any, int]:
    """The header of version 1 or 2 that a file begins with, and its length in bytes."""
    lengths = {struct.unpack(order + "i", block[:4])[0] for order in "<>"} if block[4:] else set()
    length = next((n for n in _HEADERS if n in lengths), 0)
    if not length or len(block) < length:
        raise UnusableError(f"{path.name}: not a NIfTI file")
    header = _HEADERS[length](block[:length], check=False)
    if bytes(header["magic"]).rstrip(b"\0")[:3] not in (b"n+1", b"n+2"):
        raise UnusableError(f"{path.name}: not a NIfTI file of one part (.nii or .nii.gz)")
    return header, length


def _time_unit(path: Path, header: Any) -> str:  # noqa: ANN401
    """Unit of the step between frames; lengths in anything but mm are refused."""
    units = int(header["xyzt_units"])
    if units & 7 in _SPATIAL_UNITS:
        unit = _SPATIAL_UNITS[units & 7]
        raise UnusableError(f"{path.name}: lengths are in {unit}, expected mm")
    return _TIME_UNITS.get(units & 56, "")


def _shape(path: Path, header: Any) -> tuple[int, ...]:  # noqa: ANN401
    """Lengths of the axes ``(x, y, z)`` or ``(x, y, z, t)``, without trailing ones.

    Raises:
        UnusableError: If they are unsound, of one line, or there are more than four.
    """
    axes, *lengths = (int(n) for n in header["dim"])
    if not 1 <= axes <= 7 or min(lengths[:axes]) < 1:
        raise UnusableError(f"{path.name}: unsound dimensions {[axes, *lengths]} in the header")
    shape = lengths[:axes]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) > 4:
        raise UnusableError(f"{path.name}: has {len(shape)} axes {tuple(shape)}, expected 3 or 4")
    if sorted([1, *shape[:3]])[-2] == 1:
        raise UnusableError(f"{path.name}: one line of voxels {tuple(shape)}, expected an image")
    return (*shape, *[1] * (3 - len(shape)))


def _offset(path: Path, header: Any, length: int) -> int:  # noqa: ANN401
    """Byte at which the voxels begin.

    Raises:
        UnusableError: If that lies in the header, or absurdly far behind it.
    """
    offset = float(header["vox_offset"])
    if not length <= offset <= FURTHEST_OFFSET:
        raise UnusableError(f"{path.name}: voxels cannot begin at byte {offset:.6g}")
    return int(offset)


def _check_claim(path: Path, shape: tuple[int, ...], claimed: int, most: int) -> None:
    """Refuse a header that claims what the file cannot hold, before memory is reserved."""
    if prod(shape) > MOST_VOXELS:
        raise UnusableError(f"{path.name}: claims shape {shape}, more than {MOST_VOXELS} voxels")
    if max(shape) > LONGEST_AXIS:
        raise UnusableError(
            f"{path.name}: claims shape {shape}, expected {LONGEST_AXIS} on each axis at most"
        )
    if claimed > MOST_BYTES:
        raise UnusableError(
            f"{path.name}: claims shape {shape}, {claimed >> 20} MiB, expected"
            f" {MOST_BYTES >> 20} MiB at most"
        )
    if claimed > most:
        raise UnusableError(
            f"{path.name}: cut short; shape {shape} takes {claimed} bytes,"
            f" the file can hold {most} at most"
        )


def _affine(
    path: Path, form: Mapping[str, Any], seen: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """From voxel indices to mm in RAS+, by the sform, else the qform, else nibabel's convention.

    Raises:
        UnusableError: If it cannot be inverted, or puts the image out of the world.
    """
    counts = form["sform_code"] > 0, form["qform_code"] > 0
    affine = sform(form) if counts[0] else qform(form) if counts[1] else seen[0]
    scale = np.linalg.norm(affine[:3, :3], axis=0)
    # Of lengths whatever they are, the determinant tells only whether directions differ.
    if (
        not np.isfinite(affine).all()
        or not abs(np.linalg.det(affine[:3, :3] / np.where(scale > 0, scale, 1))) > FLATTEST
    ):
        raise UnusableError(f"{path.name}: affine cannot be inverted: {affine[:3].tolist()}")
    away = float(np.abs(affine[:3, 3]).max())
    if away > FARTHEST_MM:
        raise UnusableError(
            f"{path.name}: lies {away:.3g} mm from the origin, expected {FARTHEST_MM:g} at most"
        )
    return affine


def _spacing(
    path: Path,
    header: Any,  # noqa: ANN401
    affine: NDArray[np.float64],
) -> tuple[tuple[float, float, float], tuple[str, ...]]:
    """Spacing ``(z, y, x)``, and a warning where voxel size and affine contradict each other.

    ACDC's cine files have the true voxel size and an affine without scale; other files have a
    voxel size that was never filled in. Whichever is not 1 x 1 x 1 was meant.
    """
    voxel_mm = _voxel_mm(path, header)
    scale = np.linalg.norm(affine[:3, :3], axis=0)
    warnings: tuple[str, ...] = ()
    if not np.allclose(scale, voxel_mm, rtol=0.01):
        taken = "affine" if np.allclose(voxel_mm, 1) else "voxel size"
        warnings = (f"header's voxel size and affine contradict each other; the {taken} is taken",)
        voxel_mm = scale if taken == "affine" else voxel_mm
    x, y, z = (round(float(mm), 6) for mm in voxel_mm)
    check_spacing((z, y, x), path.name)
    return (z, y, x), warnings


def _voxel_mm(path: Path, header: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Voxel size ``(x, y, z)`` in mm as the header has it; 1 along an axis it does not have."""
    voxel_mm = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    axes = int(header["dim"][0])
    voxel_mm[axes:] = np.where(voxel_mm[axes:] > 0, voxel_mm[axes:], 1)
    if not (np.isfinite(voxel_mm) & (voxel_mm > 0)).all():
        raise UnusableError(f"{path.name}: spacing must be positive mm, got {voxel_mm.tolist()}")
    return voxel_mm
