from dataclasses import replace

import numpy as np

from segmenters import largest_components
from segmenters.components import main_piece
from semiqc.schemes import SHORT_AXIS

APART = replace(SHORT_AXIS, one_piece=False)


def test_each_class_keeps_its_largest_component():
    labels = np.zeros((2, 5, 6), np.int8)
    labels[0, 0, 0] = labels[0, 4, 2:5] = 3
    labels[1, 0, 0:2] = 1
    cleaned = largest_components(labels, APART)

    expected = labels.copy()
    expected[0, 0, 0] = 0
    np.testing.assert_array_equal(cleaned, expected)
    assert labels[0, 0, 0] == 3


def test_slices_that_touch_by_a_face_hang_together_and_corners_do_not():
    labels = np.zeros((2, 4, 5), np.int8)
    labels[:, 1, 1] = 3
    labels[0, 2, 2] = 3

    assert largest_components(labels, SHORT_AXIS)[0, 2, 2] == 0
    assert (largest_components(labels, SHORT_AXIS)[:, 1, 1] == 3).all()


def test_nothing_stays_nothing():
    assert not largest_components(np.zeros((1, 2, 3), np.int8), SHORT_AXIS).any()


def test_what_lies_apart_from_a_heart_is_not_kept_in_a_ventricles_place():
    labels = np.zeros((1, 5, 12), np.int8)
    labels[0, 1:4, 1:4] = 2
    labels[0, 2, 2] = 3
    labels[0, 2, 4] = 1
    labels[0, 1:4, 8:10] = 1
    cleaned = largest_components(labels, SHORT_AXIS)

    assert [int((cleaned == value).sum()) for value in (1, 2, 3)] == [1, 8, 1]
    assert (largest_components(labels, APART) == 1).sum() == 6


def test_the_main_piece_has_all_structures_rather_than_many_voxels_of_one():
    labels = np.zeros((2, 1, 6, 30), np.int8)
    labels[:, 0, 1:5, 1:5] = 2
    labels[0, 0, 2:4, 2:4] = 3
    labels[:, 0, 2:4, 5] = 1
    labels[:, 0, :, 10:] = 2
    main = main_piece(labels, 4)

    assert main[0, 2, 2]
    assert not main[..., 10:].any()
    assert main_piece((labels > 0).astype(np.int8), 2)[..., 10:].all()
    assert not main_piece(np.zeros_like(labels), 4).any()
