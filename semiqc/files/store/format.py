"""The format of a store: what stands in its attributes, and how a study's header is written.

Layout of the HDF5 file::

    /                    attributes: format, version, scheme (JSON), modalities (JSON)
    studies/NAME         attribute: header (JSON, see ``header_of``)
    studies/NAME/image   [M, T, Z, Y, X] float16, chunks of one slice, gzip
    studies/NAME/labels  [T, Z, Y, X] int8, chunks of one slice, gzip
    studies/NAME/source_labels  likewise, on the grid of the source; only where it is another

Frames nobody labelled take no room: HDF5 stores no chunk that was never written, and reads
``UNLABELLED`` there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from semiqc.doors.regular import in_short
from semiqc.study import Geometry, Study

FORMAT = "semiqc-store"
VERSION = 1

BYTES_OF_VOXEL = 1.75
"""About: two of a compressed image, and labels of few frames."""


def header_of(study: Study, labelled: Sequence[int], digest: str) -> dict[str, Any]:
    """All of a study but its voxels, as JSON can write it.

    Args:
        study: To be stored.
        labelled: Its frames with a label, in order.
        digest: SHA-256 of its voxels as they are stored, in hexadecimal.
    """
    return {
        "spacing": [float(mm) for mm in study.spacing],
        "group": study.group,
        "subject": study.subject,
        "split": study.split,
        "labelled_frames": list(labelled),
        "has_source_labels": study.source_labels is not None,
        "sha256": digest,
        "geometry": study.geometry and _geometry_as_json(study.geometry),
        **({"notes": list(study.notes)} if study.notes else {}),
    }


def _geometry_as_json(geometry: Geometry) -> dict[str, Any]:
    """A geometry as ``geometry_of`` reads it again."""
    return {
        "affine": np.asarray(geometry.affine).tolist(),
        "shape": [int(n) for n in geometry.shape],
        "source": geometry.source,
        "to_source": dict(geometry.to_source),
    }


def geometry_of(header: Mapping[str, Any]) -> Geometry | None:
    """The geometry in a study's header, if it has one."""
    stored = header["geometry"]
    return stored and Geometry(
        np.array(stored["affine"]), tuple(stored["shape"]), stored["source"], stored["to_source"]
    )


def checked_header(found: Any, name: str) -> dict[str, Any]:  # noqa: ANN401
    """A study's header as it was written, with every key of the kind that it must be.

    Raises:
        ValueError: Naming study and key, where one is missing or something else.
    """
    if not isinstance(found, dict):
        raise ValueError(f"header of {name} is {type(found).__name__}, expected an object")
    for key, is_sound in _SOUND.items():
        if key not in found or not is_sound(found[key]):
            what = f"is {in_short(found[key], 60)!r}" if key in found else "is missing"
            raise ValueError(f"header of {name}: {key} {what}")
    if found["geometry"]:
        geometry_of(found)
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_spacing(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(mm) in (int, float) and 0 < mm < float("inf") for mm in value)
    )


def _are_frames(value: object) -> bool:
    return isinstance(value, list) and all(type(frame) is int and frame >= 0 for frame in value)


_SOUND: Mapping[str, Callable[[Any], bool]] = {
    "spacing": _is_spacing,
    "group": _is_text,
    "subject": _is_text,
    "split": _is_text,
    "labelled_frames": _are_frames,
    "sha256": _is_text,
    "geometry": lambda value: value is None or isinstance(value, dict),
}
