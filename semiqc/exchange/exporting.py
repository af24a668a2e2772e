"""Export of labelled frames as a data set that others learn from, with where each came from.

References:
    Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
    segmentation", Nature Methods 2021. https://doi.org/10.1038/s41592-020-01008-z
    Antonelli et al., "The Medical Segmentation Decathlon", Nature Communications 2022.
    https://doi.org/10.1038/s41467-022-30695-9

Layout of nnU-Net, version 2; the Decathlon's has ``imagesTr/NAME_frameTT.nii.gz``, with several
modalities along a fourth axis, and ``dataset.json`` as it has it::

    Dataset501_Heart/
        dataset.json                          channels, labels, ending, number of cases
        imagesTr/NAME_frameTT_MMMM.nii.gz     each labelled frame TT and modality MMMM
        labelsTr/NAME_frameTT.nii.gz          its labels, 8 bits; UNLABELLED is ``ignore``
        lineage.csv                           a row for each frame: where its labels come from
        splits_final.json                     folds that part no subject

``ignore`` is the highest value, as nnU-Net wants it. The row of a frame stands as JSON in the
header of its labels, too. nnU-Net takes the folds once they lie with the preprocessed data.
Images have the intensities and the grid of the study's source where a case has it, else those of
the store. Structures that overlap are exported as the classes that they are made of.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.export_frames import export_frame
from semiqc.exchange.export_layouts import (
    ENDING,
    NNUNET_NAME,
    ExportLayout,
    class_names,
    layout_named,
)
from semiqc.exchange.lineage import EXPERT, ExportCase, LineageRow, lineage_row, summary_of
from semiqc.files.atomic import whole_folder, write_text
from semiqc.files.rows import write_rows
from semiqc.files.staying import is_empty
from semiqc.nifti.frames import write_frame
from semiqc.schemes import UNLABELLED, LabelScheme

DESCRIPTION = "dataset.json"
LINEAGE = "lineage.csv"
SPLITS = "splits_final.json"
FOLDS = 5
"""As nnU-Net cross-validates."""


def export_cases(
    cases: Iterable[ExportCase],
    folder: Path,
    scheme: LabelScheme,
    modalities: Sequence[str],
    *,
    layout: str = "auto",
    overwrite: bool = False,
) -> list[LineageRow]:
    """Write all labelled frames of the studies; one frame is read at a time.

    Args:
        cases: Taken one after the other.
        folder: To write, whole or not at all.
        scheme: Of the labels.
        modalities: Names, in the images' order.
        layout: Of ``LAYOUTS``; ``auto`` tells by the folder's name.
        overwrite: Replace a data set that stands in ``folder``.

    Returns:
        The rows of the lineage, sorted by study and frame.

    Raises:
        FileExistsError: If the folder is not empty and may not be replaced, or holds no data set.
        ValueError: If nothing is labelled, two frames share a name, a study has other modalities,
            or the layout is unknown or has no such folder.
    """
    chosen, names = layout_named(layout, folder.name), class_names(scheme)
    _check_name(folder, chosen)
    check_folder(folder, DESCRIPTION, overwrite)
    with whole_folder(folder, replaces=overwrite) as unfinished:
        found = _write_cases(unfinished, cases, chosen, modalities, len(scheme.classes))
        if not found:
            raise ValueError(f"{folder}: no frame to export has a label")
        write_rows(unfinished / LINEAGE, LineageRow, found)
        write_text(unfinished / SPLITS, json.dumps(subject_folds(found), indent=1))
        described = chosen.description(folder.name, names, modalities, [r.case for r in found])
        write_text(unfinished / DESCRIPTION, json.dumps(described, indent=1))
    return found


def _write_cases(
    folder: Path,
    cases: Iterable[ExportCase],
    layout: ExportLayout,
    modalities: Sequence[str],
    ignore: int,
) -> list[LineageRow]:
    """Write every labelled frame, and return their rows sorted by study and frame."""
    rows: dict[str, LineageRow] = {}
    for case in cases:
        if case.study.image.shape[0] != len(modalities):
            raise ValueError(
                f"{case.study.name}: {case.study.image.shape[0]} modalities, expected"
                f" {len(modalities)}: {', '.join(modalities)}"
            )
        for frame in case.study.labelled_frames:
            row = _write_frame(folder, case, frame, layout, ignore)
            if row.case.casefold() in rows:
                raise ValueError(f"{row.case}: two frames share this name")
            rows[row.case.casefold()] = row
    return sorted(rows.values(), key=lambda row: (row.study, row.frame))


def subject_folds(rows: Sequence[LineageRow]) -> list[dict[str, list[str]]]:
    """Cases to train on and to validate on, ``FOLDS`` times or once for each expert's subject.

    No subject is in both. Only experts' labels are validated on; where fewer than two subjects
    have them there are no folds. The networks that made the pseudo-labels have learned from all
    experts, though, so that validation on these folds is a little too good.
    """
    experts = sorted({row.subject for row in rows if row.source == EXPERT})
    count = min(FOLDS, len(experts)) if len(experts) > 1 else 0
    folds = []
    for fold in range(count):
        held_out = set(experts[fold::count])
        folds.append(
            {
                "train": [row.case for row in rows if row.subject not in held_out],
                "val": [r.case for r in rows if r.subject in held_out and r.source == EXPERT],
            }
        )
    return folds


def _check_name(folder: Path, layout: ExportLayout) -> None:
    """Refuse a folder that nnU-Net would not find.

    Raises:
        ValueError: If its name is not like ``Dataset501_Heart``.
    """
    if layout.is_nnunet and not NNUNET_NAME.fullmatch(folder.name):
        raise ValueError(
            f"{folder}: nnU-Net finds a data set by a name like Dataset501_Heart,"
            f" got {folder.name}"
        )


def check_folder(folder: Path, mark: str, overwrite: bool) -> None:
    """Refuse a folder whose content must not be replaced; ``mark`` is a file of what may be.

    Raises:
        FileExistsError: If it is a file, or holds something that may not be replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder}: is a file; name a folder")
    if folder.exists() and not is_empty(folder):
        if not overwrite:
            raise FileExistsError(f"{folder}: is not empty; name another folder, or overwrite it")
        if not (folder / mark).is_file():
            raise FileExistsError(f"{folder}: holds no {mark}, so it is not overwritten")


def _write_frame(
    folder: Path, case: ExportCase, number: int, layout: ExportLayout, ignore: int
) -> LineageRow:
    """Write the images and labels of one frame, with its lineage in the header of the labels."""
    frame = export_frame(case, number)
    _check_labels(case.study.name, number, frame.labels, ignore)
    row = lineage_row(case, number, float(np.mean(frame.labels != UNLABELLED)))
    for name, voxels in layout.files(row.case, frame.images):
        path = folder / "imagesTr" / f"{name}{ENDING}"
        write_frame(path, voxels, frame.affine, form=frame.form)
    write_frame(
        folder / "labelsTr" / f"{row.case}{ENDING}",
        np.where(frame.labels == UNLABELLED, ignore, frame.labels).astype(np.uint8),
        frame.affine,
        form=frame.form,
        summary=summary_of(row),
        note=json.dumps(asdict(row)),
    )
    return row


def _check_labels(name: str, frame: int, labels: NDArray[np.int8], ignore: int) -> None:
    """Refuse labels that the scheme does not have.

    Raises:
        ValueError: Naming study, frame and values.
    """
    unknown = [v for v in np.unique(labels).tolist() if not UNLABELLED <= v < ignore]
    if unknown:
        raise ValueError(
            f"{name}: frame {frame} has label values {unknown}, known are 0 to {ignore - 1}"
        )
