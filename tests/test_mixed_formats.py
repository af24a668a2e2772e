"""Files of another format in a folder lose no study, and are told."""

import shutil
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
from source_builders import pixels, save
from test_readers_dicom import series

from semiqc.cli.app import main
from semiqc.exchange.readers.formats import LISTED
from semiqc.exchange.readers.registry import find, find_images, layout_of, whole
from semiqc.schemes import SHORT_AXIS

MM = np.diag([1.5, 1.5, 8, 1])


@pytest.fixture
def images(tmp_path):
    """Two NIfTI files."""
    for name in "ab":
        save(tmp_path / "in" / f"{name}.nii.gz", pixels(shape=(12, 11, 3)), MM)
    return tmp_path / "in"


def listed(folder, layout="auto"):
    found = find_images(folder, layout, SHORT_AXIS, 1)
    return [one.name for one in found.entries], {one.name: one.reason for one in found.refusals}


def test_a_file_that_begins_like_dicom_does_not_make_nifti_files_dicom(images):
    (images / "c.nii.gz").write_bytes(bytes(128) + b"DICM" + bytes(300))

    assert layout_of(images) is None
    assert listed(images) == (["a", "b", "c"], {})


def test_a_stray_dicom_file_is_left_out_of_a_folder_of_nifti_files(images, tmp_path):
    series(tmp_path / "scan")
    first = sorted((tmp_path / "scan").rglob("*.dcm"))[0]
    shutil.copy(first, images / "localiser.dcm")

    names, left_out = listed(images)
    assert names == ["a", "b"]
    assert left_out["localiser.dcm"] == (
        "localiser.dcm: DICOM, where files of NIfTI, NRRD or MetaImage are read; name its own"
        " folder to read it"
    )


def test_a_stray_hdf5_file_does_not_hide_nifti_files(images):
    with h5py.File(images / "x.h5", "w") as file:
        file["image"] = np.zeros((4, 4), np.float32)

    assert layout_of(images) == "ssl4mis"
    assert listed(images) == (["a", "b"], {})


def test_nifti_files_beside_more_series_of_dicom_are_told(images):
    for name in ("p", "q", "r"):
        series(images / name)
    names, left_out = listed(images)

    assert sorted(names) == ["p", "q", "r"]
    assert set(left_out) == {"a.nii.gz", "b.nii.gz"}
    assert set(left_out) <= {one.name for one in find(images).refusals}


def test_as_many_series_as_nifti_files_leave_the_files(images):
    for name in ("p", "q"):
        series(images / name)

    assert listed(images)[0] == ["a", "b"]
    assert find(images, "dicom").layout == find(images).layout == "dicom"


def test_the_working_folder_has_a_name(images, monkeypatch):
    (images.parent / "link").symlink_to(images)
    monkeypatch.chdir(images)

    assert whole(Path()) == images
    assert whole(images.parent / "link") == images.parent / "link"


def test_of_many_files_the_first_are_told(images):
    for number in range(LISTED + 5):
        (images / f"{number:03}.dcm").write_bytes(b"x")

    _, left_out = listed(images)
    assert len(left_out) == LISTED + 1
    assert left_out["5 more"] == "in: likewise"


def test_a_layout_that_is_named_is_read_whatever_lies_beside(images):
    series(images / "p")

    names, left_out = listed(images, "dicom")
    assert names == ["p"]
    assert set(left_out) == {"a.nii.gz", "b.nii.gz"}


@pytest.mark.parametrize(
    ("name", "layout", "of"), [("t.csv", "acdc", "a folder"), ("", "manifest", "a file")]
)
def test_a_layout_of_folders_is_none_of_a_file(tmp_path, name, layout, of):
    (tmp_path / "t.csv").write_text("image\n")

    with pytest.raises(ValueError, match=f"layout {layout} is of {of}"):
        find(tmp_path / name, layout)


@pytest.fixture
def in_two_files(tmp_path):
    """A folder with an image in two files."""
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Pair(np.ones((8, 8, 2), np.float32), np.eye(4)), tmp_path / "in" / "a.hdr")
    return tmp_path / "in"


@pytest.mark.parametrize(
    "words",
    ["import in x.h5", "import in/a.img x.h5", "import in/a.hdr x.h5", "check in -o out",
     "predict phantom in -o out", "score phantom in in -o out"],
)  # fmt: skip
def test_images_in_two_files_are_told_with_what_to_do(in_two_files, monkeypatch, capsys, words):
    monkeypatch.chdir(in_two_files.parent)

    assert main(words.split()) == 2
    assert "save it as .nii.gz" in capsys.readouterr().err
    assert not (in_two_files.parent / "out").exists()


def test_an_image_in_two_files_is_told_beside_others(in_two_files):
    save(in_two_files / "b.nii.gz", np.ones((8, 8, 2), np.float32))
    for name in ("header_alone.hdr", "voxels_alone.img", "a.dcm"):
        (in_two_files / name).touch()

    found = find_images(in_two_files, "auto", SHORT_AXIS, 1)

    assert [entry.name for entry in found.entries] == ["b"]
    assert [one.name for one in found.refusals] == ["a.dcm", "a.img"]
