"""Single frames as NIfTI files in a study's own grid, which any reader of NIfTI takes."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Extension
from numpy.typing import NDArray

from semiqc.files.atomic import whole_file
from semiqc.nifti.forms import put, put_affine
from semiqc.study import Study

DESCRIPTION_BYTES = 79
"""Room for text in a NIfTI header."""

COMMENT = 6
"""NIfTI's code of an extension that holds text."""


def grid_affine(study: Study) -> NDArray[np.float64]:
    """From voxel indices ``(x, y, z)`` of a study's own grid to mm in RAS+, ``[4, 4]``.

    The study's centre is that of its source, and its axes are the nearest right-angled ones: ITK
    reads no others. A study without geometry has its first voxel at 0 mm.
    """
    spacing = np.array(study.spacing[::-1], dtype=np.float64)
    affine = np.diag([*spacing, 1.0])
    if study.geometry is None:
        return affine
    source = np.asarray(study.geometry.affine, dtype=np.float64)
    affine[:3, :3] = _right_angled(source[:3, :3]) * spacing
    middle = (np.array(study.geometry.shape) - 1) / 2
    own_middle = (np.array(study.labels.shape[:0:-1]) - 1) / 2
    affine[:3, 3] = source[:3, :3] @ middle + source[:3, 3] - affine[:3, :3] @ own_middle
    return affine


def own_form(study: Study) -> Mapping[str, Any] | None:
    """Both transforms of the source's header, where the study lies on the source's own grid."""
    recorded = study.geometry.to_source if study.geometry else {}
    same_grid = recorded.get("source_spacing") == recorded.get("study_spacing")
    if not same_grid or "axes" in recorded or len(recorded.get("nifti", {}).get("dim", ())) < 3:
        return None
    form: Mapping[str, Any] = recorded["nifti"]
    return form


def write_frame(
    path: Path,
    voxels: NDArray[np.generic],
    affine: NDArray[np.float64],
    *,
    form: Mapping[str, Any] | None = None,
    summary: str = "",
    note: str = "",
) -> None:
    """Write a file, packed, whole or not at all; the same voxels give the same bytes.

    Args:
        path: A ``.nii.gz`` file.
        voxels: ``[Z, Y, X]``, or ``[M, Z, Y, X]`` of several modalities, of the type that is
            stored.
        affine: From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``.
        form: Place as the header of a NIfTI file has it, in the stead of the affine.
        summary: For the header's field of description; cut to ``DESCRIPTION_BYTES``.
        note: Any text, kept in the header as a comment, see ``read_note``.
    """
    image = nib.Nifti1Image(np.asarray(voxels).T, None)
    header: Any = image.header
    if form:
        put(header, form)
    else:
        put_affine(header, affine, np.linalg.norm(affine[:3, :3], axis=0).tolist())
        header.set_xyzt_units("mm")
    header["descrip"] = summary.encode("ascii", "replace")[:DESCRIPTION_BYTES]
    if note:
        header.extensions.append(Nifti1Extension(COMMENT, note.encode()))
    with whole_file(path) as temporary:
        temporary.write_bytes(gzip.compress(image.to_bytes(), 6, mtime=0))


def read_note(path: Path) -> str:
    """The text that ``write_frame`` kept in the header; empty where there is none."""
    header: Any = nib.Nifti1Image.from_filename(path).header
    for extension in header.extensions:
        if extension.get_code() == COMMENT:
            return bytes(extension.get_content()).decode()
    return ""


def _right_angled(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthonormal matrix nearest to three directions; the identity where one has no length."""
    lengths = np.linalg.norm(directions, axis=0)
    if not np.isfinite(directions).all() or (lengths == 0).any():
        return np.eye(3)
    left, _, right = np.linalg.svd(directions / lengths)
    nearest: NDArray[np.float64] = left @ right
    return nearest
