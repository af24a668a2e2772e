"""Labels and maps of a study as NIfTI files, in the geometry of its source."""

import gzip
from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from semiqc.files.atomic import whole_file
from semiqc.images.axes import turned_back
from semiqc.images.resampling import map_to_source, to_source
from semiqc.nifti.files import Binary
from semiqc.nifti.forms import put, put_affine
from semiqc.study import Geometry, Study, Voxels

MAP_STEP = 1 / 128
"""Between stored values of a map: a power of two, so that 0 and 1 come back exactly."""


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
    recorded = geometry.to_source
    frames = (
        turned_back(to_source(labels[frame], geometry), recorded) for frame in range(study.frames)
    )
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
    recorded = geometry.to_source
    maps = (
        turned_back(map_to_source(values[frame], geometry), recorded)
        for frame in range(study.frames)
    )
    header = _new_header(geometry, study, np.uint8)
    header.set_slope_inter(MAP_STEP, 0)
    _write(path, header, (np.rint(one.clip(0, 1) / MAP_STEP).astype(np.uint8) for one in maps))


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
    """A header that gives the place as the source's does; by the affine if that is not known."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    recorded = geometry.to_source
    lies = np.broadcast_to(np.int8(0), geometry.shape[::-1])
    shape = turned_back(lies, recorded).shape[::-1]
    form = recorded.get("nifti")
    if form:
        header.set_data_shape(_shape(form["dim"][:3], shape, study.frames))
        put(header, form)
    else:
        header.set_data_shape(_shape(shape, shape, study.frames))
        mm = tuple(recorded.get("source_spacing", study.spacing))[::-1]
        put_affine(header, geometry.affine, mm)
        if study.frames > 1 and recorded.get("time_step"):
            header["pixdim"][4] = recorded["time_step"]
        header.set_xyzt_units("mm", recorded.get("time_unit") or None)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return header


def _shape(wanted: Sequence[int], known: Sequence[int], frames: int) -> tuple[int, ...]:
    """The shape to write: with as many axes as the source has, one more for several frames.

    Args:
        wanted: Of a volume of the source as its file has it.
        known: Of the volume on the grid of the source.
        frames: Of the study.
    """
    volume = tuple(wanted)
    if prod(volume) != prod(known):  # A study whose slices were changed after it was read.
        volume = tuple(known)
    return (*volume, *[1] * (3 - len(volume)), frames) if frames > 1 else volume


def _write(path: Path, header: nib.Nifti1Header, frames: Iterable[NDArray[np.generic]]) -> None:
    """Write a file, whole or not at all, a frame ``[Z, Y, X]`` of the header's type at a time."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        if path.name.endswith(".gz"):
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write_frames(packed, header, frames)
        else:
            _write_frames(file, header, frames)


def _write_frames(
    file: Binary, header: nib.Nifti1Header, frames: Iterable[NDArray[np.generic]]
) -> None:
    """Write a header and the frames behind it, one after the other."""
    file.write(header.binaryblock)
    file.write(bytes(4))
    for frame in frames:
        # [Z, Y, X] in C order is NIfTI's order, x fastest.
        file.write(np.ascontiguousarray(frame, header.get_data_dtype()).tobytes())
