"""Segmentations to correct by hand, on the grid of the study's source.

A file is named like the study, or ``STUDY_frameTT`` of a frame of a cine, counted from 0; the
image beside it bears the same name. Of a cine the frames of largest and smallest volume or area
are written (ED and ES), as a person would label them.
"""

from pathlib import Path

import numpy as np

from semiqc.exchange.export_frames import export_frame
from semiqc.exchange.export_grids import Grids
from semiqc.exchange.export_layouts import ENDING
from semiqc.exchange.lineage import PSEUDO, ExportCase, Lineage
from semiqc.experiment.data import training_frames
from semiqc.experiment.sections import FramesSettings
from semiqc.images.raw import safe_name
from semiqc.nifti.frames import write_frame
from semiqc.study import OnlyFrames, Study, Voxels

IMAGES = "images"
PRELABELS = "prelabels"
SUMMARY = "prelabel, not yet corrected"


def write_prelabels(folder: Path, study: Study, labels: Voxels, grids: Grids) -> list[str]:
    """Write image and segmentation of the frames to correct; names of the segmentations.

    Args:
        folder: To write into.
        study: That was segmented; labels that it has are not used.
        labels: Its segmentation, ``[T, Z, Y, X]``.
        grids: Tell the grid that is written.
    """
    segmented = study.with_labels(labels)
    frames = training_frames(segmented, FramesSettings(use="extremes"), grids.scheme, 0)
    shown = segmented.with_labels(OnlyFrames(labels, frames))
    [case] = grids.on([ExportCase(shown, dict.fromkeys(frames, Lineage(PSEUDO)))])
    names = []
    for frame in frames:
        name = f"{prelabel_name(study, frame)}{ENDING}"
        _write(folder, name, case, frame)
        names.append(name)
    return names


def prelabel_name(study: Study, frame: int) -> str:
    """Name of the file of a frame, without its ending."""
    name = safe_name(study.name)
    return name if study.frames == 1 else f"{name}_frame{frame:02d}"


def _write(folder: Path, name: str, case: ExportCase, number: int) -> None:
    frame = export_frame(case, number)
    image = frame.images[0] if len(frame.images) == 1 else np.stack(frame.images)
    write_frame(folder / IMAGES / name, image, frame.affine, form=frame.form)
    labels = frame.labels.astype(np.uint8)
    write_frame(folder / PRELABELS / name, labels, frame.affine, form=frame.form, summary=SUMMARY)
