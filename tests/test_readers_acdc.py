import shutil

import nibabel as nib
import numpy as np
import pytest
from source_builders import AFFINE, FRAMES, SHAPE, acdc, heart, pixels, save

from semiqc.exchange.readers import READERS, find
from semiqc.exchange.readers import acdc as reader
from semiqc.images.raw import UnusableError
from semiqc.schemes import UNLABELLED


def only(source):
    (entry,) = find(source).entries
    return entry.read(True)


def test_the_whole_cycle_has_labels_at_ed_and_es_alone(tmp_path):
    acdc(tmp_path)
    study = only(tmp_path)

    np.testing.assert_array_equal(study.image[0], pixels().T)
    assert (study.labels[[1, 3]] == UNLABELLED).all()
    for frame in (0, 2):
        np.testing.assert_array_equal(study.labels[frame], heart().T)
    assert (study.name, study.group, study.split) == ("patient001", "DCM", "")
    assert study.spacing == (8, 1.5, 1.5)
    np.testing.assert_array_equal(study.affine, AFFINE)


def test_without_the_cycle_the_study_is_of_ed_and_es(tmp_path):
    acdc(tmp_path, cine=False)
    study = only(tmp_path)

    np.testing.assert_array_equal(study.image[0], pixels().T[[0, 2]])
    assert (study.labels != UNLABELLED).all()


def test_frames_stand_in_the_order_of_time_where_es_comes_first(tmp_path):
    folder = acdc(tmp_path, cine=False)
    (folder / "Info.cfg").write_text("ED: 3\nES: 1\n")

    np.testing.assert_array_equal(only(tmp_path).image[0], pixels().T[[0, 2]])
    assert only(tmp_path).group == ""


def test_a_test_patient_without_labels_is_unlabelled(tmp_path):
    acdc(tmp_path, labels=False)

    assert (only(tmp_path).labels == UNLABELLED).all()


def test_labels_that_are_not_wanted_are_not_read(tmp_path):
    folder = acdc(tmp_path)
    (folder / "patient001_frame01_gt.nii.gz").write_bytes(b"")
    (entry,) = find(tmp_path).entries

    assert (entry.read(False).labels == UNLABELLED).all()


def test_training_and_testing_give_the_split(tmp_path):
    acdc(tmp_path / "training", "patient001")
    acdc(tmp_path / "testing", "patient101", seed=1)
    splits = {entry.name: entry.read(True).split for entry in find(tmp_path).entries}

    assert splits == {"patient001": "train", "patient101": "test"}


@pytest.mark.parametrize("deeper", ["", "patient001"])
def test_the_layout_is_recognised_from_a_patient_upwards(tmp_path, deeper):
    acdc(tmp_path)

    assert READERS["acdc"].recognises(tmp_path / deeper)
    assert [entry.name for entry in find(tmp_path / deeper).entries] == ["patient001"]


def test_a_patient_with_labels_of_one_frame_is_taken_with_a_warning(tmp_path):
    folder = acdc(tmp_path)
    (folder / "patient001_frame03_gt.nii.gz").unlink()
    study = only(tmp_path)

    assert (study.labels[2] == UNLABELLED).all()
    assert study.warnings == ("only one of the ED and ES frames has labels",)


def spoil_info(text):
    return lambda folder: (folder / "Info.cfg").write_text(text)


def spoil_file(name, voxels, **options):
    return lambda folder: save(folder / name, voxels, **options)


def spoil_bytes(name, content):
    return lambda folder: (folder / name).write_bytes(content)


GT = "patient001_frame01_gt.nii.gz"
CINE = "patient001_4d.nii.gz"
SHIFTED = AFFINE + np.outer([0, 1, 0, 0], [0, 0, 0, 9])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_info("ED: 1\n"), "Info.cfg: expected lines .* got ED '1' and ES None"),
        (spoil_info("ED: one\nES: 3\n"), "Info.cfg: expected lines"),
        (spoil_info("ED: 0\nES: 3\n"), "Info.cfg: frames are counted from 1, got 0"),
        (spoil_info("ED: 1\nES: 9\n"), "Info.cfg: names frame 9, patient001_4d.nii.gz has 4"),
        (spoil_bytes("Info.cfg", b"\xff\xfe\0"), "Info.cfg: expected text in UTF-8"),
        (lambda folder: (folder / "Info.cfg").unlink(), "Info.cfg: no such file"),
        (spoil_file(CINE, pixels()[..., 0]), r"4d.nii.gz: expected 4-D, got shape \(7, 6, 3\)"),
        (spoil_file(CINE, pixels(5)), "frame01.nii.gz: is not frame 1 of patient001_4d"),
        (spoil_file(CINE, pixels(), affine=SHIFTED), "frame01.nii.gz: affine lies up to 9 mm"),
        (spoil_bytes(CINE, b""), "patient001_4d.nii.gz: empty file"),
        (spoil_file(GT, heart()[:, :, :2]), r"frame01_gt.nii.gz: shape \(7, 6, 2\)"),
        (spoil_file(GT, heart(), affine=SHIFTED), "frame01_gt.nii.gz: affine lies up to 9 mm"),
        (spoil_file(GT, heart((1, 7, 9))), "unknown label values 7, 9; known are 0, 1, 2, 3"),
        (spoil_file(GT, heart() / np.float32(2)), "must be integers, got 0.5, 1.5"),
        (spoil_file(GT, np.full(SHAPE, np.nan, "f4")), "gt.nii.gz: 126 voxels are NaN"),
        (spoil_file(GT, np.stack([heart()] * 2, -1)), "gt.nii.gz: expected 3-D, got 2 frames"),
        (spoil_bytes(GT, b"<html>not found</html>"), "gt.nii.gz: not a NIfTI file"),
    ],
)
def test_a_patient_that_cannot_be_used_is_told_in_one_line(tmp_path, spoil, message):
    spoil(acdc(tmp_path))

    with pytest.raises(UnusableError, match=message) as refusal:
        only(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_missing_frame_is_named_where_there_is_no_cycle(tmp_path):
    folder = acdc(tmp_path, cine=False)
    (folder / "patient001_frame03.nii.gz").unlink()

    with pytest.raises(UnusableError, match=r"patient001_frame03\.nii\.gz: missing"):
        only(tmp_path)


def test_the_cycles_voxel_size_counts_where_frames_have_none(tmp_path):
    folder = acdc(tmp_path)
    unit = np.diag([-1.0, -1, 1, 1])
    for path in folder.glob("*.nii.gz"):
        save(path, np.asanyarray(nib.load(path).dataobj), unit)
    image = nib.Nifti1Image(pixels(), unit)
    image.header.set_zooms((1.25, 1.5, 10, 1))
    nib.save(image, folder / CINE)
    study = only(tmp_path)

    assert study.spacing == (10, 1.5, 1.25)
    assert "voxel size is taken" in study.warnings[0]
    assert study.image.shape[1] == FRAMES


def test_folders_of_something_else_are_passed_over(tmp_path):
    acdc(tmp_path)
    (tmp_path / "notes").mkdir()
    shutil.copy(tmp_path / "patient001" / "Info.cfg", tmp_path / "readme.txt")

    assert len(reader.find(tmp_path).entries) == 1


def test_a_flat_folder_of_several_patients_frames_is_no_patient(tmp_path):
    for name in ("case1_frame01", "case2_frame01"):
        save(tmp_path / "flat" / f"{name}.nii.gz", pixels()[..., 0])

    assert not READERS["acdc"].recognises(tmp_path / "flat")
