"""What files of UK Biobank's and SSL4MIS' layouts may lack or contradict."""

import h5py
import numpy as np
import pytest
from source_builders import SHAPE, heart, pixels, save

from semiqc.exchange.readers import find, ukbb
from semiqc.schemes import UNLABELLED

CINE = pixels(3)
VALUES = (3, 2, 1)
"""Of RV, myocardium and LV in UK Biobank's files."""


def ends(folder, *, images=("ED", "ES"), labels=("ED", "ES")):
    for end, frame in (("ED", 0), ("ES", 2)):
        if end in images:
            save(folder / f"sa_{end}.nii.gz", CINE[..., frame])
        if end in labels:
            save(folder / f"label_sa_{end}.nii.gz", heart(VALUES))


def whole(folder, frames=4, frame=1):
    labels = np.zeros((*SHAPE, frames), np.uint8)
    labels[..., frame] = heart(VALUES)
    save(folder / "label_sa.nii.gz", labels)


def labelled(study):
    return [t for t, labels in enumerate(study.labels) if (labels != UNLABELLED).any()]


def only(source, with_labels=True):
    [entry] = find(source).entries
    return entry.read(with_labels)


def test_ed_comes_before_es_where_there_is_no_cycle(tmp_path):
    ends(tmp_path / "7")

    for frame, of in enumerate((0, 2)):
        np.testing.assert_array_equal(only(tmp_path).image[0, frame], CINE[..., of].T)


def test_labels_of_an_end_without_its_image_are_told(tmp_path):
    ends(tmp_path / "7", images=("ED",))
    study = only(tmp_path)

    assert labelled(study) == [0]
    assert study.warnings == ("labels of a frame without its image are not taken",)


def test_a_cycle_without_its_ends_is_told(tmp_path):
    ends(tmp_path / "7", labels=())
    save(tmp_path / "7" / "sa.nii.gz", pixels(9))
    study = only(tmp_path)

    assert study.warnings == ("the cycle does not hold the ED and ES frames",)
    assert study.image.shape[1] == 4


def test_labels_of_ends_count_before_those_of_the_cycle(tmp_path):
    ends(tmp_path / "7")
    save(tmp_path / "7" / "sa.nii.gz", CINE)
    whole(tmp_path / "7")

    assert labelled(only(tmp_path)) == [0, 2]


def test_labels_of_another_length_than_the_cycle_are_refused(tmp_path):
    save(tmp_path / "7" / "sa.nii.gz", CINE)
    whole(tmp_path / "7", frames=3)

    with pytest.raises(ValueError, match=r"label_sa\.nii\.gz: 3 frames, the image 4"):
        only(tmp_path)


@pytest.mark.parametrize("make", [ends, whole])
def test_labels_that_are_not_wanted_are_not_read(tmp_path, make):
    save(tmp_path / "7" / "sa.nii.gz", CINE)
    make(tmp_path / "7")
    for path in (tmp_path / "7").glob("label_*"):
        path.write_bytes(b"")

    assert labelled(only(tmp_path, with_labels=False)) == []


def test_studies_are_found_at_any_depth(tmp_path):
    ends(tmp_path / "a" / "b" / "7")

    assert ukbb.recognises(tmp_path)
    assert not ukbb.recognises(tmp_path / "none")


def h5(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


SLICE = np.random.default_rng(0).random((8, 7), np.float32)
LABEL = (SLICE > 0.5).astype(np.uint8)


def test_slices_are_put_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 9, 1, *range(3, 9)):
        h5(tmp_path / f"p_slice_{number}.h5", image=SLICE + number)

    assert (np.diff(only(tmp_path).image[0, 0].mean(axis=(1, 2))) > 0).all()


def test_a_volume_larger_than_its_file_can_hold_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", (9, 1024, 1024), "f4", chunks=(1, 512, 512))

    with pytest.raises(
        ValueError, match=r"a\.h5: image claims shape \(9, 1024, 1024\), more than"
    ):
        only(tmp_path)


def test_slices_that_together_are_too_many_voxels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.exchange.readers.ssl4mis.MOST_VOXELS", 3 * SLICE.size - 1)
    for number in (1, 2, 3):
        h5(tmp_path / f"p_slice_{number}.h5", image=SLICE, label=LABEL)

    with pytest.raises(
        ValueError, match=r"p_slice_1\.h5: image claims shape \(8, 7\), more than 55"
    ):
        only(tmp_path)


def test_images_of_the_ends_that_together_are_too_many_voxels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.exchange.readers.nifti.MOST_VOXELS", 2 * CINE[..., 0].size - 1)
    ends(tmp_path / "7")

    with pytest.raises(ValueError, match=r"sa_ED\.nii\.gz: 2 files of \d+ voxels together"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"image": SLICE[:, :5]}, "p: its slices are of different size"),
        ({"image": SLICE}, "p: some of its slices have no label"),
        (
            {"image": SLICE, "label": LABEL[:5]},
            r"p_slice_2\.h5: label \(1, 5, 7\), image \(1, 8, 7\)",
        ),
        ({"image": SLICE * np.nan, "label": LABEL}, r"p_slice_2\.h5: image holds values that are"),
    ],
)
def test_slices_that_do_not_fit_are_refused(tmp_path, second, message):
    h5(tmp_path / "p_slice_1.h5", image=SLICE, label=LABEL)
    h5(tmp_path / "p_slice_2.h5", **second)

    with pytest.raises(ValueError, match=message):
        only(tmp_path)


@pytest.mark.parametrize(
    ("name", "split"), [("train", "train"), ("val", "validation"), ("test", "test")]
)
def test_a_list_gives_volumes_their_split(tmp_path, name, split):
    h5(tmp_path / "p.h5", image=SLICE[None].repeat(3, 0))
    (tmp_path / f"{name}.list").write_text("p\n")

    assert only(tmp_path).split == split


def test_studies_that_a_list_names_and_nobody_has_are_told(tmp_path):
    h5(tmp_path / "p.h5", image=SLICE[None].repeat(3, 0))
    (tmp_path / "train_slices.list").write_text("q_slice_1\nq_slice_2\np_slice_1\n")
    (tmp_path / "test.list").write_text("r\np.h5\n")

    refusals = {one.name: one.reason for one in find(tmp_path).refusals}
    assert refusals == {
        "q": "train_slices.list names it, and there is no such file",
        "r": "test.list names it, and there is no such file",
    }


def test_the_axes_of_normalised_volumes_are_reversed(tmp_path):
    volume = np.random.default_rng(0).random((5, 6, 7), np.float32)
    h5(tmp_path / "X" / "mri_norm2.h5", image=volume, label=(volume > 0.5).astype(np.uint8))
    study = only(tmp_path)

    np.testing.assert_array_equal(study.image[0, 0], volume.T)
    np.testing.assert_array_equal(study.labels[0], volume.T > 0.5)
