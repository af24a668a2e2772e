"""Papillary muscles and trabeculae: cavity, a class of their own, or not there."""

import hashlib

import numpy as np
import pytest

from semiqc.cli.app import main
from semiqc.files.store.reader import Store
from semiqc.phantom import short_axis_study
from semiqc.phantom.muscles import MUSCLE, WITH_MUSCLES, muscle_labels
from semiqc.schemes import SHORT_AXIS

LV = 3
BEFORE = "0f8717a7471a808a"


def study_of(**options):
    return short_axis_study(
        3, group="NOR", size=64, slices=5, frames=2, spacing=(14.0, 2.6, 2.6), artefacts=0,
        **options,
    )  # fmt: skip


def voxels(mask):
    """Of each frame."""
    return mask.sum(axis=(1, 2, 3))


@pytest.fixture(scope="module")
def studies():
    return {name: study_of(papillary=name) for name in ("cavity", "class", "none")}


def test_by_default_they_are_in_the_image_and_cavity(studies):
    usual = study_of()

    np.testing.assert_array_equal(usual.image, studies["cavity"].image)
    np.testing.assert_array_equal(usual.labels, studies["cavity"].labels)
    assert set(np.unique(usual.labels)) == {0, 1, 2, LV}
    # As phantoms were before there was a choice; labels are whole numbers on any machine.
    assert hashlib.sha256(usual.labels.tobytes()).hexdigest()[:16] == BEFORE


def test_as_a_class_they_still_count_in_the_cavity(studies):
    usual, own = studies["cavity"], studies["class"]

    np.testing.assert_array_equal(own.image, usual.image)
    np.testing.assert_array_equal(np.where(own.labels == MUSCLE, LV, own.labels), usual.labels)
    (cavity,) = (part for part in WITH_MUSCLES.structures if part.name == "LV")
    whole = voxels(cavity.mask(own.labels))
    np.testing.assert_array_equal(whole, voxels(usual.labels == LV))
    muscle = voxels(own.labels == MUSCLE)
    assert ((0.03 * whole < muscle) & (muscle < 0.5 * whole)).all()


def test_what_is_labelled_muscle_is_darker_than_blood_and_not_outside_the_cavity(studies):
    own = studies["class"]
    image = own.image[0]

    dark, blood = image[own.labels == MUSCLE].mean(), image[own.labels == LV].mean()
    assert dark < 0.8 * blood
    # Without muscles the same voxels are blood.
    bright = studies["none"].image[0][own.labels == MUSCLE].mean()
    assert bright > 0.9 * blood


def test_without_them_the_image_differs_and_the_reference_does_not(studies):
    usual, bare = studies["cavity"], studies["none"]

    np.testing.assert_array_equal(bare.labels, usual.labels)
    change = np.abs(bare.image - usual.image)[0]
    assert change[usual.labels == LV].mean() > 10 * change[usual.labels == 0].mean()


def test_muscle_fills_more_than_half_of_the_cavity_in_a_voxel():
    labels = np.array([[[LV, LV, LV, 2]]], np.int8)
    lv = np.array([[[1.0, 1.0, 0.8, 0.3]]], np.float32)
    muscle = np.array([[[0.6, 0.5, 0.45, 0.3]]], np.float32)

    assert muscle_labels(labels, muscle, lv).ravel().tolist() == [MUSCLE, LV, MUSCLE, 2]


def test_the_command_writes_a_store_with_the_class(tmp_path, capsys):
    small = ["--size", "32", "--slices", "3", "--frames", "2", "--studies", "1"]
    path = tmp_path / "own.h5"
    assert main(["phantom", str(path), *small, "--papillary", "class"]) == 0
    assert main(["phantom", str(tmp_path / "usual.h5"), *small]) == 0

    assert Store(path).scheme == WITH_MUSCLES
    assert (Store(path).study("phantom-0001").labels[:] == MUSCLE).any()
    assert Store(tmp_path / "usual.h5").scheme == SHORT_AXIS
    for wrong in (["--papillary", "blood"], ["--papillary", "none", "--kind", "aorta"]):
        assert main(["phantom", str(tmp_path / "no.h5"), *small, *wrong]) == 2
    said = capsys.readouterr().err
    assert "unknown papillary 'blood'; known: cavity, class, none" in said
    assert "papillary 'none' is for short-axis phantoms, not for 'aorta'" in said
