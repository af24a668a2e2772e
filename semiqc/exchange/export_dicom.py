"""Export of labels as DICOM segmentations of the files that they belong to.

Reference:
    Bridge et al., "Highdicom: a Python library for standardized encoding of image annotations and
    machine learning model outputs in pathology and radiology", Journal of Digital Imaging 2022.
    https://doi.org/10.1007/s10278-022-00683-y

::

    segmentations/
        NAME_frameTT.dcm     labels of frame TT of a study; a segment for each class
        lineage.csv          a row for each frame: where its labels come from

A segmentation tells the files that it was drawn on, in their study and frame of reference, and its
unique identifiers come from its content. ``UNLABELLED`` is in no segment. Needs highdicom.
"""

import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from semiqc import __version__
from semiqc.doors.regular import refusing
from semiqc.exchange.export_frames import export_frame
from semiqc.exchange.exporting import LINEAGE, check_folder
from semiqc.exchange.lineage import EXPERT, PROPAGATED, ExportCase, LineageRow, lineage_row
from semiqc.exchange.readers.dicom.files import read_dataset
from semiqc.files.atomic import whole_file, whole_folder
from semiqc.files.rows import write_rows
from semiqc.images.raw import RawStudy
from semiqc.schemes import SNOMED, UNLABELLED, LabelScheme

DICOM_SEG = "dicom-seg"
"""Name of the layout."""

HOW = {EXPERT: "MANUAL", PROPAGATED: "SEMIAUTOMATIC"}
"""DICOM's word for how a segment was made; pseudo-labels are ``AUTOMATIC``."""

OFTEN_EMPTY = (
    "AccessionNumber", "PatientBirthDate", "PatientID", "PatientName", "PatientSex",
    "ReferringPhysicianName", "StudyDate", "StudyID", "StudyInstanceUID", "StudyTime",
)  # fmt: skip
"""Elements that every image must have, and anonymisers remove."""


def export_dicom_seg(
    cases: Iterable[ExportCase],
    folder: Path,
    scheme: LabelScheme,
    *,
    overwrite: bool = False,
) -> list[LineageRow]:
    """Write all labelled frames of the studies that come from DICOM; one is read at a time.

    Args:
        cases: With their sources; those that are no DICOM are left out.
        folder: To write, whole or not at all.
        scheme: Of the labels.
        overwrite: Replace what an export wrote there.

    Returns:
        The rows of the lineage, sorted by study and frame.

    Raises:
        FileExistsError: If the folder is not empty and may not be replaced.
        ValueError: If no study with a label comes from DICOM, or highdicom is not installed.
    """
    check_highdicom()
    check_folder(folder, LINEAGE, overwrite)
    with whole_folder(folder, replaces=overwrite) as unfinished:
        rows = [row for case in cases for row in _write_case(unfinished, case, scheme)]
        if not rows:
            raise ValueError(f"{folder}: no labelled study comes from DICOM files that are there")
        rows.sort(key=lambda row: (row.study, row.frame))
        write_rows(unfinished / LINEAGE, LineageRow, rows)
    return rows


def check_highdicom() -> Any:  # noqa: ANN401
    """The library, which is loaded only where it is needed.

    Raises:
        ValueError: If it is not installed, with what to do.
    """
    try:
        import highdicom
    except ImportError as error:
        raise ValueError(
            "DICOM segmentations need highdicom: pip install 'semiqc[dicom-seg]'"
        ) from error
    return highdicom


def _write_case(folder: Path, case: ExportCase, scheme: LabelScheme) -> Iterator[LineageRow]:
    """Write every labelled frame of a study, if it comes from DICOM."""
    raw = case.raw
    if raw is None or not raw.dicom:
        return
    for number in case.study.labelled_frames:
        labels = export_frame(case, number).labels
        row = lineage_row(case, number, float(np.mean(labels != UNLABELLED)))
        write_segmentation(folder, raw, labels, scheme, row)
        yield row


def write_segmentation(
    folder: Path, raw: RawStudy, labels: NDArray[np.int8], scheme: LabelScheme, row: LineageRow
) -> None:
    """Write labels of a frame as ``CASE.dcm``, whole or not at all.

    Args:
        folder: To write into.
        raw: The study as it lies in its DICOM files.
        labels: As the files lie, ``[Z, Y, X]``.
        scheme: Of the labels.
        row: Tells case and frame, and where the labels come from.

    Raises:
        UnusableError: If a file lacks what a segmentation has to repeat.
    """
    made = _segmentation(raw, labels, scheme, row, check_highdicom())
    with whole_file(folder / f"{row.case}.dcm") as temporary:
        made.save_as(temporary)


def _segmentation(
    raw: RawStudy,
    labels: NDArray[np.int8],
    scheme: LabelScheme,
    row: LineageRow,
    highdicom: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Labels ``[Z, Y, X]`` of a frame as a segmentation of its files.

    Raises:
        UnusableError: If a file lacks what a segmentation has to repeat.
    """
    files = [phases[row.frame] for phases in raw.dicom]
    is_enhanced = files[0][1] is not None
    sources = [_complete(read_dataset(path)) for path in dict.fromkeys(path for path, _ in files)]
    values = np.maximum(labels, 0).astype(np.uint8)
    told = [json.dumps(asdict(row)), *(str(one.SOPInstanceUID) for one in sources)]
    series, instance = (
        generate_uid(entropy_srcs=[*told, values.tobytes().hex(), e]) for e in "si"
    )
    with warnings.catch_warnings(), refusing(row.case, "files that a segmentation can refer to"):
        # Identifiers that break the standard are common, and matter to nobody here.
        warnings.simplefilter("ignore")
        return highdicom.seg.Segmentation(
            source_images=sources[:1] if is_enhanced else sources,
            pixel_array=values,
            segmentation_type="BINARY",
            segment_descriptions=_segments(scheme, row, highdicom),
            series_instance_uid=series,
            series_number=1,
            sop_instance_uid=instance,
            instance_number=1,
            manufacturer="semiqc",
            manufacturer_model_name="semiqc",
            software_versions=highdicom.__version__,
            device_serial_number="1",
            content_description=row.reason[:64] or row.source,
            **(_planes(raw, highdicom) if is_enhanced else {}),
        )


def _complete(dataset: pydicom.Dataset) -> pydicom.Dataset:
    """A file with the elements that a segmentation repeats, empty where they are missing."""
    for element in OFTEN_EMPTY:
        if element not in dataset:
            setattr(dataset, element, "")
    if not dataset.StudyInstanceUID:
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=[str(dataset.SeriesInstanceUID), "x"])
    if not dataset.get("FrameOfReferenceUID"):
        dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[str(dataset.SeriesInstanceUID)])
    dataset.Modality = dataset.get("Modality") or "MR"
    return dataset


def _planes(raw: RawStudy, highdicom: Any) -> dict[str, Any]:  # noqa: ANN401
    """Where the slices of an enhanced file lie, of which a segmentation has those of a frame."""
    affine = np.diag([-1.0, -1, 1, 1]) @ raw.affine  # DICOM counts towards left and posterior.
    z, y, x = raw.spacing
    along = [affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (0, 1)]
    places = [(affine @ [0, 0, number, 1])[:3].tolist() for number in range(len(raw.dicom))]
    return {
        "pixel_measures": highdicom.PixelMeasuresSequence((y, x), z, z),
        "plane_orientation": highdicom.PlaneOrientationSequence(
            "PATIENT", [float(cosine) for axis in along for cosine in axis]
        ),
        "plane_positions": [highdicom.PlanePositionSequence("PATIENT", one) for one in places],
    }


def _segments(scheme: LabelScheme, row: LineageRow, highdicom: Any) -> list[Any]:  # noqa: ANN401
    """A segment for each class but the background, numbered as the classes are."""
    how = HOW.get(row.source, "AUTOMATIC")
    made_by = highdicom.AlgorithmIdentificationSequence(
        name="semiqc", family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    kind = codes.SCT.AnatomicalStructure
    return [
        highdicom.seg.SegmentDescription(
            segment_number=value,
            segment_label=name,
            segmented_property_category=kind,
            segmented_property_type=_code(scheme, name) or kind,
            algorithm_type=how,
            algorithm_identification=None if how == "MANUAL" else made_by,
        )
        for value, name in enumerate(scheme.classes)
        if value
    ]


def _code(scheme: LabelScheme, name: str) -> Code | None:
    """SNOMED CT's code of a class; None where it is not known."""
    code = SNOMED.get(scheme.name, {}).get(name)
    return Code(code[0], "SCT", code[1]) if code else None
