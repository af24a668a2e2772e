import numpy as np

from segmenters import largest_components
from semiqc.schemes import SHORT_AXIS


def test_each_class_keeps_its_largest_component():
    labels = np.zeros((2, 5, 6), np.int8)
    labels[0, 0, 0] = labels[0, 4, 2:5] = 3
    labels[1, 0, 0:2] = 1
    cleaned = largest_components(labels, SHORT_AXIS)

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
