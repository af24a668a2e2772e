import numpy as np
import pytest

from qc.base import Quality
from qc.correction import corrected_areas, corrected_curves
from semiqc.schemes import AORTA, SHORT_AXIS
from semiqc.study import Prediction

GOOD = 0.9
NAN = np.nan


def corrected(areas, dice):
    """Of one structure in one frame."""
    found = corrected_areas(np.array([[areas]], float), np.array([[dice]], float))
    return found.areas[0, 0].tolist(), np.flatnonzero(found.is_replaced[0]).tolist()


def test_a_wrong_slice_gets_the_mean_of_its_neighbours():
    found = corrected([50, 40, 99, 20, 10], [GOOD, GOOD, 0.1, GOOD, GOOD])

    assert found == ([50, 40, (40 + 20) / 2, 20, 10], [2])


def test_a_dice_at_the_threshold_is_not_wrong():
    assert corrected([50, 99, 20], [GOOD, 0.3, GOOD]) == ([50, 99, 20], [])


def test_a_slice_missing_in_the_middle_is_wrong_whatever_its_dice():
    assert corrected([50, 0, 20], [GOOD, NAN, GOOD]) == ([50, 35, 20], [1])


def test_the_most_basal_and_apical_slices_are_never_replaced():
    areas = [0, 50, 40, 30, 0]

    assert corrected(areas, [0, 0.1, GOOD, 0.1, 0]) == (areas, [])


def test_a_wrong_slice_at_the_end_is_no_neighbour():
    assert corrected([70, 99, 40, 20], [0.1, 0.1, GOOD, GOOD]) == ([70, 40, 40, 20], [1])


def test_two_wrong_slices_get_the_nearest_good_ones():
    found = corrected([60, 99, 0, 20, 10], [GOOD, 0.1, 0.0, GOOD, GOOD])

    assert found == ([60, 40, 40, 20, 10], [1, 2])


def test_without_a_good_neighbour_a_slice_is_left_as_it_is():
    assert corrected([60, 99, 20], [0.1, 0.1, 0.1]) == ([60, 99, 20], [])


def test_a_slice_of_unknown_dice_is_left_and_may_stand_in():
    assert corrected([60, 99, 20], [NAN, NAN, GOOD]) == ([60, 99, 20], [])
    assert corrected([60, 99, 20], [NAN, 0.1, GOOD]) == ([60, 40, 20], [1])


def test_a_slice_that_was_not_measured_is_neither_replaced_nor_a_neighbour():
    areas, replaced = corrected([60, NAN, 99, 20], [GOOD, GOOD, 0.1, GOOD])

    assert replaced == [2]
    np.testing.assert_array_equal(areas, [60, NAN, 40, 20])
    assert corrected([60, 30, NAN, 20], [GOOD, GOOD, 0.1, GOOD])[1] == []


def test_a_slice_beyond_the_heart_is_no_neighbour():
    assert corrected([60, 99, 20, 0], [GOOD, 0.1, 0.1, NAN]) == ([60, 60, 20, 0], [1])


def test_an_empty_frame_is_left_as_it_is():
    assert corrected([0, 0, 0], [0, 0, 0]) == ([0, 0, 0], [])


def test_a_slice_wrong_in_one_structure_is_replaced_in_all():
    # The second structure ends before the last slice, and is not missed there.
    areas = np.array([[[50, 99, 30, 20]], [[16, 14, 12, 0]]], float)
    dice = np.array([[[GOOD, 0.1, GOOD, GOOD]], [[GOOD, GOOD, GOOD, NAN]]])

    found = corrected_areas(areas, dice)

    np.testing.assert_array_equal(found.areas, [[[50, 40, 30, 20]], [[16, 14, 12, 0]]])
    np.testing.assert_array_equal(found.is_replaced, [[False, True, False, False]])


def test_frames_are_corrected_each_by_itself():
    areas = np.array([[[50, 99, 30], [20, 15, 10]]], float)
    dice = np.array([[[GOOD, 0.1, GOOD], [GOOD, GOOD, GOOD]]])

    found = corrected_areas(areas, dice)

    np.testing.assert_array_equal(found.areas, [[[50, 40, 30], [20, 15, 10]]])


def test_what_came_in_stays_as_it_was():
    areas = np.array([[[50.0, 99.0, 30.0]]])

    corrected_areas(areas, np.array([[[GOOD, 0.1, GOOD]]]))

    assert areas.tolist() == [[[50.0, 99.0, 30.0]]]


def test_axes_that_disagree_are_refused():
    with pytest.raises(ValueError, match=r"got shapes \(1, 2, 3\) and \(1, 3, 3\)"):
        corrected_areas(np.ones((1, 2, 3)), np.ones((1, 3, 3)))


def cavity(*sizes):
    """A prediction ``[T, Z, 5, 12]`` with so many voxels of LV, of 8 x 2 x 1.25 mm, in a slice."""
    value = SHORT_AXIS.structure("LV").values[0]
    counts = np.array(sizes)
    labels = np.zeros((*counts.shape, 5, 12), np.int8)
    flat = labels.reshape(*counts.shape, -1)
    flat[np.arange(60) < counts[..., None]] = value
    return Prediction("a", np.zeros((1, *labels.shape), np.float32), labels, (8.0, 2.0, 1.25))


def judged(lv_dice):
    lv = np.array(lv_dice, float)
    nothing = np.full_like(lv, np.nan)
    return Quality("a", 0.5, slice_dice={"LV": lv, "MYO": nothing, "RV": nothing})


def test_volumes_and_ejection_fraction_are_given_with_and_without_correction():
    prediction = cavity((40, 0, 20), (20, 15, 10))
    quality = judged([[GOOD, 0.0, GOOD], [GOOD, GOOD, GOOD]])

    found = corrected_curves(prediction, quality, SHORT_AXIS)

    # A voxel is 8 x 2 x 1.25 mm3 = 0.02 ml; (40 + 20) / 2 = 30 voxels stand in for none.
    np.testing.assert_allclose(found.before["LV"], [60 * 0.02, 45 * 0.02])
    np.testing.assert_allclose(found.after["LV"], [90 * 0.02, 45 * 0.02])
    assert found.ejection_fraction_before["LV"] == pytest.approx(100 * 15 / 60)
    assert found.ejection_fraction_after["LV"] == pytest.approx(100 * 45 / 90)
    np.testing.assert_array_equal(found.is_replaced, [[False, True, False], [False] * 3])
    # No RV was found, so nothing can be said of its ejection.
    assert np.isnan(found.ejection_fraction_after["RV"])
    assert "MYO" not in found.ejection_fraction_after


def test_one_frame_has_no_ejection_fraction():
    found = corrected_curves(cavity((40, 30, 20)), judged([[GOOD] * 3]), SHORT_AXIS)

    assert np.isnan(found.ejection_fraction_before["LV"])


def test_an_area_is_the_mean_over_slices_in_mm2():
    labels = np.zeros((2, 1, 4, 5), np.int8)
    labels[0, 0, 1:3, 1:4] = 1
    prediction = Prediction("a", np.zeros((1, 2, 1, 4, 5)), labels, (9.0, 2.0, 1.5))
    quality = Quality("a", 0.5, slice_dice={"aorta": np.zeros((2, 1))})

    found = corrected_curves(prediction, quality, AORTA)

    # 2 x 3 pixels of 2 x 1.5 mm; a single slice is first and last, and is left as it is.
    np.testing.assert_allclose(found.after["aorta"], [6 * 3.0, 0])
    assert found.ejection_fraction_after == {}


def test_a_quality_that_does_not_fit_is_refused():
    prediction = cavity((40, 30, 20))

    with pytest.raises(ValueError, match="a: the quality is of b"):
        corrected_curves(prediction, Quality("b", 0.5), SHORT_AXIS)
    with pytest.raises(ValueError, match="a: no Dice of slices of LV, MYO, RV"):
        corrected_curves(prediction, Quality("a", 0.5), SHORT_AXIS)
