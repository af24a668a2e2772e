"""Labels as DICOM segmentations of the files that they were drawn on."""

import sys

import numpy as np
import pydicom
import pytest
from builders import study_of
from test_readers_dicom import NORMAL, ORIGIN, SLICES, series
from test_readers_dicom_enhanced import enhanced

from semiqc.exchange.export_dicom import export_dicom_seg
from semiqc.exchange.export_frames import export_frame
from semiqc.exchange.importing import import_data
from semiqc.exchange.lineage import PSEUDO, ExportCase, Lineage, LineageRow
from semiqc.exchange.origin import Origins
from semiqc.exchange.readers import find
from semiqc.files.store.reader import Store
from semiqc.files.tables import read_rows
from semiqc.schemes import SHORT_AXIS


def case_of(folder, tmp_path):
    import_data(folder, tmp_path / "store.h5", spacing=1.0)
    [study] = Store(tmp_path / "store.h5")
    labels = np.full(study.labels.shape, -1, np.int8)
    labels[2] = 0
    labels[2, 1, 3:7, 2:5] = 3
    labels[2, 2, 5:, 5:] = 2
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
    referred = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert len(referred) == (SLICES if written is series else 1)
    assert len(find(tmp_path / "in", "dicom").entries) == 1

    again = export_dicom_seg([case], folder, SHORT_AXIS, overwrite=True)
    assert again == [row]
    same = pydicom.dcmread(folder / "a_frame02.dcm")
    assert same.SOPInstanceUID == dataset.SOPInstanceUID


def test_studies_that_are_no_dicom_are_not_exported_as_such(tmp_path):
    pytest.importorskip("highdicom", reason="the extra dicom-seg is not installed")

    with pytest.raises(ValueError, match="no labelled study comes from DICOM"):
        export_dicom_seg([ExportCase(study_of("a"))], tmp_path / "out", SHORT_AXIS)
    assert not (tmp_path / "out").exists()


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)

    with pytest.raises(ValueError, match=r"pip install 'semiqc\[dicom-seg\]'"):
        export_dicom_seg([], tmp_path / "out", SHORT_AXIS)
