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

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semiqc.study import Geometry, Study

FORMAT = "semiqc-store"
VERSION = 1


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
