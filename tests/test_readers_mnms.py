import numpy as np
import pytest
from source_builders import FRAMES, heart, pixels, save

from semiqc.exchange.readers import READERS, find
from semiqc.images.raw import UnusableError
from semiqc.schemes import UNLABELLED

THEIRS = (3, 2, 1)
"""RV, myocardium and LV in the values of M&Ms."""

TABLE = (
    ",External code,VendorName,Vendor,Centre,ED,ES,Pathology\n"
    "0,A0S9V9,Siemens,A,1,0,2,DCM\n1,A1D0Q7,Philips,B,2,1,3,HCM\n"
)


def cycle(folder, code="A0S9V9", *, seed=0, labelled=(0, 2)):
    labels = np.zeros((7, 6, 3, FRAMES), np.uint8)
    for frame in labelled:
        labels[..., frame] = heart(THEIRS)
    save(folder / code / f"{code}_sa.nii.gz", pixels(seed))
    save(folder / code / f"{code}_sa_gt.nii.gz", labels)
    return folder / code


def ends(folder, code="007", *, cine=None):
    for part, frame in (("ED", 1), ("ES", 3)):
        save(folder / code / f"{code}_SA_{part}.nii.gz", pixels()[..., frame])
        save(folder / code / f"{code}_SA_{part}_gt.nii.gz", heart(THEIRS))
    save(folder / code / f"{code}_LA_ED.nii.gz", pixels(9)[..., 0])
    if cine is not None:
        save(folder / code / f"{code}_SA_CINE.nii.gz", cine)
    return folder / code


def only(source):
    (entry,) = find(source).entries
    return entry.read(True)


def test_label_values_become_those_of_acdc(tmp_path):
    cycle(tmp_path)
    labels = only(tmp_path).labels

    np.testing.assert_array_equal(labels[0], heart().T)
    np.testing.assert_array_equal(labels[2], heart().T)


def test_frames_that_are_zero_everywhere_are_unlabelled(tmp_path):
    cycle(tmp_path)

    assert (only(tmp_path).labels[[1, 3]] == UNLABELLED).all()


def test_folders_give_the_split_and_the_table_the_pathology(tmp_path):
    (tmp_path / "information_opendataset.csv").write_text(TABLE)
    cycle(tmp_path / "Training" / "Labeled", "A0S9V9")
    cycle(tmp_path / "Testing", "A1D0Q7", seed=1, labelled=(1, 3))
    studies = {entry.name: entry.read(True) for entry in find(tmp_path).entries}

    assert {name: (s.split, s.group) for name, s in studies.items()} == {
        "A0S9V9": ("train", "DCM"),
        "A1D0Q7": ("test", "HCM"),
    }
    assert all(study.warnings == () for study in studies.values())


def test_the_table_may_lie_beside_the_folder(tmp_path):
    (tmp_path / "dataset_information.csv").write_text("SUBJECT_CODE,DISEASE\n7,TOF\n")
    ends(tmp_path / "dataset")

    assert only(tmp_path / "dataset").group == "TOF"


def test_other_frames_than_the_table_says_are_told(tmp_path):
    (tmp_path / "information.csv").write_text(TABLE)
    cycle(tmp_path, labelled=(0, 3))

    assert only(tmp_path).warnings == (
        "the table's ED and ES are not the frames that are annotated",
    )


def test_ed_and_es_files_alone_make_a_study_of_two_frames(tmp_path):
    ends(tmp_path)
    study = only(tmp_path)

    np.testing.assert_array_equal(study.image[0], pixels().T[[1, 3]])
    np.testing.assert_array_equal(study.labels, np.stack([heart().T] * 2))
    assert study.name == "007"


def test_with_a_cine_their_labels_stand_at_the_frames_they_are(tmp_path):
    ends(tmp_path, cine=pixels())
    study = only(tmp_path)

    np.testing.assert_array_equal(study.image[0], pixels().T)
    np.testing.assert_array_equal(study.labels[3], heart().T)
    assert (study.labels[[0, 2]] == UNLABELLED).all()
    assert study.warnings == ()


def test_a_cine_of_something_else_is_left_aside_with_a_warning(tmp_path):
    ends(tmp_path, cine=pixels(5))
    study = only(tmp_path)

    assert study.image.shape[1] == 2
    assert "the cine does not hold the ED and ES frames" in study.warnings[0]


def test_an_image_that_is_3d_is_refused(tmp_path):
    folder = cycle(tmp_path)
    save(folder / "A0S9V9_sa.nii.gz", pixels()[..., 0])

    with pytest.raises(UnusableError, match=r"A0S9V9_sa\.nii\.gz: expected 4-D, got shape"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("voxels", "message"),
    [
        (pixels()[..., 0] * 0, "expected 4-D"),
        (np.zeros((7, 6, 3, 5), np.uint8), "_gt.nii.gz: 5 frames, the image 4"),
        (np.full((7, 6, 3, 4), 4, np.uint8), "unknown label values 4"),
    ],
)
def test_labels_that_do_not_suit_the_image_are_refused(tmp_path, voxels, message):
    save(cycle(tmp_path) / "A0S9V9_sa_gt.nii.gz", voxels)

    with pytest.raises(UnusableError, match=message):
        only(tmp_path)


def test_a_missing_es_file_is_named(tmp_path):
    folder = ends(tmp_path)
    (folder / "007_SA_ES.nii.gz").unlink()
    (refusal,) = find(tmp_path).refusals

    assert refusal.name == "007"
    assert refusal.reason == "007_SA_ED.nii.gz: the ES file is missing"


def test_a_table_without_codes_is_told_and_the_rest_is_read(tmp_path):
    (tmp_path / "information.csv").write_text("a,b\n1,2\n")
    cycle(tmp_path)

    assert "expected a column external code" in find(tmp_path).refusals[0].reason
    assert only(tmp_path).group == ""


def test_the_layout_is_recognised_at_any_depth(tmp_path):
    assert not READERS["mnms"].recognises(tmp_path)
    cycle(tmp_path / "Training" / "Labeled")
    assert READERS["mnms"].recognises(tmp_path)
