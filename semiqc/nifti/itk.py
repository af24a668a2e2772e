"""Images of ITK's own formats, MetaImage and NRRD, as if they were NIfTI files.

Place and spacing are those that ITK reads, turned from LPS to RAS+, and kept as a NIfTI header
would hold them, so that results can be written as NIfTI.

References:
    https://itk.org/Wiki/ITK/MetaIO/Documentation
    https://teem.sourceforge.net/nrrd/format.html
"""

import re
from math import prod
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from semiqc.doors.regular import check_regular, in_short, open_regular
from semiqc.images.raw import UnusableError
from semiqc.nifti.forms import form_of, views
from semiqc.nifti.headers import MOST_DEFLATED, MOST_VOXELS, Header

ENDINGS = (".nrrd", ".mha", ".mhd")

LONGEST_TEXT = 65536
"""Bytes in which a header's text ends."""

MOST_COLOURS = 4
"""Values of a voxel up to which they are colours; more are frames, as 3D Slicer writes cine."""

_DETACHED = re.compile(rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)\s*(?P<file>.+?)\s*$", re.I)
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
    held = _bytes_held(path)
    reader = _reader(path)
    shape, spacing = _shape(path, reader), [float(mm) for mm in reader.GetSpacing()]
    if not np.isfinite(spacing).all() or min(spacing) <= 0:
        raise UnusableError(f"{path.name}: spacing must be positive mm, got {spacing}")
    if prod(shape) > MOST_VOXELS or prod(shape) > held * MOST_DEFLATED:
        raise UnusableError(
            f"{path.name}: claims shape {shape}, more than {MOST_VOXELS} voxels or than a file of"
            f" {held} bytes can hold"
        )
    header = _as_nifti(path, shape, reader)
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
    reader = _reader(header.path)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _damaged(header.path, error) from error
    voxels = _simpleitk().GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        voxels = np.moveaxis(voxels, -1, 0)
    if voxels.dtype.kind not in "iu" or voxels.dtype.itemsize > 2:
        voxels = voxels.astype(np.float32)
    return np.asarray(voxels.reshape(header.frames, *header.shape[2::-1]))


def _simpleitk() -> Any:  # noqa: ANN401
    """SimpleITK, whose functions have no types; loaded only where it is needed."""
    import SimpleITK

    return SimpleITK


def _reader(path: Path) -> Any:  # noqa: ANN401
    """SimpleITK's reader, which has read the header."""
    toolkit = _simpleitk()
    toolkit.ProcessObject_SetGlobalWarningDisplay(False)
    reader = toolkit.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _damaged(path, error) from error
    return reader


def _damaged(path: Path, error: RuntimeError) -> UnusableError:
    last = str(error).strip().splitlines()[-1].strip()
    return UnusableError(f"{path.name}: cut short or damaged ({in_short(last)})")


def _shape(path: Path, reader: Any) -> tuple[int, ...]:  # noqa: ANN401
    """``(X, Y, Z)`` or ``(X, Y, Z, T)``; of a 2-D file, Z is 1.

    Raises:
        UnusableError: If there are other axes, or voxels that are no single numbers.
    """
    size = tuple(int(n) for n in reader.GetSize())
    parts = int(reader.GetNumberOfComponents())
    is_complex = "complex" in _simpleitk().GetPixelIDValueAsString(reader.GetPixelID())
    if not 2 <= len(size) <= 4 or is_complex or 1 < parts <= MOST_COLOURS:
        raise UnusableError(
            f"{path.name}: expected real numbers on 2 to 4 axes, got shape {size} with {parts}"
            " values for each voxel"
        )
    shape = (*size[:3], *[1] * (3 - len(size)), *size[3:])
    if parts > 1:
        shape = (*shape[:3], parts)
    return shape[:3] if shape[3:] == (1,) else shape


def _as_nifti(path: Path, shape: tuple[int, ...], reader: Any) -> nib.Nifti1Header:  # noqa: ANN401
    """A NIfTI header of the same place.

    Raises:
        UnusableError: If the directions cannot be inverted, or NIfTI cannot hold the shape.
    """
    axes = min(len(reader.GetSize()), 3)
    direction = np.array(reader.GetDirection()).reshape((len(reader.GetSize()),) * 2)
    affine = np.eye(4)
    affine[:axes, :axes] = direction[:axes, :axes] * np.array(reader.GetSpacing())[:axes]
    affine[:axes, 3] = np.array(reader.GetOrigin())[:axes]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        raise UnusableError(f"{path.name}: directions cannot be inverted: {direction.tolist()}")
    header = nib.Nifti1Header()
    try:
        header.set_data_shape(shape)
    except nib.spatialimages.HeaderDataError as error:
        raise UnusableError(f"{path.name}: shape {shape}: {error}") from error
    header.set_qform(_LPS_TO_RAS @ affine, 1)
    header.set_sform(_LPS_TO_RAS @ affine, 1)
    header.set_xyzt_units("mm")
    return header


def _bytes_held(path: Path) -> int:
    """Bytes of a file and of the one that holds its voxels, which must lie beside it.

    Raises:
        UnusableError: If one is missing, no file, or lies elsewhere.
    """
    size = check_regular(path, called=path.name).st_size
    with open_regular(path, called=path.name) as file:
        text = file.read(LONGEST_TEXT)
    for line in text.splitlines():
        found = _DETACHED.match(line)
        if found and found["file"].lower() != b"local":
            return size + _beside(path, found["file"].decode("utf-8", "replace"))
        if not line.strip() or found:
            break
    return size


def _beside(path: Path, name: str) -> int:
    """Bytes of the file of that name beside another.

    Raises:
        UnusableError: If there is none.
    """
    data = path.with_name(name) if Path(name).name == name else None
    if data is None:
        raise UnusableError(f"{path.name}: its voxels must be in a file beside it, got {name}")
    return check_regular(data, called=data.name).st_size
