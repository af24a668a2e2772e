"""Headers of MetaImage files (``.mha``, ``.mhd``): lines of ``key = value``, the data file last.

Reference:
    https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from collections.abc import Mapping

import numpy as np

from semiqc.nifti.itk.described import Described, checked_size, floats, integers, one_of

TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "long": "i4", "ulong": "u4", "long_long": "i8", "ulong_long": "u8", "float": "f4",
    "double": "f8",
}  # fmt: skip
"""By MetaIO's name without ``MET_``; its long has 4 bytes everywhere."""

DATA = "elementdatafile"


def describe(text: bytes) -> Described:
    """What the beginning of a file says.

    Raises:
        ValueError: If it is no such header, or of a kind that is not read.
    """
    fields, length = _fields(text)
    axes = int(fields["ndims"])
    size = checked_size(integers(fields["dimsize"]), axes)
    parts = int(fields.get("elementnumberofchannels", 1))
    data = fields[DATA]
    if _is_true(fields, "binarydata", default=True) is False or data.upper() == "LIST":
        raise ValueError("expected voxels that are binary and in one file")
    is_local = data.upper() == "LOCAL"
    spacing = one_of(fields, "elementspacing", "elementsize")
    origin = one_of(fields, "offset", "position", "origin")
    turned = one_of(fields, "transformmatrix", "rotation", "orientation")
    matrix = floats(turned, axes**2) if turned else np.eye(axes).ravel()
    return Described(
        size=size if parts == 1 else checked_size([parts, *size], axes + 1),
        spacing=floats(spacing, axes) if spacing else (1.0,) * axes,
        origin=floats(origin, axes) if origin else (0.0,) * axes,
        # Each axis of the image in turn.
        direction=np.reshape(matrix, (axes, axes)).T,
        dtype=_dtype(fields),
        parts_axis=None if parts == 1 else 0,
        packed=_is_true(fields, "compresseddata", default=False),
        beside="" if is_local else data,
        offset=length if is_local else int(fields.get("headersize", 0)),
    )


def _fields(text: bytes) -> tuple[dict[str, str], int]:
    """Values by key in lower case, and the bytes up to the end of the last line of the header.

    Raises:
        ValueError: If the header has no end.
    """
    fields: dict[str, str] = {}
    start = 0
    while (end := text.find(b"\n", start)) >= 0:
        key, _, value = text[start:end].decode("utf-8", "replace").partition("=")
        fields[key.strip().lower()] = value.strip()
        start = end + 1
        if key.strip().lower() == DATA:
            return fields, start
    raise ValueError("no line ElementDataFile ends its header")


def _is_true(fields: Mapping[str, str], key: str, *, default: bool) -> bool:
    return fields[key].lower() in ("true", "1") if key in fields else default


def _dtype(fields: Mapping[str, str]) -> np.dtype[np.generic]:
    """Type of the voxels.

    Raises:
        ValueError: If MetaIO has no such type.
    """
    name = fields["elementtype"].lower().removeprefix("met_").removesuffix("_array")
    if name not in TYPES:
        raise ValueError(f"no type of numbers: {fields['elementtype'][:40]!r}")
    is_big = any(
        _is_true(fields, key, default=False)
        for key in ("binarydatabyteordermsb", "elementbyteordermsb")
    )
    return np.dtype((">" if is_big else "<") + TYPES[name])
