import numpy as np
import pytest
from source_builders import AFFINE, FRAMES, SHAPE, heart, pixels, save

from semiqc.exchange.readers.pairs import find_pairs
from semiqc.images.raw import UnusableError
from semiqc.schemes import SHORT_AXIS


def image(path, seed=0):
    return save(path, pixels(seed)[..., 0])


def segmentation(path, values=(1, 2, 3)):
    return save(path, heart(values))


def found(images, segmentations, modalities=1, meaning=None):
    return find_pairs(images, segmentations, SHORT_AXIS, modalities, meaning)


def names(listing):
    return [entry.name for entry in listing.entries]


def reasons(listing):
    return {refusal.name: refusal.reason for refusal in listing.refusals}


def test_the_background_means_nothing_else(tmp_path):
    image(tmp_path / "i" / "a.nii.gz")
    segmentation(tmp_path / "s" / "a.nii.gz")

    with pytest.raises(ValueError, match="label value 0 is the background and cannot mean 2"):
        found(tmp_path / "i", tmp_path / "s", meaning={0: 2, 1: 3})


def unreadable(listing):
    [entry] = listing.entries
    with pytest.raises(UnusableError) as caught:
        entry.read(True)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["", "_gt", "_seg", "_pred", "_mask", "_PRED"])
@pytest.mark.parametrize("channel", ["", "_0000"])
def test_endings_of_segmentations_and_the_channel_of_images_do_not_count(
    tmp_path, ending, channel
):
    image(tmp_path / "images" / f"a{channel}.nii.gz")
    segmentation(tmp_path / "out" / f"a{ending}.nii")

    listing = found(tmp_path / "images", tmp_path / "out")
    assert names(listing) == ["a"]
    assert reasons(listing) == {}


def test_voxels_of_both_are_read_with_their_place(tmp_path):
    save(tmp_path / "i" / "a.nii.gz", pixels())
    labels = np.stack([heart()] * FRAMES, axis=-1)
    save(tmp_path / "s" / "a_seg.nii.gz", labels)
    [entry] = found(tmp_path / "i", tmp_path / "s").entries

    raw = entry.read(True)
    np.testing.assert_array_equal(raw.image[0], pixels().T)
    np.testing.assert_array_equal(raw.labels, labels.T)
    np.testing.assert_array_equal(raw.affine, AFFINE)
    assert raw.spacing == (8, 1.5, 1.5)
    assert entry.in_plane_mm() == (1.5, 1.5)


def test_an_exact_name_counts_more_than_an_ending(tmp_path):
    for name in ("a", "a_mask", "b_0000", "b_0001"):
        image(tmp_path / "i" / f"{name}.nii")
        segmentation(tmp_path / "s" / f"{name}.nii")

    assert names(found(tmp_path / "i", tmp_path / "s")) == ["a", "a_mask", "b_0000", "b_0001"]


def test_modalities_are_put_in_the_order_of_their_number(tmp_path):
    for channel in (1, 0):
        image(tmp_path / "i" / f"a_{channel:04d}.nii.gz", seed=channel)
    segmentation(tmp_path / "s" / "a.nii.gz")
    [entry] = found(tmp_path / "i", tmp_path / "s", modalities=2).entries

    raw = entry.read(True)
    assert raw.image.shape == (2, 1, *SHAPE[::-1])
    for channel in (0, 1):
        np.testing.assert_array_equal(raw.image[channel, 0], pixels(channel)[..., 0].T)


@pytest.mark.parametrize(
    ("channels", "modalities", "expected"),
    [
        (("_0000", "_0001"), 1, "a_0000.nii, a_0001.nii: expected a or a_0000 alone"),
        (("_0001",), 1, "a_0001.nii: expected a or a_0000 alone"),
        (("_0000", "_0002"), 2, "a_0000.nii, a_0002.nii: expected a_0000 and a_0001"),
        (("",), 2, "a.nii: expected a_0000 and a_0001"),
    ],
)
def test_missing_and_surplus_modalities_are_named(tmp_path, channels, modalities, expected):
    for channel in channels:
        image(tmp_path / "i" / f"a{channel}.nii")
    segmentation(tmp_path / "s" / "a.nii")

    assert reasons(found(tmp_path / "i", tmp_path / "s", modalities)) == {"a": expected}


def test_a_modality_without_a_file_is_zero(tmp_path):
    image(tmp_path / "i" / "a_0001.nii", seed=1)
    segmentation(tmp_path / "s" / "a.nii")
    [entry] = found(tmp_path / "i", tmp_path / "s", modalities=3).entries

    read = entry.read(True).image

    assert not read[0].any()
    assert not read[2].any()
    np.testing.assert_array_equal(read[1, 0], pixels(1)[..., 0].T)


def test_folders_within_folders_are_searched(tmp_path):
    image(tmp_path / "i" / "one" / "raw" / "a.nii.gz")
    segmentation(tmp_path / "s" / "a.nii.gz")

    assert names(found(tmp_path / "i", tmp_path / "s")) == ["a"]


def test_of_equal_names_the_folder_counts_too(tmp_path):
    for folder, seed in (("p1", 1), ("p2", 2)):
        image(tmp_path / "i" / folder / "cine.nii.gz", seed)
        segmentation(tmp_path / "s" / folder / "cine_pred.nii.gz")

    listing = found(tmp_path / "i", tmp_path / "s")
    assert names(listing) == ["p1_cine", "p2_cine"]
    np.testing.assert_array_equal(listing.entries[1].read(True).image[0, 0], pixels(2)[..., 0].T)


def test_one_folder_may_hold_both_and_one_may_lie_in_the_other(tmp_path):
    image(tmp_path / "a.nii.gz")
    segmentation(tmp_path / "a_seg.nii.gz")
    (tmp_path / "out").mkdir()
    for same in (tmp_path, tmp_path / "out" / ".."):
        assert names(found(tmp_path, same)) == ["a"]

    (tmp_path / "a_seg.nii.gz").unlink()
    segmentation(tmp_path / "out" / "a.nii.gz")
    listing = found(tmp_path, tmp_path / "out")
    assert names(listing) == ["a"]
    assert reasons(listing) == {}


def test_two_files_belong_together_whatever_they_are_called(tmp_path):
    listing = found(
        image(tmp_path / "x_0000.nii.gz"), segmentation(tmp_path / "result of today.nii")
    )

    assert names(listing) == ["x"]
    assert listing.entries[0].read(True).labels.max() == 3


def test_a_link_has_its_own_name(tmp_path):
    target = image(tmp_path / "elsewhere" / "z.nii.gz")
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "a_0000.nii.gz").symlink_to(target)
    segmentation(tmp_path / "s" / "a.nii.gz")

    assert names(found(tmp_path / "i", tmp_path / "s")) == ["a"]


def test_what_has_no_partner_is_told_and_the_rest_goes_on(tmp_path):
    for name in ("a", "b", "d"):
        image(tmp_path / "i" / f"{name}.nii")
    for name in ("b", "c", "d", "d_pred"):
        segmentation(tmp_path / "s" / f"{name}.nii")

    listing = found(tmp_path / "i", tmp_path / "s")
    assert names(listing) == ["b"]
    assert reasons(listing) == {
        "a": "a.nii: an image without a segmentation",
        "c": "c.nii: a segmentation without an image",
        "d": "d.nii, d_pred.nii: several segmentations of one image",
    }


def test_a_segmentation_of_one_modality_alone_is_not_taken_for_that_of_all(tmp_path):
    for channel in (0, 1):
        image(tmp_path / "i" / f"a_{channel:04d}.nii")
    segmentation(tmp_path / "s" / "a_0000.nii")

    assert reasons(found(tmp_path / "i", tmp_path / "s", modalities=2)) == {
        "a": "a_0000.nii, a_0001.nii: an image without a segmentation",
        "a_0000": "a_0000.nii: a segmentation without an image",
    }


def test_two_studies_whose_files_would_share_a_name_are_not_both_taken(tmp_path):
    for name in ("a b", "A_b"):
        image(tmp_path / "i" / f"{name}.nii")
        segmentation(tmp_path / "s" / f"{name}.nii")

    listing = found(tmp_path / "i", tmp_path / "s")
    assert len(listing.entries) == 1
    [reason] = reasons(listing).values()
    assert "the name is taken by" in reason


def test_label_values_get_the_meaning_they_are_given(tmp_path):
    image(tmp_path / "i" / "a.nii")
    segmentation(tmp_path / "s" / "a.nii", (3, 2, 1))
    [entry] = found(tmp_path / "i", tmp_path / "s", meaning={1: 3, 2: 2, 3: 1}).entries

    np.testing.assert_array_equal(entry.read(True).labels[0], heart((1, 2, 3)).T)


@pytest.mark.parametrize(
    ("voxels", "expected"),
    [
        (heart()[:, :, :2], r"a.nii: shape (7, 6, 2), a.nii has (7, 6, 3)"),
        (heart((1, 2, 7)), "a.nii: unknown label values 7; known are 0, 1, 2, 3"),
        (heart() * 0.5, "a.nii: labels must be integers, got 0.5, 1.5"),
        (np.full(SHAPE, np.nan), "a.nii: 126 voxels are NaN, infinite or beyond float32"),
        (np.stack([heart()] * 2, axis=-1), "a.nii: 2 frames, a.nii has 1"),
    ],
)
def test_a_segmentation_that_does_not_fit_is_told_in_one_line(tmp_path, voxels, expected):
    image(tmp_path / "i" / "a.nii")
    save(tmp_path / "s" / "a.nii", voxels)

    assert unreadable(found(tmp_path / "i", tmp_path / "s")) == f"segmentation {expected}"


def test_another_place_and_a_cut_file_are_told(tmp_path):
    image(tmp_path / "i" / "a.nii")
    moved = AFFINE.copy()
    moved[2, 3] += 8
    path = save(tmp_path / "s" / "a.nii", heart(), moved)
    assert "affine lies up to 8 mm" in unreadable(found(tmp_path / "i", tmp_path / "s"))

    path.write_bytes(segmentation(path).read_bytes()[:-10])
    assert "a.nii: cut short" in unreadable(found(tmp_path / "i", tmp_path / "s"))


def test_a_source_without_files_and_a_meaning_beyond_the_scheme_are_refused(tmp_path):
    image(tmp_path / "i" / "a.nii")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "plans.json").write_text("{}")

    with pytest.raises(ValueError, match="none: no such file or folder"):
        found(tmp_path / "i", tmp_path / "none")
    with pytest.raises(ValueError, match="s: no NIfTI, NRRD or MetaImage file"):
        found(tmp_path / "i", tmp_path / "s")
    with pytest.raises(ValueError, match="cannot mean 5; short-axis has 0 background, 1 RV"):
        found(tmp_path / "i", tmp_path / "i", meaning={1: 5})


def test_a_name_with_marks_is_one_however_it_is_written(tmp_path):
    image(tmp_path / "i" / "Mu\u0308ller.nii.gz")
    segmentation(tmp_path / "s" / "M\u00fcller_seg.nii.gz")

    listing = found(tmp_path / "i", tmp_path / "s")
    assert names(listing) == ["M\u00fcller"]
    assert listing.entries[0].read(True).labels.any()
