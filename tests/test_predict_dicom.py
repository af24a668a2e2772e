"""Labels of studies that come from DICOM go back as DICOM segmentations."""

import sys

import nibabel as nib
import numpy as np
import pydicom
import pytest
from source_builders import pixels, save
from test_export_dicom import planes
from test_predict_resumed import Command
from test_readers_dicom import PHASES, SLICES, series
from test_readers_dicom_enhanced import enhanced

from semiqc.exchange.importing import import_data

OPTIONS = {"dicom_seg": True, "overwrite": True}


@pytest.fixture
def command(tmp_path, monkeypatch):
    found = Command(tmp_path, monkeypatch)
    found.images = tmp_path / "in"
    return found


@pytest.fixture
def _highdicom():
    pytest.importorskip("highdicom", reason="the extra dicom-seg is not installed")


def assert_same_as_nifti(output, name):
    """Every voxel of the NIfTI labels is in the segment of its class, at its height."""
    labels = np.asanyarray(nib.load(output / f"{name}.nii.gz").dataobj).T
    assert labels.any()
    files = sorted((output / "dicom-seg" / name).iterdir())
    assert [file.name for file in files] == [f"{name}_frame{t:02d}.dcm" for t in range(PHASES)]
    for file, frame in zip(files, labels, strict=True):
        found = planes(pydicom.dcmread(file))
        assert sorted(found) == [(1, 9.0 * z) for z in range(SLICES) if frame[z].any()]
        for (_, height), plane in found.items():
            np.testing.assert_array_equal(plane, frame[round(height / 9)] == 1)


@pytest.mark.usefixtures("_highdicom")
@pytest.mark.parametrize("written", [series, enhanced])
def test_predicted_labels_lie_on_the_dicom_files_they_are_of(command, written):
    written(command.images / "p")
    found = command(**OPTIONS)

    assert [row[0] for row in found.rows] == ["p"]
    assert_same_as_nifti(command.output, "p")
    assert command.told.notes == []


@pytest.mark.usefixtures("_highdicom")
def test_a_store_is_predicted_as_its_dicom_files(command):
    import_data(series(command.images / "p").parent, command.folder / "x.h5", spacing=1.5)
    command.images = command.folder / "x.h5"
    command(**OPTIONS)

    assert_same_as_nifti(command.output, "p")


@pytest.mark.usefixtures("_highdicom")
def test_what_is_no_dicom_is_said_and_segmented_all_the_same(command):
    for seed, name in enumerate("ab"):
        save(command.images / f"{name}.nii", pixels(seed))
    found = command(**OPTIONS)

    assert [row[0] for row in found.rows] == ["a", "b"]
    assert not (command.output / "dicom-seg").exists()
    [note] = command.told.notes
    assert note.startswith("2 studies got no DICOM segmentation, such as a: ")


@pytest.mark.usefixtures("_highdicom")
def test_a_killed_command_writes_no_segmentation_twice_and_none_too_few(command):
    for name in ("p", "q"):
        changes = {"SeriesInstanceUID": f"1.2.{ord(name)}", "PatientID": name}
        series(command.images / name, lambda z, t, changes=changes: changes)
    command.killed("q", **OPTIONS)
    [first] = (command.output / "dicom-seg").iterdir()
    times = {file: file.stat().st_mtime_ns for file in first.iterdir()}
    command(dicom_seg=True)

    assert command.segmenter.asked == ["q"]
    assert {file: file.stat().st_mtime_ns for file in first.iterdir()} == times
    for name in ("p", "q"):
        assert_same_as_nifti(command.output, name)


def test_without_the_library_nothing_is_begun(command, monkeypatch):
    series(command.images / "p")
    monkeypatch.setitem(sys.modules, "highdicom", None)

    with pytest.raises(ValueError, match=r"pip install 'semiqc\[dicom-seg\]'"):
        command(**OPTIONS)
    assert not command.output.exists()
