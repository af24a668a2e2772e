"""What single DICOM files can do to a reader: lengths that are none, and packed data."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, SegmentationStorage, generate_uid

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


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, "expected grey values .*got MONOCHROME1"),
        ({"SamplesPerPixel": 3}, "expected grey values"),
        ({"BitsAllocated": 1}, "expected grey values of 8, 16, 32, 64 bits, got 1"),
        ({"Rows": 0}, r"size must be positive, .* pixels at most, got \(0, 4\)"),
        ({"Rows": 65535, "Columns": 65535}, "size must be positive, .* at most, got"),
        ({"PixelSpacing": [1.5, 0]}, "spacing must be positive mm"),
        ({"PixelSpacing": ["1e30", "1.5"]}, "spacing must be positive mm"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "expected 6 numbers"),
        ({"SOPClassUID": SegmentationStorage}, "a DICOM segmentation, expected an image"),
    ],
)
def test_what_is_no_slice_of_grey_values_is_refused_in_words(tmp_path, changes, reason):
    path = write(tmp_path / "a.dcm", **changes)

    with pytest.raises(UnusableError, match=rf"^a\.dcm: .*{reason}"):
        read_slices(path)


@pytest.mark.parametrize(
    ("changes", "values"),
    [({}, [0, 1]), ({"RescaleSlope": 2, "RescaleIntercept": -1}, [-1, 1])],
)
def test_pixels_are_rescaled(tmp_path, changes, values):
    path = write(tmp_path / "a.dcm", **changes)

    assert read_pixels([read_slices(path)[0][-1]])[0, 0, :2].tolist() == values


@pytest.mark.parametrize(
    "changes", [{"RescaleSlope": "1e38", "RescaleIntercept": 0}, {"RescaleIntercept": "1e39"}]
)
def test_pixels_beyond_all_numbers_are_refused(tmp_path, changes):
    path = write(tmp_path / "a.dcm", **{"RescaleSlope": 1} | changes)

    with pytest.raises(UnusableError, match=r"^a\.dcm: expected finite pixels of shape \(4, 4\)"):
        read_pixels([read_slices(path)[0][-1]])


def test_pixels_that_became_of_another_size_are_refused(tmp_path):
    path = write(tmp_path / "a.dcm")
    piece = read_slices(path)[0][-1]
    write(path, Rows=2, PixelData=bytes(16))

    with pytest.raises(UnusableError, match=r"shape \(4, 4\), got \(2, 4\)"):
        read_pixels([piece])
