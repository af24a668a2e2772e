import math

import numpy as np
import pytest

from semiqc.measuring.metrics import METRICS, dice, overlap
from semiqc.schemes import SHORT_AXIS, UNLABELLED, LabelScheme, Structure

SPACING = (8.0, 1.5, 1.25)
ONE = LabelScheme("one", ("background", "disc"), (Structure("disc", (1,)),))
SHAPE = (3, 20, 24)


def box(z, y, x, shape=SHAPE):
    labels = np.zeros(shape, dtype=np.int8)
    labels[slice(*z), slice(*y), slice(*x)] = 1
    return labels


def figures(*numbers):
    return dict(zip(METRICS, numbers, strict=True))


def of_disc(predicted, reference, **settings):
    return overlap(predicted, reference, SPACING, ONE, **settings)["disc"]


def test_dice_of_half_overlap_by_hand():
    reference = np.array([[[1, 1, 0, 0]]], dtype=np.int8)
    predicted = np.array([[[0, 1, 1, 0]]], dtype=np.int8)

    assert dice(predicted, reference, ONE.structures[0]) == pytest.approx(2 * 1 / (2 + 2))


def test_a_structure_is_the_union_of_its_values():
    whole = Structure("whole", (1, 2))
    reference = np.array([[[1, 2, 0]]], dtype=np.int8)
    predicted = np.array([[[2, 1, 0]]], dtype=np.int8)

    assert dice(predicted, reference, whole) == 1
    assert dice(predicted, reference, Structure("first", (1,))) == 0


def test_a_perfect_segmentation_has_no_distance():
    labels = box((0, 2), (4, 9), (5, 12))

    assert of_disc(labels, labels) == figures(1, 1, 0)


def test_hausdorff_distance_is_in_mm_along_each_axis():
    reference = box((1, 2), (8, 11), (8, 12))

    for axis, millimetres in enumerate(SPACING):
        predicted = np.roll(reference, 1, axis=axis)
        assert of_disc(predicted, reference)["hd95_mm"] == pytest.approx(millimetres)


def test_surface_dice_forgives_up_to_the_tolerance():
    reference = box((0, 2), (5, 9), (5, 12))
    predicted = np.roll(reference, 1, axis=2)

    assert of_disc(predicted, reference, tolerance_mm=1.25)["nsd"] == 1
    assert of_disc(predicted, reference, tolerance_mm=1.24)["nsd"] < 1


def test_a_single_slice_is_compared_by_its_contour():
    # Outermost pixels of 6 x 6: 20; shifted by one column, 6 of them leave on the left and 6 come
    # on the right; of the rest, rows y = 0 and y = 5 overlap in 5 pixels each.
    shape = (1, 20, 24)
    reference = box((0, 1), (5, 11), (5, 11), shape)
    predicted = box((0, 1), (5, 11), (6, 12), shape)

    found = of_disc(predicted, reference, tolerance_mm=0)

    assert found["nsd"] == pytest.approx((10 + 10) / (20 + 20))
    assert found["hd95_mm"] == pytest.approx(1.25)


def test_what_lies_far_from_the_structure_changes_nothing():
    small = [box((0, 2), (5, 9), (5, 12)), box((0, 2), (6, 9), (5, 13))]
    large = [np.pad(labels, ((0, 0), (30, 7), (11, 40))) for labels in small]

    assert of_disc(*small) == of_disc(*large)


def test_a_structure_in_neither_has_nothing_to_agree_on():
    empty = np.zeros(SHAPE, dtype=np.int8)

    assert all(math.isnan(value) for value in of_disc(empty, empty).values())
    assert math.isnan(dice(empty, empty, ONE.structures[0]))


@pytest.mark.parametrize("is_missed", [True, False])
def test_a_structure_in_only_one_scores_worst(is_missed):
    pair = [np.zeros(SHAPE, dtype=np.int8), box((0, 1), (5, 9), (5, 12))]
    diagonal = math.hypot(3 * 8.0, 20 * 1.5, 24 * 1.25)

    found = of_disc(*(pair if is_missed else pair[::-1]))

    assert found == figures(0, 0, pytest.approx(diagonal))
    assert dice(*pair, ONE.structures[0]) == dice(*pair[::-1], ONE.structures[0]) == 0


def test_unlabelled_voxels_are_ignored():
    reference = box((0, 2), (5, 9), (5, 12))
    predicted = reference.copy()
    predicted[:, :, 15:] = 1
    reference[:, :, 15:] = UNLABELLED

    assert of_disc(predicted, reference) == figures(1, 1, 0)
    assert dice(predicted, reference, ONE.structures[0]) == 1


def test_a_frame_without_labels_says_nothing():
    reference = np.full(SHAPE, UNLABELLED, dtype=np.int8)

    found = of_disc(box((0, 1), (5, 9), (5, 12)), reference)

    assert all(math.isnan(value) for value in found.values())


def test_every_structure_of_the_scheme_is_compared():
    labels = np.zeros(SHAPE, dtype=np.int8)
    labels[1, 4:8, 4:8] = 3

    found = overlap(labels, labels, SPACING, SHORT_AXIS)

    assert list(found) == ["LV", "MYO", "RV"]
    assert found["LV"]["dice"] == 1
    assert math.isnan(found["RV"]["dice"])


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 20, 24\), reference has \(1, 20, 24\)"):
        of_disc(np.zeros(SHAPE, dtype=np.int8), np.zeros((1, 20, 24), dtype=np.int8))
    with pytest.raises(ValueError, match=r"axes \[Z, Y, X\], got shape \(20, 24\)"):
        of_disc(np.zeros((20, 24), dtype=np.int8), np.zeros((20, 24), dtype=np.int8))
