import numpy as np
import pytest
from source_builders import heart, pixels, save

from semiqc.exchange.readers import find
from semiqc.images.raw import UnusableError
from semiqc.schemes import AORTA, UNLABELLED


@pytest.fixture
def table(tmp_path):
    save(tmp_path / "cine.nii.gz", pixels())
    for frame in range(3):
        save(tmp_path / f"frame{frame}.nii.gz", pixels()[..., frame])
    save(tmp_path / "labels" / "heart.nii.gz", heart())
    whole = np.zeros((7, 6, 3, 4), np.uint8)
    whole[..., 3] = heart()
    save(tmp_path / "labels" / "whole.nii.gz", whole)

    def write(text):
        path = tmp_path / "studies.csv"
        path.write_text(text)
        return path

    return write


def only(path, scheme=None):
    listing = find(path, scheme=scheme)
    assert listing.refusals == ()
    (entry,) = listing.entries
    return entry.read(True)


def test_an_image_alone_is_an_unlabelled_study_named_after_it(table):
    study = only(table("image\ncine.nii.gz\n"))

    assert study.name == "cine"
    np.testing.assert_array_equal(study.image[0], pixels().T)
    assert (study.labels == UNLABELLED).all()


def test_rows_of_one_image_give_labels_of_its_frames(table):
    study = only(
        table(
            "study,image,labels,frame,group,split,subject\n"
            "a,cine.nii.gz,labels/heart.nii.gz,2,DCM,test,p1\n"
            "a,cine.nii.gz,labels/heart.nii.gz,0,DCM,test,p1\n"
        )
    )

    for frame in (0, 2):
        np.testing.assert_array_equal(study.labels[frame], heart().T)
    assert (study.labels[[1, 3]] == UNLABELLED).all()
    assert (study.group, study.split, study.subject) == ("DCM", "test", "p1")


def test_labels_of_all_frames_are_unlabelled_where_they_are_zero(table):
    study = only(table("image,labels\ncine.nii.gz,labels/whole.nii.gz\n"))

    np.testing.assert_array_equal(study.labels[3], heart().T)
    assert (study.labels[:3] == UNLABELLED).all()


def test_a_still_image_needs_no_frame_and_keeps_an_empty_label(table, tmp_path):
    save(tmp_path / "labels" / "none.nii.gz", heart() * 0)

    labels = only(table("image,labels\nframe0.nii.gz,labels/none.nii.gz\n")).labels
    assert (labels == 0).all()


def test_images_of_single_frames_are_put_in_the_order_of_frame(table):
    study = only(
        table(
            "study,image,labels,frame\na,frame2.nii.gz,labels/heart.nii.gz,9\na,frame0.nii.gz,,1\n"
        )
    )

    np.testing.assert_array_equal(study.image[0], pixels().T[[0, 2]])
    assert (study.labels[0] == UNLABELLED).all()
    np.testing.assert_array_equal(study.labels[1], heart().T)


def test_without_frame_they_stay_in_the_order_of_the_rows(table):
    study = only(table("study,image\na,frame2.nii.gz\na,frame0.nii.gz\n"))

    np.testing.assert_array_equal(study.image[0], pixels().T[[2, 0]])


def test_labels_are_understood_as_of_the_scheme_that_is_named(table):
    with pytest.raises(UnusableError, match="unknown label values 2, 3; known are 0, 1"):
        only(table("image,labels\nframe0.nii.gz,labels/heart.nii.gz\n"), AORTA)


def test_a_name_that_cannot_name_a_file_is_mended(table):
    assert only(table("study,image\n  ../Éva 1/2 ,cine.nii.gz\n")).name == "Éva_1_2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study\na\n", "expected columns out of .* with image among them, got study"),
        ("image,lables\nx,y\n", "expected columns out of .* got image, lables"),
        ("", "expected columns"),
    ],
)
def test_a_table_of_other_columns_is_refused(table, text, message):
    with pytest.raises(ValueError, match=rf"studies\.csv: {message}"):
        find(table(text), "manifest")


def test_a_table_that_is_no_text_is_refused(table, tmp_path):
    path = table("")
    path.write_bytes(b"image\n\xff\xfe\0\n")
    with pytest.raises(ValueError, match="expected text in UTF-8, found the byte 0xff"):
        find(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,,,0,", "studies.csv line 2: names no image"),
        ("a,cine.nii.gz,cine.nii.gz,,", "studies.csv line 2: image and labels are the same file"),
        ("a,cine.nii.gz,labels/heart.nii.gz,-1,", "frame must be a number from 0, got '-1'"),
        ("a,cine.nii.gz,,0,DCM\na,cine.nii.gz,,1,HCM", "line 3: group is 'HCM', in line 2 'DCM'"),
        ("a,cine.nii.gz,,1,\na,cine.nii.gz,,1,", "frames are doubled or missing"),
        ("a,frame0.nii.gz,,1,\na,frame1.nii.gz,,,", "frames are doubled or missing"),
        ("a,cine.nii.gz,x,,\na,cine.nii.gz,y,,", "frames are doubled or missing: none, none"),
        ("...,cine.nii.gz,,,", "has no letter or digit"),
        (f"{'n' * 150},cine.nii.gz,,,", "is longer than 100 bytes"),
    ],
)
def test_a_study_whose_rows_contradict_each_other_is_left_out(table, rows, message):
    listing = find(table(f"study,image,labels,frame,group\n{rows}\nb,frame2.nii.gz,,,\n"))

    assert [entry.name for entry in listing.entries] == ["b"]
    assert message in listing.refusals[0].reason


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,cine.nii.gz,labels/heart.nii.gz,4", "has 4 frames from 0, labels are given for .4."),
        ("a,cine.nii.gz,labels/heart.nii.gz,", "heart.nii.gz: 1 frames, cine.nii.gz has 4"),
        ("a,cine.nii.gz,labels/whole.nii.gz,1", "whole.nii.gz: expected 3-D, got 4 frames"),
        ("a,gone.nii.gz,,", "gone.nii.gz: no such file"),
        ("a,cine.nii.gz,gone.nii.gz,0", "gone.nii.gz: no such file"),
        ("a,frame0.nii.gz,,0\na,cine.nii.gz,,1", "cine.nii.gz: expected 3-D"),
        (
            "a,frame0.nii.gz,,0\na,frame0.nii.gz,,1\na,frame1.nii.gz,,2",
            "3 rows name 2 images, expected one for all or one each",
        ),
    ],
)
def test_a_study_that_cannot_be_used_is_told_in_one_line(table, rows, message):
    with pytest.raises(UnusableError, match=message):
        only(table(f"study,image,labels,frame\n{rows}\n"))
