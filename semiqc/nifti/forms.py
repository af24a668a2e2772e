"""The two transforms of a NIfTI header, kept as they stand there, and what readers make of them.

A header gives the place of its voxels twice: as a quaternion (qform) and as a matrix (sform), each
with a code that says whether it counts. nibabel takes the sform where both count; ITK, and with it
3D Slicer, ITK-SNAP and SimpleITK, takes either, by the codes. Where the two differ, or neither
counts, one affine alone does not tell what other programs will show.

References:
    https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields/nifti1fields_pages/qsform.html
    ITK, Modules/IO/NIFTI/src/itkNiftiImageIO.cxx, SetImageIOOrientationFromNIfTI.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from nibabel.affines import from_matvec
from nibabel.quaternions import quat2mat
from numpy.typing import NDArray

Affine = NDArray[np.float64]

QFORM = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
SFORM = ("srow_x", "srow_y", "srow_z")
FIELDS = ("pixdim", "qform_code", *QFORM, "sform_code", *SFORM, "xyzt_units", "toffset")
"""Of a header, that say where its voxels lie, and when."""

SCANNER = 1
"""NIfTI's code of an affine that gives the place in the scanner."""

SAME_PLACE = 0.1
"""Share of a voxel by which the corners of two images of the same grid may lie apart."""

SHEARED = 0.02
"""Cosine between two axes from which on they are not at right angles: 1 degree."""


def form_of(header: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of a header that give place and time, and its ``dim``, as JSON can write them.

    Numbers that are not finite become 0, but for those of an sform that counts. A quaternion that
    holds one counts no longer.
    """
    form: dict[str, Any] = {"qform_code": int(header["qform_code"])}
    form["sform_code"] = int(header["sform_code"])
    for name in FIELDS:
        values = np.asarray(header[name], dtype=np.float64)
        if not np.isfinite(values).all() and not (name in SFORM and form["sform_code"] > 0):
            values = np.where(np.isfinite(values), values, 0)
            form["qform_code"] *= name not in QFORM
        if not name.endswith("code"):
            form[name] = values.tolist()
    form["xyzt_units"] = int(header["xyzt_units"])
    form["dim"] = [int(n) for n in header["dim"]][1 : 1 + int(header["dim"][0])]
    # The standard's meaning of 0, which nibabel does not accept.
    form["pixdim"][0] = -1.0 if form["pixdim"][0] == -1 else 1.0
    for axis in range(len(form["dim"]), 3):
        form["pixdim"][1 + axis] = form["pixdim"][1 + axis] or 1.0
    return form


def put(header: Any, form: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Write into a header what ``form_of`` read from another."""
    for name in FIELDS:
        header[name] = form[name]


def put_affine(header: Any, affine: Affine, mm: Sequence[float]) -> None:  # noqa: ANN401
    """Give the place in both forms; as a matrix alone where a quaternion cannot say the same.

    Args:
        header: To be written.
        affine: From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``.
        mm: Voxel size ``(x, y, z)``.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    header.set_sform(matrix, code=SCANNER)
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if np.allclose(lengths, mm, rtol=1e-3) and not is_sheared(matrix):
        header.set_qform(matrix, code=SCANNER)
    header["pixdim"][1:4] = mm


def qform(form: Mapping[str, Any]) -> Affine:
    """The quaternion's affine, ``[4, 4]``; one that is rounded beyond length 1 is shortened."""
    vector = np.array([form[name] for name in QFORM[:3]])
    rest = 1 - float(vector @ vector)
    if rest < 1e-7:
        vector, rest = vector / np.linalg.norm(vector), 0.0
    size = np.array(form["pixdim"][1:4]) * [1, 1, form["pixdim"][0]]
    turn = quat2mat([np.sqrt(rest), *vector])
    return np.asarray(from_matvec(turn * size, [form[name] for name in QFORM[3:]]))


def sform(form: Mapping[str, Any]) -> Affine:
    """The matrix's affine, ``[4, 4]``."""
    return np.array([*(form[name] for name in SFORM), [0, 0, 0, 1]], dtype=np.float64)


def views(form: Mapping[str, Any]) -> tuple[Affine, ...]:
    """Every affine that some program reads from a header: nibabel's first.

    ITK takes directions and place from the sform but the voxel size from ``pixdim``, and knows
    only rows and columns of a file that has no third axis. Where neither form counts, nibabel has
    its own convention and ITK another.
    """
    found = [view for view in _views(form) if np.isfinite(view).all()]
    if len(form["dim"]) == 2:
        found += [_in_plane(view) for view in found]
    return tuple(found)


def _views(form: Mapping[str, Any]) -> Iterator[Affine]:
    size = np.array(form["pixdim"][1:4])
    if form["sform_code"] > 0:
        matrix = sform(form)
        yield matrix
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        yield from_matvec(matrix[:3, :3] / np.maximum(lengths, 1e-30) * size, matrix[:3, 3])
    if form["qform_code"] > 0:
        yield qform(form)
    if form["sform_code"] <= 0 and form["qform_code"] <= 0:
        shape = np.array([*form["dim"], 1, 1, 1][:3])
        mirrored = np.diag(size * [-1, 1, 1])
        yield from_matvec(mirrored, -mirrored @ (shape - 1) / 2)
        yield from_matvec(np.diag(size * [-1, -1, 1]), [0, 0, 0])


def _in_plane(view: Affine) -> Affine:
    """What is left of a view where there are two axes: rows and columns without a height."""
    flat = view.copy()
    flat[2, :2] = flat[2, 3] = 0
    return flat


def apart_mm(
    first: tuple[Affine, ...], second: tuple[Affine, ...], shape: tuple[int, ...]
) -> float:
    """Largest distance in mm between corners of two grids ``(X, Y, Z)``, as alike as any reads."""
    corners = np.array(
        [(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float
    ) * [*(n - 1 for n in shape[:3]), 1]
    return min(
        float(np.linalg.norm(((one - other) @ corners.T)[:3], axis=0).max())
        for one in first
        for other in second
    )


def oddities(form: Mapping[str, Any]) -> Iterator[str]:
    """What the forms leave open or tell in two ways, in words that files share."""
    counts = form["sform_code"] > 0, form["qform_code"] > 0
    shape = (*form["dim"], 1, 1, 1)[:3]
    if not any(counts):
        yield "header does not say where the image lies or which way it faces"
    elif all(counts):
        matrix, turned = sform(form), qform(form)
        smallest = min(form["pixdim"][1:4])
        if apart_mm((matrix,), (turned,), shape) > SAME_PLACE * smallest:
            yield (
                "header's qform and sform put the image in different places; the sform is taken,"
                " programs that take the qform show it elsewhere"
            )
    if counts[0] and is_sheared(sform(form)):
        yield "axes are not at right angles; volumes are taken as if they were"


def is_sheared(affine: Affine) -> bool:
    """Whether two axes of a grid are not at right angles."""
    axes = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-30)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > SHEARED)
