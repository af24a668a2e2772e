from dataclasses import replace

import numpy as np
import pytest

from qc.graded.seggen import SegGen, displacement, rotation, sampled
from semiqc.schemes import UNLABELLED
from semiqc.study import Study

STILL = SegGen(rotation=0, scale=(1, 1), shift=0, elastic=0, probability=1)
SPACING = (8.0, 1.0, 1.0)


def block(shape=(3, 40, 50), rows=(15, 25), columns=(20, 32)):
    labels = np.zeros(shape, np.int8)
    labels[:, slice(*rows), slice(*columns)] = 2
    return labels


def study_of(labels, name="a"):
    return Study(name, np.zeros((1, *labels.shape), np.float32), labels, SPACING)


def moved(source, labels, seed=0, spacing=SPACING):
    return source.moved(labels, spacing, np.random.default_rng(seed))


def area(labels):
    return int((labels == 2).sum())


def centre(labels):
    return np.argwhere(labels == 2).mean(axis=0)


def test_where_nothing_moves_the_reference_comes_back():
    np.testing.assert_array_equal(moved(STILL, block()), block())
    np.testing.assert_array_equal(moved(replace(SegGen(), probability=0), block()), block())


def test_unlabelled_voxels_become_background():
    labels = block()[None]
    labels[..., :5] = UNLABELLED

    made = list(SegGen(probability=0).make([], [study_of(labels)]))

    np.testing.assert_array_equal(made[0].labels, block())


def test_a_shift_moves_all_by_as_much_and_keeps_the_shape():
    shifts = np.array(
        [centre(moved(replace(STILL, shift=4), block(), seed)) - centre(block())
         for seed in range(20)]
    )  # fmt: skip
    areas = {area(moved(replace(STILL, shift=4), block(), seed)) for seed in range(20)}

    assert areas == {area(block())}
    assert (np.abs(shifts[:, 1:]) <= 4).all()
    assert np.abs(shifts[:, 1:]).max() > 2
    assert (shifts[:, 0] == 0).all()


def test_shifts_are_bounded_by_a_share_of_the_image():
    source = replace(STILL, shift=20, largest_share=0.05)

    shifts = [centre(moved(source, block(), seed)) - centre(block()) for seed in range(20)]

    # A twentieth of 40 rows and of 50 columns.
    assert np.abs(shifts).max(axis=0)[1] <= 2
    assert np.abs(shifts).max(axis=0)[2] <= 2.5


def test_magnification_by_two_quadruples_the_area_about_the_centre():
    larger = moved(replace(STILL, scale=(2, 2)), block())

    assert area(larger) == pytest.approx(4 * area(block()), rel=0.1)
    np.testing.assert_allclose(centre(larger), centre(block()), atol=0.5)


def test_a_disc_is_turned_into_itself_whatever_the_spacing():
    y, x = np.mgrid[:60, :100]
    disc = (((y - 30) * 2.0) ** 2 + (x - 50) ** 2 < 20**2).astype(np.int8)[None] * 2

    turned = moved(replace(STILL, rotation=90), disc, seed=3, spacing=(8.0, 2.0, 1.0))

    both = area(disc * (turned == 2))
    assert 2 * both / (area(disc) + area(turned)) > 0.96


def test_a_turned_bar_lies_at_its_angle():
    bar = block((1, 61, 61), (29, 32), (10, 51))

    angles = []
    for seed in range(10):
        _, y, x = np.nonzero(moved(replace(STILL, rotation=15), bar, seed))
        angles.append(np.rad2deg(np.arctan(np.polyfit(x, y, 1)[0])))

    assert max(map(abs, angles)) <= 15.5
    assert max(angles) > 5
    assert min(angles) < -5


def test_rotations_keep_lengths_and_orientation():
    for angles in ([30.0], [30.0, -20.0, 75.0]):
        matrix = rotation(angles)

        np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1)


def test_all_slices_move_alike_in_their_plane():
    after = moved(SegGen(probability=1), block())

    assert area(after) > 0
    assert (after == after[:1]).all()
    assert (after != block()).any()


def test_a_volume_moves_between_slices_too():
    labels = block((20, 24, 26), (8, 16), (8, 16))
    labels[:6] = labels[14:] = 0
    source = SegGen(rotation=0, scale=(1, 1), elastic=0, shift=4, largest_share=1, probability=1)

    flat, solid = (
        [abs(centre(moved(replace(source, volumetric=is_3d), labels, seed)) - centre(labels))[0]
         for seed in range(8)]
        for is_3d in (False, True)
    )  # fmt: skip

    assert max(flat) == 0
    assert max(solid) > 1


def test_a_single_slice_moves_in_its_plane_also_where_volumes_are_meant():
    flat, solid = (
        moved(SegGen(volumetric=is_3d, probability=1), block((1, 40, 50)), seed=4)
        for is_3d in (False, True)
    )

    np.testing.assert_array_equal(flat, solid)
    assert area(flat) > 0


def test_a_deformation_bends_what_nothing_else_moves():
    after = moved(replace(STILL, elastic=6), block())

    rows, columns = (np.flatnonzero((after[0] == 2).any(axis=axis)) for axis in (1, 0))
    assert area(after) > 0
    # What is no longer a block leaves some of its box empty.
    assert (after[0] == 2).sum() < len(rows) * len(columns)


def test_a_deformation_bends_smoothly_and_no_further_than_asked():
    field = displacement((60, 80), (5.0, 0.0), np.random.default_rng(0))

    assert field.shape == (60, 80, 2)
    assert 2.5 < np.abs(field[..., 0]).max() < 7.5
    assert np.abs(np.diff(field[..., 0], axis=1)).max() < 1.5
    assert (field[..., 1] == 0).all()


def test_what_comes_from_outside_is_background():
    labels = np.full((2, 3, 3), 2, np.int8)
    places = np.stack(np.meshgrid(range(3), range(3), indexing="ij"), axis=-1)
    source = places + np.array([0.0, 1.4])

    np.testing.assert_array_equal(sampled(labels, source)[:, 0], [[2, 2, 0], [2, 2, 0]])


def test_each_reference_is_moved_several_times_whatever_the_order():
    labels = np.stack([block(), np.full_like(block(), UNLABELLED), block()])
    studies = [study_of(labels, name) for name in "ab"]

    ahead, back = (
        {
            (m.study.name, m.frame, m.source): m.labels
            for m in SegGen(probability=1).make([], order)
        }
        for order in (studies, studies[::-1])
    )

    assert {key[1:] for key in ahead} == {(t, f"seggen-{n}") for t in (0, 2) for n in (1, 2, 3)}
    assert len({labels.tobytes() for labels in ahead.values()}) == 12
    for key, made in ahead.items():
        np.testing.assert_array_equal(made, back[key])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probability": 1.2}, r"probability must lie in \[0, 1\], got 1.2"),
        ({"scale": (0, 1)}, "scale must be a positive range"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SegGen(**settings)
