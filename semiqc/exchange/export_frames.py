"""A frame of a study as it is exported: on its source's grid, or on the store's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.lineage import ExportCase
from semiqc.images.axes import turned_back
from semiqc.images.resampling import to_source
from semiqc.nifti.frames import grid_affine, own_form
from semiqc.study import Study

KEPT = (np.uint8, np.int16, np.uint16, np.float32)
"""Types of intensities that are written as they are; others become float32."""


@dataclass(frozen=True, eq=False)
class ExportFrame:
    """Voxels and place of a frame.

    Args:
        images: Of each modality, ``[Z, Y, X]``.
        labels: Class or ``UNLABELLED``, ``[Z, Y, X]``.
        affine: From voxel indices ``(x, y, z)`` to mm in RAS+, ``[4, 4]``.
        form: Both transforms of the source's header, where they are the frame's.
    """

    images: Sequence[NDArray[Any]]
    labels: NDArray[np.int8]
    affine: NDArray[np.float64]
    form: Mapping[str, Any] | None


def export_frame(case: ExportCase, number: int) -> ExportFrame:
    """The frame of that number: of the case's source where that is at hand, else of the store."""
    study, raw = case.study, case.raw
    if raw is None:
        images = [
            np.asarray(study.image[modality, number], dtype=np.float32)
            for modality in range(study.image.shape[0])
        ]
        labels = np.asarray(study.labels[number])
        return ExportFrame(images, labels, grid_affine(study), own_form(study))
    images = [_kept(modality[number]) for modality in raw.image]
    labels = _on_source(study, number, drawn=number not in case.lineage)
    return ExportFrame(images, labels, raw.affine, raw.form or None)


def _on_source(study: Study, number: int, *, drawn: bool) -> NDArray[np.int8]:
    """Labels of a frame as its source lies; as they were drawn, where an expert drew them."""
    if study.geometry is None:
        raise ValueError(f"{study.name}: has a source but no geometry")
    if drawn and study.source_labels is not None:
        labels = np.asarray(study.source_labels[number])
    else:
        labels = to_source(np.asarray(study.labels[number]), study.geometry)
    return turned_back(labels, study.geometry.to_source)


def _kept(voxels: NDArray[Any]) -> NDArray[Any]:
    """Intensities in a type that every reader of NIfTI takes."""
    kept = voxels.dtype.newbyteorder("=")
    return voxels.astype(kept if kept in KEPT else np.float32)
