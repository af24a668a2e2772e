"""What single DICOM files can do to a reader: lengths that are none, and packed data."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid

from semiqc.exchange.readers.dicom import files
from semiqc.exchange.readers.dicom.elements import slice_distance
from semiqc.exchange.readers.dicom.files import read_pixels, read_slices
from semiqc.images.raw import UnusableError


def write(path, **changes):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 4, 4, 1
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelSpacing, dataset.ImagePositionPatient = [1.5, 1.5], [0, 0, 0]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelData = np.arange(16, dtype=np.uint16).tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("between", "thickness", "expected"),
    [("-8", "6", 8.0), ("8", "6", 8.0), ("0", "6", 6.0), ("1e30", "6", 6.0), ("0", "0", 0.0)],
)
def test_a_slice_distance_is_a_length_or_passed_over(tmp_path, between, thickness, expected):
    path = write(tmp_path / "a.dcm", SpacingBetweenSlices=between, SliceThickness=thickness)

    assert read_slices(path)[0][-1].thickness == expected


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_slice_distance_that_is_no_number_is_passed_over(number):
    dataset = pydicom.Dataset()
    dataset.add_new("SliceThickness", "DS", "6")
    dataset.add_new("SpacingBetweenSlices", "FD", number)

    assert slice_distance(dataset) == 6


def test_a_deflated_file_is_read_and_one_that_becomes_too_large_is_not(tmp_path, monkeypatch):
    path = write(tmp_path / "a.dcm")
    assert read_pixels([read_slices(path)[0][-1]])[0, 0].tolist() == [0, 1, 2, 3]

    monkeypatch.setattr(files, "LARGEST_UNPACKED", 100)
    with pytest.raises(UnusableError, match=r"a\.dcm: unpacks to"):
        read_slices(path)


def test_deflated_data_that_was_changed_is_refused_in_words(tmp_path):
    path = write(tmp_path / "a.dcm")
    content = path.read_bytes()
    for place in range(len(content) - 60, len(content) - 20, 4):
        path.write_bytes(content[:place] + b"\xff\xff" + content[place + 2 :])
        try:
            read_slices(path)
        except UnusableError as error:
            said = str(error)
            break
    assert "a.dcm: " in said
