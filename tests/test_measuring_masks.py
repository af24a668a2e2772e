import numpy as np

from semiqc.measuring.masks import (
    frame_dice,
    from_first_to_last,
    mask_dice,
    slice_areas,
    slice_dice,
)
from semiqc.schemes import SHORT_AXIS


def test_dice_of_masks_by_frame_by_slice_and_of_all():
    predicted, reference = np.zeros((2, 2, 3, 1, 4), bool)
    predicted[0, 0, 0, :2] = reference[0, 0, 0, 1:] = True
    predicted[0, 1, 0, :] = True

    np.testing.assert_array_equal(slice_dice(predicted, reference)[0], [2 / 5, 0, np.nan])
    np.testing.assert_array_equal(frame_dice(predicted, reference), [2 / 9, np.nan])
    assert mask_dice(predicted, reference) == 2 / 9


def test_from_the_first_slice_to_the_last():
    found = np.array([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]], bool)

    expected = [[0, 1, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    np.testing.assert_array_equal(from_first_to_last(found), np.array(expected, bool))


def test_areas_of_slices_count_voxels():
    labels = np.zeros((2, 3, 2, 2), np.int8)
    labels[1, 2] = [[3, 3], [2, 1]]

    areas = slice_areas(labels, SHORT_AXIS)

    assert areas.shape == (3, 2, 3)
    assert areas[:, 1, 2].tolist() == [2, 1, 1]
    assert areas.sum() == 4
