import numpy as np
import pytest

from semiqc.images.resampling import (
    length_at,
    map_to_source,
    resample_image,
    resample_labels,
    to_source,
)
from semiqc.schemes import UNLABELLED
from semiqc.study import Geometry

NATIVE = (1.4, 1.2)
Y, X = 40, 50


def disc(shape=(Y, X), spacing=NATIVE, radius_mm=14.0):
    """A ring (2) around a disc (3) in the middle of a slice."""
    y, x = ((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing, strict=True))
    distance = np.hypot(y[:, None], x)
    return np.select([distance < 0.6 * radius_mm, distance < radius_mm], [3, 2], 0).astype(np.int8)


def waves(shape=(Y, X), spacing=NATIVE):
    """A smooth pattern that is a function of the place in mm, seen from the centre."""
    y, x = ((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing, strict=True))
    return np.sin(y[:, None] / 9) + np.cos(x / 7)


def dice(a, b, value):
    return 2 * ((a == value) & (b == value)).sum() / ((a == value).sum() + (b == value).sum())


def test_the_grid_covers_the_field_of_view():
    assert length_at(100, 1.5, 1.5) == 100
    assert length_at(100, 1.5, 1.0) == 150
    assert length_at(100, 1.5, 1.4) == 108
    assert length_at(1, 0.1, 5.0) == 1


def test_the_same_spacing_leaves_everything_as_it_is():
    image = np.random.default_rng(0).normal(size=(2, Y, X)).astype(np.float32)
    labels = disc()[None]

    np.testing.assert_array_equal(resample_image(image, NATIVE, NATIVE), image)
    np.testing.assert_array_equal(resample_labels(labels, NATIVE, NATIVE), labels)


@pytest.mark.parametrize("target", [(1.0, 1.0), (1.9, 1.9)])
def test_an_image_keeps_its_place(target):
    found = resample_image(waves(), NATIVE, target)
    expected = waves(found.shape, target)

    inner = (slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.01)


def test_a_shrunk_image_does_not_alias():
    stripes = np.tile([0.0, 1.0], (Y, X // 2 + 1))[:, : X + 1]
    found = resample_image(stripes, (1, 1), (3, 3))

    np.testing.assert_allclose(found[:, 2:-2], 0.5, atol=0.1)


def test_a_constant_image_stays_constant_to_its_border():
    found = resample_image(np.full((Y, X), 7.0), NATIVE, (2.3, 0.9))

    np.testing.assert_allclose(found, 7, rtol=1e-6)


@pytest.mark.parametrize("target", [(0.9, 0.9), (1.7, 1.7)])
def test_labels_keep_their_place_and_size(target):
    found = resample_labels(disc(), NATIVE, target)
    expected = disc(found.shape, target)

    for value in (2, 3):
        assert dice(found, expected, value) > 0.96
    assert set(np.unique(found)) == {0, 2, 3}


def test_no_value_is_made_up_between_two_others():
    labels = np.zeros((Y, X), np.int8)
    labels[:, X // 2 :] = 3

    assert set(np.unique(resample_labels(labels, NATIVE, (0.7, 0.7)))) == {0, 3}


def test_unlabelled_voxels_are_a_value_like_any_other():
    labels = np.where(disc() == 3, 3, UNLABELLED).astype(np.int8)
    found = resample_labels(labels, NATIVE, (1.0, 1.0))

    assert set(np.unique(found)) == {UNLABELLED, 3}
    assert (resample_labels(np.full_like(labels, UNLABELLED), NATIVE, (1, 1)) == -1).all()


@pytest.mark.parametrize("study_mm", [0.8, 1.2, 1.3, 1.9])
def test_labels_return_to_exactly_the_grid_they_came_from(study_mm):
    labels = np.stack([disc(), np.zeros((Y, X), np.int8), disc(radius_mm=9)])
    geometry = Geometry(
        np.eye(4),
        (X, Y, 3),
        to_source={"source_spacing": [8, *NATIVE], "study_spacing": [8, study_mm, study_mm]},
    )
    back = to_source(resample_labels(labels, NATIVE, (study_mm, study_mm)), geometry)

    assert back.shape == labels.shape
    assert (back[1] == 0).all()
    for value in (2, 3):
        assert dice(back, labels, value) > (0.98 if study_mm < 1.4 else 0.85)


def test_labels_that_are_not_of_the_source_are_refused():
    geometry = Geometry(np.eye(4), (X, Y, 3), "a.nii")
    with pytest.raises(ValueError, match=r"a\.nii: labels have 2 slices, the source has 3"):
        to_source(np.zeros((2, Y, X), np.int8), geometry)
    with pytest.raises(ValueError, match=r"a\.nii: labels of \(50, 40\) pixels"):
        to_source(np.zeros((3, X, Y), np.int8), geometry)


@pytest.mark.parametrize("study_mm", [0.8, 1.9])
def test_a_map_returns_to_where_its_labels_return(study_mm):
    geometry = Geometry(
        np.eye(4),
        (X, Y, 1),
        to_source={"source_spacing": [8, *NATIVE], "study_spacing": [8, study_mm, study_mm]},
    )
    off_centre = np.roll(disc(), (6, -4), axis=(0, 1))
    labels = resample_labels(off_centre[None], NATIVE, (study_mm, study_mm))
    back = map_to_source((labels == 3).astype(np.float16), geometry)

    assert back.shape == (1, Y, X)
    assert back.dtype == np.float32
    assert (back.min(), back.max()) == pytest.approx((0, 1))
    # A voxel that the cavity covers by more than half can have no other label.
    assert (to_source(labels, geometry)[back > 0.51] == 3).all()
    assert (to_source(labels, geometry)[back < 0.3] != 3).all()


def test_a_map_on_the_grid_of_its_source_is_left_as_it_is():
    values = np.random.default_rng(0).random((3, Y, X))
    np.testing.assert_allclose(map_to_source(values, Geometry(np.eye(4), (X, Y, 3))), values)

    with pytest.raises(ValueError, match=r"a\.nii: values have 2 slices, the source has 3"):
        map_to_source(values[:2], Geometry(np.eye(4), (X, Y, 3), "a.nii"))
