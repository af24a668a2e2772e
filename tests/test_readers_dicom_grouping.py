import shutil

import numpy as np
import pytest
from pydicom.uid import generate_uid
from test_readers_dicom import PHASES, SLICES, expected, intensities, only, series, write

from semiqc.exchange.readers import find


def uid(*words):
    return generate_uid(entropy_srcs=[str(word) for word in words])


def of_slice(z, _t):
    """Each slice has a series of its own."""
    return {"SeriesInstanceUID": uid("slice", z), "SeriesNumber": 20 + z, "PatientID": "P 1"}


def test_a_series_for_each_slice_is_one_study(tmp_path):
    study = only(series(tmp_path / "P1", of_slice))

    np.testing.assert_array_equal(study.image[0], expected())
    assert study.name == "P1"
    assert study.subject == "P 1"
    assert study.warnings == ("3 series of one slice each are taken as one stack",)


def test_of_a_slice_that_was_measured_twice_the_later_is_taken(tmp_path):
    series(tmp_path / "P1", of_slice)
    for t in range(PHASES):
        again = {"SeriesInstanceUID": uid("again"), "SeriesNumber": 31, "PatientID": "P 1"}
        again["PixelData"] = (intensities(1, t) + 7).astype("<u2").tobytes()
        write(tmp_path / "P1", 90 + t, 1, t, **again)

    study = only(tmp_path)
    np.testing.assert_array_equal(study.image[0, :, 1], expected()[:, 1] + 7)
    assert "measured twice" in study.warnings[0]


@pytest.mark.parametrize("by", ["slice", "phase"])
def test_a_series_over_several_folders_is_one_study(by, tmp_path):
    for number, (z, t) in enumerate(np.ndindex(SLICES, PHASES), start=1):
        write(tmp_path / "P1" / str(z if by == "slice" else t), number, z, t)

    study = only(tmp_path)
    np.testing.assert_array_equal(study.image[0], expected())
    assert study.name == "P1"


def test_a_copy_of_a_series_is_not_put_into_it(tmp_path):
    series(tmp_path / "P1")
    shutil.copytree(tmp_path / "P1", tmp_path / "copy")

    assert [entry.name for entry in find(tmp_path, "dicom").entries] == ["P1", "copy"]


def test_slices_of_other_patients_or_directions_stay_apart(tmp_path):
    def turned(z, t):
        found = of_slice(z, t)
        if z == 1:
            found["ImageOrientationPatient"] = [1.0, 0, 0, 0, 0, -1]
        if z == 2:
            found["PatientID"] = "P2"
        return found

    entries = find(series(tmp_path / "P1", turned), "dicom").entries
    subjects = [entry.read(True).subject for entry in entries]
    assert subjects == ["P 1", "P 1", "P2"]


def test_two_series_of_a_patient_are_of_one_subject(tmp_path):
    for number in (5, 6):
        change = {"SeriesInstanceUID": uid(number), "SeriesNumber": number, "PatientID": "ID7"}
        for place, (z, t) in enumerate(np.ndindex(SLICES, PHASES), start=100 * number):
            write(tmp_path / "x", place, z, t, **change)

    found = [entry.read(False) for entry in find(tmp_path, "dicom").entries]
    assert [study.name for study in found] == ["x-5", "x-6"]
    assert {study.subject for study in found} == {"ID7"}


@pytest.mark.parametrize("filler", ["", "ANONYMOUS", "0000", "Anon."])
def test_what_anonymisers_write_is_nobody(filler, tmp_path):
    assert only(series(tmp_path / "P1", lambda z, t: {"PatientID": filler})).subject == ""
