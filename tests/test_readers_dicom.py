import re
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from real_data import real_folder

from semiqc.exchange.readers import READERS, find
from semiqc.images.raw import UnusableError
from semiqc.schemes import UNLABELLED

SLICES, PHASES, ROWS, COLUMNS = 3, 4, 6, 8
ALONG_ROW = np.array([0.0, 1.0, 0.0])
ALONG_COLUMN = np.array([0.0, 0.0, -1.0])
NORMAL = np.cross(ALONG_ROW, ALONG_COLUMN)
ORIGIN = np.array([10.0, -20.0, 30.0])
SERIES = generate_uid(entropy_srcs=["series"])


def intensities(z, t):
    """Stored values that tell slice and phase; other in every pixel."""
    return (1000 * z + 100 * t + np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)).astype("<u2")


def write(folder, number, z, t, **changes):
    """One file; ``changes`` replace elements, and remove those that are None."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(number)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{number}.dcm"
    dataset = FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
    elements = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": SERIES,
        "SeriesNumber": 5,
        "InstanceNumber": number,
        "TriggerTime": 40.0 * t + z,
        "CardiacNumberOfImages": PHASES,
        "ImageOrientationPatient": [*ALONG_ROW, *ALONG_COLUMN],
        "ImagePositionPatient": list(ORIGIN + 9.0 * z * NORMAL),
        "SliceThickness": 6.0,
        "PixelSpacing": [1.5, 1.25],
        "Rows": ROWS,
        "Columns": COLUMNS,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": intensities(z, t).tobytes(),
    }
    for name, value in (elements | changes).items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def series(folder, changes=lambda z, t: {}, leave_out=()):
    """A whole series in an order that tells nothing."""
    places = [(z, t) for z in range(SLICES) for t in range(PHASES)]
    order = np.random.default_rng(0).permutation(len(places))
    for number, place in enumerate(order, start=1):
        if places[place] not in leave_out:
            write(folder, number, *places[place], **changes(*places[place]))
    return folder


def only(source):
    (entry,) = find(source, "dicom").entries
    return entry.read(True)


def expected():
    return np.array([[intensities(z, t) for z in range(SLICES)] for t in range(PHASES)])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study"


def test_slices_and_phases_are_put_in_order(folder):
    study = only(series(folder))

    np.testing.assert_array_equal(study.image[0], expected())
    assert study.name == "study"
    assert (study.labels == UNLABELLED).all()
    assert study.time_step == 40


def test_spacing_comes_from_positions_and_the_affine_is_of_ras(folder):
    study = only(series(folder))

    assert study.spacing == (9, 1.5, 1.25)
    x, y, z = 3, 2, 1
    in_lps = ORIGIN + x * 1.25 * ALONG_ROW + y * 1.5 * ALONG_COLUMN + z * 9 * NORMAL
    np.testing.assert_allclose((study.affine @ [x, y, z, 1])[:3], in_lps * [-1, -1, 1], atol=1e-6)


def test_intensities_are_rescaled(folder):
    study = only(series(folder, lambda z, t: {"RescaleSlope": 2, "RescaleIntercept": -5}))

    np.testing.assert_array_equal(study.image[0], expected() * 2.0 - 5)


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
def test_a_trigger_time_that_is_no_number_orders_nothing(folder):
    def changes(z, t):
        return {"TriggerTime": "nan" if t == 1 else 40.0 * (3 - t), "InstanceNumber": 1 + t}

    np.testing.assert_array_equal(only(series(folder, changes)).image[0], expected())


def test_files_of_several_patients_in_one_series_are_told(folder):
    study = only(series(folder, lambda z, t: {"PatientID": f"p{z}"}))

    assert study.subject == ""
    assert "its files name 3 patients (p0, p1, p2); is it one series?" in study.warnings


def test_empty_elements_of_rescaling_say_nothing(folder):
    study = only(series(folder, lambda z, t: {"RescaleSlope": "", "RescaleIntercept": ""}))

    np.testing.assert_array_equal(study.image[0], expected())


def test_without_trigger_times_the_times_of_acquisition_order_phases(folder):
    def changes(z, t):
        return {"TriggerTime": None, "AcquisitionTime": f"0959{55 + t if t < 3 else 59}.{t}"}

    np.testing.assert_array_equal(only(series(folder, changes)).image[0], expected())


def test_without_any_time_instance_numbers_order_phases(folder):
    study = only(series(folder, lambda z, t: {"TriggerTime": None, "InstanceNumber": 10 * z + t}))

    np.testing.assert_array_equal(study.image[0], expected())


def test_files_need_no_ending_and_other_files_are_passed_over(folder):
    for path in list(series(folder).iterdir()):
        path.rename(path.with_suffix(""))
    (folder / "notes.txt").write_text("none")
    listing = find(folder)

    assert listing.refusals == ()
    np.testing.assert_array_equal(listing.entries[0].read(True).image[0], expected())


def test_two_series_of_a_folder_are_two_studies(folder):
    series(folder)
    other = generate_uid(entropy_srcs=["other"])
    for number in range(PHASES):
        write(folder, 100 + number, 0, number, SeriesInstanceUID=other, SeriesNumber=6)

    shapes = {entry.name: entry.read(True).image.shape for entry in find(folder).entries}
    assert shapes == {"study-5": (1, 4, 3, 6, 8), "study-6": (1, 4, 1, 6, 8)}


def test_another_number_of_phases_than_announced_is_told(folder):
    study = only(series(folder, lambda z, t: {"CardiacNumberOfImages": 30}))

    assert study.warnings == ("4 phases, CardiacNumberOfImages says 30",)


def test_a_missing_phase_is_told(folder):
    with pytest.raises(UnusableError, match="slice 2 of 3 has 3 phases, the others 4"):
        only(series(folder, leave_out=[(1, 2)]))


def test_a_phase_that_misses_in_all_slices_is_told(folder):
    with pytest.raises(UnusableError, match="slice 1 lacks a phase between 0 and 80 ms"):
        only(series(folder, leave_out=[(z, 1) for z in range(SLICES)]))


def test_a_missing_slice_is_told(folder):
    def changes(z, t):
        return {"ImagePositionPatient": list(ORIGIN + 9.0 * (z + (z == 2)) * NORMAL)}

    with pytest.raises(UnusableError, match=r"slices 1 and 2 of 3 lie 9 mm apart|2 and 3 .* 18"):
        only(series(folder, changes))


def test_a_doubled_phase_is_told_by_both_files(folder):
    series(folder)
    write(folder, 50, 1, 2)

    with pytest.raises(UnusableError, match=r"50\.dcm: same slice and phase as \d+\.dcm"):
        only(folder)


def test_phases_that_cannot_be_told_apart_are_refused(folder):
    with pytest.raises(UnusableError, match="cannot be told from"):
        only(series(folder, lambda z, t: {"TriggerTime": None, "InstanceNumber": 1}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Rows": 3, "Columns": 16}, r"50.dcm: size \(3, 16\), the others \(6, 8\)"),
        ({"PixelSpacing": [2, 2]}, "50.dcm: spacing"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "50.dcm: not parallel to"),
    ],
)
def test_a_slice_that_does_not_fit_the_others_is_named(folder, changes, message):
    series(folder, leave_out=[(1, 1)])
    write(folder, 50, 1, 1, **changes)

    with pytest.raises(UnusableError, match=message):
        only(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ImagePositionPatient": None}, "not an image of a series, lacks ImagePositionPatient"),
        ({"PixelSpacing": [0, 1]}, "spacing must be positive mm from 0.001 to 1000, got 0, 1"),
        ({"NumberOfFrames": 4}, "multi-frame DICOM that does not tell where each frame lies"),
        ({"PhotometricInterpretation": "RGB"}, "expected grey values .* got RGB"),
    ],
)
def test_a_file_that_cannot_be_used_is_left_out_and_the_gap_is_told(folder, changes, message):
    series(folder, leave_out=[(1, 1)])
    write(folder, 50, 1, 1, **changes)
    listing = find(folder)

    (refusal,) = listing.refusals
    assert re.search(rf"50\.dcm: {message}", refusal.reason)
    with pytest.raises(UnusableError, match=r"has 3 phases.*could not be read: 50\.dcm"):
        listing.entries[0].read(True)


def test_files_that_are_wrong_alike_are_told_together_in_each_folder(folder):
    series(folder)
    for number, of in ((50, "x"), (51, "x"), (52, "y"), (53, "x")):
        write(folder / of, number, 0, 0, PixelSpacing=None)
    write(folder / "x", 54, 0, 0, Rows=0)

    lacking = "not an image of a series, lacks PixelSpacing"
    assert [(one.name, one.reason) for one in find(folder).refusals] == [
        ("x", f"50.dcm and 2 more: {lacking}"),
        ("x", "54.dcm: size must be positive, 67108864 pixels at most, got (0, 8)"),
        ("y", f"52.dcm: {lacking}"),
    ]


def test_files_that_were_cut_short_are_refused_but_never_a_traceback(folder):
    series(folder)
    path = folder / "7.dcm"
    content = path.read_bytes()
    for length in [0, *np.random.default_rng(0).integers(1, len(content) - 1, 25)]:
        path.write_bytes(content[:length])
        listing = find(folder, "dicom")
        for entry in listing.entries:
            with pytest.raises(UnusableError):
                entry.read(True)


def test_the_layout_is_recognised_by_content(folder):
    folder.mkdir()
    (folder / "a.dcm").write_bytes(b"nothing")
    assert not READERS["dicom"].recognises(folder)
    series(folder)
    assert READERS["dicom"].recognises(folder)


def square(folder, number, kind, low, high):
    """A contour around the pixels from ``low`` to ``high``, counted from 0."""
    path = folder.with_name(f"{folder.name}_contours") / f"{kind}-contours"
    path.mkdir(parents=True, exist_ok=True)
    first, last = low + 0.5, high + 1.5
    points = [(first, first), (last, first), (last, last), (first, last)]
    name = f"IM-0001-{number:04d}-{kind}contour-manual.txt"
    (path / name).write_text("".join(f"{x:.2f} {y:.2f}\n" for x, y in points))


def place_of(folder, number):
    dataset = pydicom.dcmread(folder / f"{number}.dcm")
    value = int(dataset.pixel_array[0, 0])
    return value % 1000 // 100, value // 1000


def test_contours_beside_the_folder_are_labels_of_what_they_tell(folder):
    series(folder)
    square(folder, 3, "i", 2, 3)
    square(folder, 3, "o", 1, 4)
    square(folder, 8, "i", 1, 2)
    labels = only(folder).labels

    both, inner = labels[place_of(folder, 3)], labels[place_of(folder, 8)]
    assert (both[2:4, 2:4] == 3).all()
    assert (both == 3).sum() == 4
    assert (both == 2).sum() == 16 - 4
    assert (both == UNLABELLED).sum() == ROWS * COLUMNS - 16
    assert (inner[1:3, 1:3] == 3).all()
    assert (inner == UNLABELLED).sum() == ROWS * COLUMNS - 4
    assert (labels != UNLABELLED).any(axis=(2, 3)).sum() == 2


@pytest.mark.parametrize(
    ("number", "text", "message"),
    [
        (99, "1 1\n3 1\n3 3\n", "there is no DICOM file 99"),
        (3, "1 1\n3 x\n", "not a list of points"),
        (3, "1 1\n3 3\n", "expected 3 points x y at least"),
        (3, "1 1\n30 1\n3 3\n", "points lie outside the image of 8 x 6"),
        (3, "", "expected 3 points"),
        (3, "1 1\n1 2\n2 2\n2 3\n3 3\n3 4\n4 4\n", "not closed, 4.24 pixels"),
    ],
)
def test_a_contour_that_cannot_be_used_is_told(folder, number, text, message):
    series(folder)
    square(folder, number, "i", 1, 2)
    (path,) = folder.with_name("study_contours").rglob("*.txt")
    path.write_text(text)

    with pytest.raises(UnusableError, match=message):
        only(folder)
    assert (find(folder).entries[0].read(False).labels == UNLABELLED).all()


def test_the_real_study_is_read():
    study = only(real_folder("sunnybrook") / "SCD0000101")

    assert study.image.shape == (1, 20, 12, 256, 256)
    assert study.spacing == (10, 1.367188, 1.367188)
    labelled = (study.labels != UNLABELLED).any(axis=(2, 3))
    assert labelled.sum(axis=1).tolist() == [0] * 7 + [9] + [0] * 10 + [9, 0]
    systole, diastole = ((study.labels[t] == 3).sum() for t in (7, 18))
    assert systole < 0.8 * diastole
    assert (study.labels[7] == 2).sum() == 0


def test_a_real_file_that_is_lost_is_noticed(tmp_path):
    copy = shutil.copytree(real_folder("sunnybrook") / "SCD0000101", tmp_path / "study")
    Path(copy / "100.dcm").unlink()

    with pytest.raises(UnusableError, match="has 19 phases, the others 20"):
        only(copy)


def test_phases_that_jitter_by_a_tenth_of_a_mm_are_one_slice(tmp_path):
    place = lambda z, t: list(ORIGIN + 9.0 * z * NORMAL + (0.1 * (t % 2)) * NORMAL)  # noqa: E731
    study = only(series(tmp_path / "a", lambda z, t: {"ImagePositionPatient": place(z, t)}))

    assert study.image.shape == (1, PHASES, SLICES, ROWS, COLUMNS)
    assert study.warnings == (
        "positions of one slice differ by up to 0.1 mm; the first phase's is taken",
    )


def test_a_slice_that_lies_aside_is_told(tmp_path):
    place = lambda z: list(ORIGIN + 9.0 * z * NORMAL + 5.0 * (z == 1) * ALONG_ROW)  # noqa: E731
    study = only(series(tmp_path / "a", lambda z, t: {"ImagePositionPatient": place(z)}))

    assert study.warnings == (
        "slices are shifted in plane by up to 5 mm against each other; they are taken as a"
        " straight stack",
    )
