"""Labels as DICOM segmentations of the files that they were drawn on."""

import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from builders import study_of
from test_readers_dicom import ALONG_COLUMN, ALONG_ROW, NORMAL, ORIGIN, series
from test_readers_dicom_enhanced import enhanced

from semiqc.exchange.export_dicom import export_dicom_seg
from semiqc.exchange.export_frames import export_frame
from semiqc.exchange.importing import import_data
from semiqc.exchange.lineage import PSEUDO, ExportCase, Lineage, LineageRow
from semiqc.exchange.origin import Origins
from semiqc.exchange.readers import find
from semiqc.files.store.reader import Store
from semiqc.files.tables import read_rows
from semiqc.schemes import SHORT_AXIS, UNLABELLED


def case_of(folder, tmp_path):
    import_data(folder, tmp_path / "store.h5", spacing=1.0)
    [study] = Store(tmp_path / "store.h5")
    labels = np.full(study.labels.shape, -1, np.int8)
    labels[2] = 0
    labels[2, 1, 3:7, 2:5] = 3
    labels[2, 2, 5:, 5:] = 2
    labels[2, 0, :2] = UNLABELLED
    study = study.with_labels(labels)
    lineage = {2: Lineage(PSEUDO, reason="rank 1")}
    return ExportCase(study, lineage, Origins(SHORT_AXIS).read(study))


def planes(dataset):
    """Segment, height above the first slice in mm, and pixels of each frame of a segmentation."""
    pixels = dataset.pixel_array
    found = {}
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        segment = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        found[segment, round(float((np.array(position) - ORIGIN) @ NORMAL), 3)] = pixels[number]
    return found


def assert_refers(dataset, folder):
    """Place, identifiers and files of a segmentation are those of the third phase."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [1.5, 1.25]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    np.testing.assert_allclose(orientation, [*ALONG_ROW, *ALONG_COLUMN], atol=1e-9)
    assert dataset.SeriesInstanceUID != dataset.SOPInstanceUID
    assert all((dataset.StudyInstanceUID, dataset.FrameOfReferenceUID))
    files = [pydicom.dcmread(path) for path in folder.iterdir()]
    of_phase = {
        one.SOPInstanceUID for one in files
        if len(files) == 1 or one.TriggerTime // 40 == 2
    }  # fmt: skip
    referred = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {one.ReferencedSOPInstanceUID for one in referred} == of_phase


@pytest.mark.parametrize("written", [series, enhanced])
def test_a_segmentation_lies_on_the_files_it_was_drawn_on(tmp_path, written):
    pytest.importorskip("highdicom", reason="the extra dicom-seg is not installed")
    case = case_of(written(tmp_path / "in" / "a"), tmp_path)
    folder = tmp_path / "out"
    [row] = export_dicom_seg([case], folder, SHORT_AXIS)

    assert [path.name for path in sorted(folder.iterdir())] == ["a_frame02.dcm", "lineage.csv"]
    assert read_rows(folder / "lineage.csv", LineageRow) == [row]
    dataset = pydicom.dcmread(folder / "a_frame02.dcm")
    segments = {one.SegmentNumber: one for one in dataset.SegmentSequence}
    assert {n: one.SegmentLabel for n, one in segments.items()} == {1: "RV", 2: "MYO", 3: "LV"}
    assert {one.SegmentAlgorithmType for one in segments.values()} == {"AUTOMATIC"}
    assert segments[3].SegmentedPropertyTypeCodeSequence[0].CodeValue == "87878005"
    labels = export_frame(case, 2).labels
    found = planes(dataset)
    assert sorted(found) == [(2, 18.0), (3, 9.0)]
    np.testing.assert_array_equal(found[3, 9.0], labels[1] == 3)
    np.testing.assert_array_equal(found[2, 18.0], labels[2] == 2)
    assert_refers(dataset, tmp_path / "in" / "a")
    assert len(find(tmp_path / "in", "dicom").entries) == 1

    again = export_dicom_seg([case], folder, SHORT_AXIS, overwrite=True)
    assert again == [row]
    same = pydicom.dcmread(folder / "a_frame02.dcm")
    assert same.SOPInstanceUID == dataset.SOPInstanceUID


def test_rows_are_sorted_and_reasons_cut_as_dicom_has_it(tmp_path):
    pytest.importorskip("highdicom", reason="the extra dicom-seg is not installed")
    case = case_of(series(tmp_path / "in" / "a"), tmp_path)
    reasons = {"b": "", "a": "rank 1 " * 20}
    cases = [
        replace(
            case, study=replace(case.study, name=name), lineage={2: Lineage(PSEUDO, reason=reason)}
        )
        for name, reason in reasons.items()
    ]
    rows = export_dicom_seg(cases, tmp_path / "out", SHORT_AXIS)

    assert [row.study for row in rows] == ["a", "b"]
    told = [
        pydicom.dcmread(tmp_path / "out" / f"{name}_frame02.dcm").ContentDescription
        for name in "ab"
    ]
    assert told == [("rank 1 " * 20)[:64].rstrip(), PSEUDO]


def test_a_folder_of_other_files_is_not_replaced(tmp_path):
    pytest.importorskip("highdicom", reason="the extra dicom-seg is not installed")
    (tmp_path / "mine.txt").touch()

    for overwrite in (False, True):
        with pytest.raises(FileExistsError):
            export_dicom_seg([], tmp_path, SHORT_AXIS, overwrite=overwrite)


def test_studies_that_are_no_dicom_are_not_exported_as_such(tmp_path):
    pytest.importorskip("highdicom", reason="the extra dicom-seg is not installed")

    with pytest.raises(ValueError, match="no labelled study comes from DICOM"):
        export_dicom_seg([ExportCase(study_of("a"))], tmp_path / "out", SHORT_AXIS)
    assert not (tmp_path / "out").exists()


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)

    with pytest.raises(ValueError, match=r"pip install 'semiqc\[dicom-seg\]'"):
        export_dicom_seg([], tmp_path / "out", SHORT_AXIS)
