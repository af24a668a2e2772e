import json

import numpy as np
import pytest
from source_builders import SHAPE, heart, pixels, save

from semiqc.exchange.readers import READERS, find
from semiqc.exchange.readers.nnunet import read_description
from semiqc.images.raw import UnusableError
from semiqc.schemes import SHORT_AXIS, UNLABELLED, Measure, Structure

V2 = {
    "channel_names": {"0": "T1", "1": "FLAIR"},
    "labels": {"background": 0, "edema": 1, "core": 2, "ignore": 3},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def dataset(root, description=None, *, case="BRATS_01", ending=".nii.gz"):
    folder = root / "Dataset001_Brain"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(V2 if description is None else description))
    for channel in (0, 1):
        volume = pixels(channel)[..., 0]
        save(folder / "imagesTr" / f"{case}_{channel:04d}{ending}", volume)
        save(folder / "imagesTs" / f"{case}T_{channel:04d}{ending}", volume + 1)
    save(folder / "labelsTr" / f"{case}{ending}", heart())
    return folder


def entries(source):
    return {entry.name: entry for entry in find(source).entries}


def test_channels_become_modalities_and_the_ignore_label_unlabelled(tmp_path):
    folder = dataset(tmp_path)
    study = entries(folder)["BRATS_01"].read(True)

    expected = np.where(heart().T == 3, UNLABELLED, heart().T.astype(np.int8))
    np.testing.assert_array_equal(study.labels[0], expected)
    assert study.image.shape == (2, 1, *SHAPE[::-1])
    for channel in (0, 1):
        np.testing.assert_array_equal(study.image[channel, 0], pixels(channel)[..., 0].T)
    assert study.split == "train"
    assert find(folder).modalities == ("T1", "FLAIR")


@pytest.mark.parametrize("value", [True, 1.5, None])
def test_a_label_value_that_is_no_whole_number_is_refused(tmp_path, value):
    labels = {"background": 0, "edema": value, "core": 2}

    with pytest.raises(ValueError, match=f"dataset.json: .*whole number, got {value}"):
        find(dataset(tmp_path, {**V2, "labels": labels}))


def test_images_without_labels_are_of_the_test_split(tmp_path):
    study = entries(dataset(tmp_path))["BRATS_01T"].read(True)

    assert study.split == "test"
    assert (study.labels == UNLABELLED).all()
    assert study.warnings == ()


def test_labels_of_the_test_split_are_read_where_they_are(tmp_path):
    folder = dataset(tmp_path)
    save(folder / "labelsTs" / "BRATS_01T.nii.gz", heart() % 3)

    np.testing.assert_array_equal(entries(folder)["BRATS_01T"].read(True).labels[0], heart().T % 3)


def test_the_scheme_is_that_of_the_description(tmp_path):
    scheme = find(dataset(tmp_path)).scheme

    assert scheme.name == "Dataset001_Brain"
    assert scheme.classes == ("background", "edema", "core")
    assert scheme.structures == (
        Structure("edema", (1,), Measure.VOLUME),
        Structure("core", (2,), Measure.VOLUME),
    )


@pytest.mark.parametrize(
    ("labels", "meaning"),
    [
        ({"RV": 1, "MLV": 2, "LVC": 3}, {0: 0, 1: 1, 2: 2, 3: 3}),
        ({"LV": 1, "Myo": 2, "RV": 3, "ignore": 4}, {0: 0, 1: 3, 2: 2, 3: 1, 4: UNLABELLED}),
        ({"left ventricle": 2, "Right_Ventricle": 5, "Myocardium": 1}, {0: 0, 2: 3, 5: 1, 1: 2}),
        ({"RV": 1, "MYO": 2, "LV": 3, "LA": 4}, None),
        ({"RV": 1, "MYO": 2}, None),
        ({"RV": [1, 2], "MYO": 2, "LV": 3}, None),
        ({"LV": 1, "LVC": 2, "MYO": 3}, None),
        ({"LV": 1, "MYO": 1, "RV": 2}, None),
    ],
)
def test_labels_of_a_heart_are_those_of_the_short_axis(tmp_path, labels, meaning):
    content = {"channel_names": {"0": "cine"}, "labels": {"background": 0} | labels}
    path = tmp_path / "Dataset027_ACDC" / "dataset.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    found = read_description(path)

    assert (found.scheme == SHORT_AXIS) == (meaning is not None)
    assert meaning is None or found.meaning == meaning


def test_the_order_of_labels_in_the_description_does_not_count(tmp_path):
    turned = V2 | {"labels": dict(reversed(V2["labels"].items()))}

    schemes = [
        find(dataset(tmp_path / name, text)).scheme for name, text in (("a", V2), ("b", turned))
    ]

    assert schemes[0] == schemes[1]


def test_regions_are_structures_of_several_values(tmp_path):
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3]}
    folder = dataset(tmp_path, V2 | {"labels": labels})
    listing = find(folder)

    assert listing.scheme.classes == ("background", "label 1", "label 2", "enhancing")
    assert listing.scheme.structure("whole").values == (1, 2, 3)
    np.testing.assert_array_equal(entries(folder)["BRATS_01"].read(True).labels[0], heart().T)


def test_a_description_of_the_first_version_is_read(tmp_path):
    labels = {"0": "background", "1": "a", "3": "b"}
    old = {"modality": {"0": "T1", "1": "FLAIR"}, "labels": labels}
    listing = find(dataset(tmp_path, old))

    assert listing.scheme.classes == ("background", "a", "label 2", "b")
    assert listing.modalities == ("T1", "FLAIR")


def test_another_scheme_may_be_named(tmp_path):
    description = V2 | {"labels": {"background": 0, "RV": 1, "MLV": 2, "LVC": 3}}

    assert find(dataset(tmp_path, description), scheme=SHORT_AXIS).scheme is SHORT_AXIS


def test_a_missing_channel_is_named(tmp_path):
    folder = dataset(tmp_path)
    (folder / "imagesTr" / "BRATS_01_0001.nii.gz").unlink()

    assert find(folder).refusals[0].reason == "BRATS_01_0001.nii.gz: missing"


def test_a_training_case_without_labels_is_taken_as_unlabelled_and_told(tmp_path):
    folder = dataset(tmp_path)
    (folder / "labelsTr" / "BRATS_01.nii.gz").unlink()
    study = entries(folder)["BRATS_01"].read(True)

    assert (study.labels == UNLABELLED).all()
    assert "without a file in labelsTr" in study.warnings[0]


@pytest.mark.parametrize(
    ("name", "voxels", "message"),
    [
        ("imagesTr/BRATS_01_0001", pixels(1)[:, :, :2, 0], r"_0001.nii.gz: shape \(7, 6, 2\)"),
        ("imagesTr/BRATS_01_0000", pixels(1), "_0000.nii.gz: expected 3-D"),
        ("labelsTr/BRATS_01", heart((1, 2, 9)), "unknown label values 9; known are 0, 1, 2, 3"),
    ],
)
def test_a_case_that_cannot_be_used_is_told_in_one_line(tmp_path, name, voxels, message):
    folder = dataset(tmp_path)
    save(folder / f"{name}.nii.gz", voxels)

    with pytest.raises(UnusableError, match=message):
        entries(folder)["BRATS_01"].read(True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file_ending": ".png"}, "files end in .png, expected .nii.gz or .nii"),
        ({"labels": {"background": 0, "a": "x"}}, "expected channel_names, labels"),
        ({"labels": 5}, "expected channel_names, labels"),
        ({"labels": {"background": 0, "far": 200}}, "labels must lie between 1 and 126"),
        ({"labels": {"background": 0}}, "labels must lie between 1 and 126"),
        ({"channel_names": {}}, "names no channel"),
        ({"channel_names": ["T1"]}, "expected channel_names"),
    ],
)
def test_a_description_that_cannot_be_understood_is_named(tmp_path, change, message):
    folder = dataset(tmp_path, V2 | change)

    with pytest.raises(ValueError, match=rf"dataset\.json: {message}"):
        find(folder)


def test_a_description_that_is_no_json_is_named(tmp_path):
    folder = dataset(tmp_path)
    (folder / "dataset.json").write_text("{")

    with pytest.raises(ValueError, match=r"dataset\.json: not JSON \(Expecting"):
        find(folder)


def test_a_folder_of_one_data_set_is_taken_and_of_two_refused(tmp_path):
    folder = dataset(tmp_path)
    assert READERS["nnunet"].recognises(tmp_path)
    assert set(entries(tmp_path)) == {"BRATS_01", "BRATS_01T"}

    folder.rename(tmp_path / "Dataset002_Other")
    dataset(tmp_path)
    with pytest.raises(ValueError, match=r"one data set .* got Dataset001_Brain, Dataset"):
        find(tmp_path)


def test_uncompressed_files_are_read(tmp_path):
    folder = dataset(tmp_path, V2 | {"file_ending": ".nii"}, ending=".nii")

    assert entries(folder)["BRATS_01"].read(True).image.shape[0] == 2
