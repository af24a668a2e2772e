"""Images of ITK's own formats, MetaImage and NRRD, as if they were NIfTI files.

Place and spacing are those that ITK reads, turned from LPS to RAS+, and kept as a NIfTI header
would hold them, so that results can be written as NIfTI. ITK itself is not asked: what is wrong
in a header may end the program that it is loaded into.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from semiqc.doors.regular import check_regular, in_short, open_regular
from semiqc.images.raw import UnusableError
from semiqc.nifti.forms import form_of, views
from semiqc.nifti.headers import MOST_BYTES, MOST_DEFLATED, MOST_VOXELS, Header
from semiqc.nifti.itk import metaimage, nrrd
from semiqc.nifti.itk.described import HIDDEN_AT_END, Described, is_beside

DESCRIBE: dict[str, Callable[[bytes], Described]] = {
    ".nrrd": nrrd.describe,
    ".mha": metaimage.describe,
    ".mhd": metaimage.describe,
}
ENDINGS = tuple(DESCRIBE)

LONGEST_TEXT = 65536
"""Bytes in which a header's text ends."""

MOST_COLOURS = 4
"""Values of a voxel up to which they are colours; more are frames, as 3D Slicer writes cine."""

ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
SPARE = 2**20
"""Bytes that what cannot be packed any smaller has more."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_itk(path: Path) -> bool:
    """Whether the name is that of a MetaImage or NRRD file."""
    return path.name.lower().endswith(ENDINGS)


def read_itk_header(path: Path) -> Header:
    """The header of a file; no voxel is read.

    Raises:
        UnusableError: If the file or its voxels cannot be read, or are no numbers on a grid of
            2, 3 or 4 axes.
    """
    found = _described(path)
    held = check_regular(_data_file(path, found), called=_called(path, found)).st_size
    shape, spacing = _shape(path, found), list(found.spacing)
    if not np.isfinite(spacing).all() or min(spacing) <= 0:
        raise UnusableError(f"{path.name}: spacing must be positive mm, got {spacing}")
    asked = prod(shape) * found.dtype.itemsize
    if prod(shape) > MOST_VOXELS or asked > min(held * MOST_DEFLATED, MOST_BYTES):
        raise UnusableError(
            f"{path.name}: claims shape {shape}, more than {MOST_VOXELS} voxels or than a file of"
            f" {held} bytes can hold"
        )
    header = _as_nifti(path, shape, found)
    form = form_of(header)
    x, y, z = (*spacing[:3], *[1.0] * (3 - len(spacing)))
    step = spacing[3] if len(spacing) == 4 else None
    return Header(
        path=path, shape=shape, affine=header.get_sform(), spacing=(z, y, x), time_step=step,
        time_unit="", offset=0, dtype=np.dtype(np.float32), scaling=None, warnings=(), form=form,
        views=views(form),
    )  # fmt: skip


def read_itk_voxels(header: Header) -> NDArray[Any]:
    """All voxels of a file, ``[T, Z, Y, X]``; integers of 16 bits at most stay what they are.

    Raises:
        UnusableError: If the file is cut short or damaged.
    """
    path = header.path
    found = _described(path)
    with (
        open_regular(_data_file(path, found), called=_called(path, found)) as file,
        _telling_damage(path),
    ):
        content = _content(file, found)
        voxels = np.frombuffer(content, found.dtype).reshape(found.size[::-1])
    if found.parts_axis is not None:
        voxels = np.moveaxis(voxels, len(found.size) - 1 - found.parts_axis, 0)
    stays = found.dtype.kind in "iu" and found.dtype.itemsize <= 2
    with np.errstate(over="ignore"):
        # What is infinite is refused with other images that are.
        kept = found.dtype.newbyteorder("=") if stays else np.dtype(np.float32)
        voxels = voxels.astype(kept, copy=False)
    return np.asarray(voxels.reshape(header.frames, *header.shape[2::-1]))


def _content(file: BinaryIO, found: Described) -> bytes:
    """The voxels as they are stored.

    Raises:
        ValueError: If the file holds fewer.
    """
    asked = prod(found.size) * found.dtype.itemsize
    at_end = found.offset == HIDDEN_AT_END
    file.seek(-asked if at_end else found.offset, 2 if at_end else 0)
    if not found.packed:
        content = file.read(asked)
    else:
        content = zlib.decompressobj(ZLIB_OR_GZIP).decompress(file.read(asked + SPARE), asked)
    if len(content) != asked:
        raise ValueError(f"expected {asked} bytes of voxels, got {len(content)}")
    return content


def _described(path: Path) -> Described:
    """What the header says.

    Raises:
        UnusableError: If it cannot be read.
    """
    with open_regular(path, called=path.name) as file, _telling_damage(path):
        return DESCRIBE[path.suffix.lower()](file.read(LONGEST_TEXT))


@contextmanager
def _telling_damage(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with it."""
    try:
        yield
    except UnusableError:
        raise
    except KeyError as error:
        raise UnusableError(f"{path.name}: cut short or damaged (lacks {error})") from error
    except (ValueError, ArithmeticError, OSError, MemoryError, zlib.error) as error:
        raise UnusableError(f"{path.name}: cut short or damaged ({in_short(error)})") from error


def _data_file(path: Path, found: Described) -> Path:
    """The file that holds the voxels.

    Raises:
        UnusableError: If it does not lie beside the header.
    """
    if found.beside and not is_beside(found.beside):
        raise UnusableError(
            f"{path.name}: its voxels must be in a file beside it, got {in_short(found.beside)}"
        )
    return path.with_name(found.beside) if found.beside else path


def _called(path: Path, found: Described) -> str:
    """How messages name the file that holds the voxels."""
    return f"{path.name}: its {in_short(found.beside)}" if found.beside else path.name


def _shape(path: Path, found: Described) -> tuple[int, ...]:
    """``(X, Y, Z)`` or ``(X, Y, Z, T)``; of a 2-D file, Z is 1.

    Raises:
        UnusableError: If there are other axes, or voxels that are no single numbers.
    """
    size, parts = found.grid, found.parts
    if not 2 <= len(size) <= 4 or 1 < parts <= MOST_COLOURS or (parts > 1 and len(size) == 4):
        raise UnusableError(
            f"{path.name}: expected real numbers on 2 to 4 axes, got shape {size} with {parts}"
            " values for each voxel"
        )
    shape = (*size[:3], *[1] * (3 - len(size)), *size[3:])
    if parts > 1:
        shape = (*shape[:3], parts)
    return shape[:3] if shape[3:] == (1,) else shape


def _as_nifti(path: Path, shape: tuple[int, ...], found: Described) -> nib.Nifti1Header:
    """A NIfTI header of the same place.

    Raises:
        UnusableError: If the directions cannot be inverted, or NIfTI cannot hold the shape.
    """
    axes = min(len(found.grid), 3)
    affine = np.eye(4)
    affine[:axes, :axes] = found.direction[:axes, :axes] * np.array(found.spacing)[:axes]
    affine[:axes, 3] = found.origin[:axes]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        raise UnusableError(
            f"{path.name}: directions cannot be inverted: {found.direction.tolist()}"
        )
    header = nib.Nifti1Header()
    try:
        header.set_data_shape(shape)
    except nib.spatialimages.HeaderDataError as error:
        raise UnusableError(f"{path.name}: shape {shape}: {error}") from error
    header.set_qform(_LPS_TO_RAS @ affine, 1)
    header.set_sform(_LPS_TO_RAS @ affine, 1)
    header.set_xyzt_units("mm")
    return header
