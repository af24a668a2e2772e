"""Headers of NRRD files: lines of ``key: value`` up to an empty one.

Reference:
    https://teem.sourceforge.net/nrrd/format.html
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from semiqc.nifti.itk.described import (
    HIDDEN_AT_END,
    Described,
    bounded,
    checked_size,
    floats,
    integers,
    one_of,
)

TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2",
    "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2",
    "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "long long int": "i8", "signed long long": "i8",
    "signed long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8",
    "uint64": "u8", "uint64_t": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
ENCODINGS = {"raw": False, "gzip": True, "gz": True}
IN_SPACE = frozenset({"domain", "space", "time", "none", "???"})
"""Kinds of axes that are of space or time; along others a voxel has several values."""

TO_LPS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
"""Signs that bring a space to that of ITK; others are taken as they are, as ITK does."""

_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)


def describe(text: bytes) -> Described:
    """What the beginning of a file says.

    Raises:
        ValueError: If it is no such header, or of a kind that is not read.
    """
    fields, length = _fields(text)
    axes = int(fields["dimension"])
    size = checked_size(integers(fields["sizes"]), axes)
    vectors = _vectors(fields, axes)
    parts_axis = _parts_axis(fields, vectors, axes)
    others = [axis for axis in range(axes) if axis != parts_axis]
    encoding = fields["encoding"].lower()
    if encoding not in ENCODINGS:
        raise ValueError(f"expected the encoding raw or gzip, got {encoding[:40]!r}")
    spacing, origin, direction = _place(fields, vectors, others, axes)
    beside = one_of(fields, "data file", "datafile") or ""
    skipped = int(one_of(fields, "byte skip", "byteskip") or 0)
    lines = int(one_of(fields, "line skip", "lineskip") or 0)
    if lines or skipped < HIDDEN_AT_END or (skipped and ENCODINGS[encoding]):
        raise ValueError("expected voxels without lines or packed bytes before them")
    return Described(
        size=size,
        spacing=spacing,
        origin=origin,
        direction=direction,
        dtype=_dtype(fields),
        parts_axis=parts_axis,
        packed=ENCODINGS[encoding],
        beside=beside,
        offset=skipped if beside or skipped < 0 else length + skipped,
    )


def _fields(text: bytes) -> tuple[dict[str, str], int]:
    """Values by key in lower case, and the bytes up to the first voxel.

    Raises:
        ValueError: If the header is none, or has no end.
    """
    if not text.startswith(b"NRRD000"):
        raise ValueError("does not begin with NRRD000")
    fields: dict[str, str] = {}
    start = text.find(b"\n") + 1
    while start and (end := text.find(b"\n", start)) >= 0:
        line = text[start:end].decode("utf-8", "replace").strip()
        start = end + 1
        key, colon, value = line.partition(":")
        if not line:
            return fields, start
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[key.strip().lower()] = value.strip()
    if one_of(fields, "data file", "datafile"):
        return fields, len(text)
    raise ValueError("no empty line ends its header")


def _vectors(fields: Mapping[str, str], axes: int) -> list[tuple[float, ...] | None] | None:
    """Step along each axis in mm, None for an axis outside of space; None where none are given.

    Raises:
        ValueError: If they are not as many as axes.
    """
    if "space directions" not in fields:
        return None
    found = _VECTOR.findall(fields["space directions"])
    if len(found) != axes:
        raise ValueError(f"expected space directions of {axes} axes, got {len(found)}")
    return [None if one.lower() == "none" else _vector(one) for one in found]


def _vector(text: str) -> tuple[float, ...]:
    return bounded(tuple(float(word) for word in text.strip("()").split(",")))


def _parts_axis(
    fields: Mapping[str, str], vectors: Sequence[tuple[float, ...] | None] | None, axes: int
) -> int | None:
    """The axis along which a voxel has several values.

    Raises:
        ValueError: If there are several.
    """
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * axes
    if len(kinds) != axes:
        raise ValueError(f"expected kinds of {axes} axes, got {len(kinds)}")
    found = [
        axis
        for axis, kind in enumerate(kinds)
        if kind not in IN_SPACE or (vectors is not None and vectors[axis] is None)
    ]
    if len(found) > 1:
        raise ValueError(f"expected one axis outside of space at most, got {len(found)}")
    return found[0] if found else None


def _place(
    fields: Mapping[str, str],
    vectors: Sequence[tuple[float, ...] | None] | None,
    others: Sequence[int],
    axes: int,
) -> tuple[tuple[float, ...], tuple[float, ...], NDArray[np.float64]]:
    """Spacing, origin and direction along the axes of space and time.

    Raises:
        ValueError: If directions and axes are not as many.
    """
    count = len(others)
    signs = np.array(TO_LPS.get(fields.get("space", "").lower(), (1,) * count), float)
    origin = np.zeros(count)
    if "space origin" in fields:
        origin[:] = _vector(fields["space origin"])
    if vectors is None:
        given = floats(fields["spacings"], axes) if "spacings" in fields else (1.0,) * axes
        return tuple(given[axis] for axis in others), tuple(origin), np.eye(count)
    steps = np.array([vectors[axis] for axis in others], float).T
    if steps.shape != (count, count) or len(signs) != count:
        raise ValueError(f"expected {count} directions of {count} lengths each")
    spacing = np.linalg.norm(steps, axis=0)
    with np.errstate(all="ignore"):
        direction = signs[:, None] * steps / spacing
    return tuple(map(float, spacing)), tuple(map(float, signs * origin)), direction


def _dtype(fields: Mapping[str, str]) -> np.dtype[np.generic]:
    """Type of the voxels.

    Raises:
        ValueError: If it is no type of numbers.
    """
    name = " ".join(fields["type"].lower().split())
    if name not in TYPES:
        raise ValueError(f"no type of numbers: {name[:40]!r}")
    is_big = fields.get("endian", "little").lower() == "big"
    return np.dtype((">" if is_big else "<") + TYPES[name])
