import numpy as np
import pytest
from scipy import ndimage

from semiqc.phantom import PROFILES, aorta_study, short_axis_study
from semiqc.phantom.aorta import Vessel, lumen
from semiqc.schemes import UNLABELLED

RV, MYO, LV = 1, 2, 3


def volumes_ml(study, value):
    voxel_ml = np.prod(study.spacing) / 1000
    return (study.labels == value).sum(axis=(1, 2, 3)) * voxel_ml


@pytest.fixture(scope="module")
def study():
    return short_axis_study(
        3, group="NOR", size=80, slices=7, frames=10, spacing=(11.0, 2.2, 2.2), artefacts=0.1
    )


@pytest.fixture(scope="module")
def aorta():
    return aorta_study(4, size=72, frames=40, spacing=(8.0, 2.0, 2.0), artefacts=0.1)


def test_a_study_has_the_asked_shape_and_a_label_in_every_voxel(study):
    assert study.image.shape == (1, 10, 7, 80, 80)
    assert study.image.dtype == np.float32
    assert study.labels.dtype == np.int8
    assert set(np.unique(study.labels)) == {0, RV, MYO, LV}
    assert UNLABELLED not in study.labels
    assert (study.name, study.group, study.spacing) == ("NOR-3", "NOR", (11.0, 2.2, 2.2))


def test_intensities_are_normalised_like_an_imported_study(study):
    low, high = np.percentile(study.image, (1, 99))

    assert low == pytest.approx(0, abs=0.02)
    assert high == pytest.approx(1, abs=0.05)
    assert study.image.min() >= -1
    assert study.image.max() <= 3


def test_the_same_seed_gives_the_same_study_and_another_seed_another():
    first, again, other = (short_axis_study(s, size=48, slices=3, frames=2) for s in (1, 1, 2))

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()


def test_voxels_hold_the_volumes_of_the_heart_and_the_wall_keeps_its_own():
    fine = short_axis_study(
        3, group="NOR", size=128, slices=50, frames=4, spacing=(2.5, 1.4, 1.4), artefacts=0
    )
    wall, cavity = volumes_ml(fine, MYO), volumes_ml(fine, LV)

    # The first slice may lie 1.4 mm below the base, and what is above it is missing at frame 0.
    assert np.ptp(wall) < 0.02 * wall[0]
    assert 0.52 < 1 - cavity.min() / cavity.max() < 0.72


def test_the_most_basal_slice_may_lose_the_ventricle_in_systole(study):
    basal = [
        (short_axis_study(s, group="NOR", size=64, slices=3, frames=5, artefacts=0).labels == LV)[
            :, 0
        ].any(axis=(1, 2))
        for s in range(4)
    ]

    assert any(seen[0] and not seen[2] for seen in basal)


def test_volume_curves_are_smooth_and_lowest_in_systole(study):
    curve = volumes_ml(study, LV)

    assert curve.argmax() == 0
    assert curve.argmin() in {3, 4}
    assert np.abs(np.diff(curve)).max() < 0.5 * np.ptp(curve)


def test_every_structure_is_one_piece_in_a_mid_slice(study):
    for frame in (0, 4):
        for value in (RV, MYO, LV):
            _, pieces = ndimage.label(study.labels[frame, 3] == value)
            assert pieces == 1


def test_papillary_muscles_count_as_cavity(study):
    lv = ndimage.binary_erosion(study.labels[0, 3] == LV, iterations=2)
    blood = np.median(study.image[0, 0, 3][lv])
    muscle = np.median(study.image[0, 0, 3][study.labels[0, 3] == MYO])

    dark = study.image[0, 0, 3][lv] < 0.5 * (blood + muscle)
    assert 0.02 < dark.mean() < 0.4


@pytest.mark.parametrize("profile", PROFILES)
def test_blood_is_bright_muscle_grey_and_lung_dark(profile):
    study = short_axis_study(
        6, group="NOR", size=96, slices=5, frames=2, profile=profile, artefacts=0.0
    )
    image, labels = study.image[0], study.labels
    blood, right, muscle = (np.median(image[labels == value]) for value in (LV, RV, MYO))

    assert 0.4 < right / blood < 1.3
    assert 0.2 < muscle / blood < 0.65
    assert np.percentile(image, 15) < 0.6 * muscle


def test_artefacts_spoil_the_image_and_leave_most_of_a_fine_one():
    of = {"size": 64, "slices": 4, "frames": 6, "group": "NOR"}
    clean, fine, poor = (short_axis_study(11, artefacts=s, **of).image for s in (0, 0.1, 1))

    assert np.abs(fine - clean).mean() < 0.5 * np.abs(poor - clean).mean()


def test_the_reference_moves_with_a_slice_that_another_breath_hold_displaced():
    of = {"size": 96, "slices": 6, "frames": 2, "group": "NOR", "spacing": (12.0, 2.0, 2.0)}
    wander = []
    for severity in (0.0, 1.0):
        jumps = []
        for seed in range(6):
            labels = short_axis_study(seed, artefacts=severity, **of).labels[0]
            rows = [ndimage.center_of_mass(plane == LV)[0] for plane in labels[1:5]]
            jumps.append(np.abs(np.diff(rows, n=2)).max())
        wander.append(max(jumps))

    assert wander[1] > 2 * wander[0]


def test_the_affine_has_the_spacing_and_points_base_to_apex_left_and_down(study):
    affine = study.geometry.affine
    x, y, z = affine[:3, :3].T

    assert study.geometry.shape == (80, 80, 7)
    np.testing.assert_allclose([np.linalg.norm(axis) for axis in (z, y, x)], study.spacing)
    np.testing.assert_allclose([x @ y, y @ z, z @ x], 0, atol=1e-9)
    assert z[0] < 0 < z[1]
    assert z[2] < 0
    assert y[2] < 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group": "XYZ"}, "unknown group 'XYZ'"),
        ({"profile": "2T"}, "unknown scanner profile '2T'"),
        ({"artefacts": 1.5}, r"must lie in \[0, 1\], got 1.5"),
        ({"frames": 0}, "NOR-1: a phantom needs at least 1 frame, 1 slice and size 32, got 0"),
        ({"size": 16}, "got 20, 8 and 16"),
        ({"spacing": (10.0, 1.0, 2.0)}, "NOR-1: spacing must be positive mm with y equal to x"),
    ],
)
def test_a_mistake_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        short_axis_study(1, **({"group": "NOR"} | settings))


def test_one_frame_and_a_tiny_stack_are_possible():
    assert short_axis_study(1, size=32, slices=1, frames=1).image.shape == (1, 1, 1, 32, 32)


def test_an_aorta_has_one_slice_and_one_round_structure(aorta):
    assert aorta.image.shape == (1, 40, 1, 72, 72)
    assert set(np.unique(aorta.labels)) == {0, 1}
    for frame in range(40):
        _, pieces = ndimage.label(aorta.labels[frame, 0])
        assert pieces == 1


def test_an_aorta_widens_by_10_to_40_percent_early_in_the_cycle():
    for seed in range(4):
        study = aorta_study(seed, size=128, frames=25, spacing=(8.0, 0.6, 0.6), artefacts=0)
        area = (study.labels == 1).sum(axis=(1, 2, 3))

        assert 0.09 < area.max() / area.min() - 1 < 0.42
        assert 0.18 < area.argmax() / 25 < 0.35


def test_an_oval_vessel_has_the_area_it_should():
    vessel = Vessel(2.0, -3.0, 700.0, 0.2, 0.08, 0.7, (2.0, 1.0), 1.0)
    axis = (np.arange(200) - 99.5).astype(np.float32) * 0.25
    x, y = axis[None, :] + 0 * axis[:, None], axis[:, None] + 0 * axis[None, :]

    for widened in (0.0, 0.5, 1.0):
        inside = lumen(vessel, widened, x, y) > 0
        expected = 700 * (1 + 0.2 * widened)
        assert inside.sum() * 0.25**2 == pytest.approx(expected, rel=0.005)
        assert x[inside].mean() == pytest.approx(2 + 2 * widened, abs=0.05)
        assert y[inside].mean() == pytest.approx(-3 + widened, abs=0.05)
        right, down = x[inside] - x[inside].mean(), y[inside] - y[inside].mean()
        along = np.cos(0.7) * right + np.sin(0.7) * down
        across = np.cos(0.7) * down - np.sin(0.7) * right
        assert along.std() / across.std() == pytest.approx(1.08 / 0.92, rel=0.01)


def test_the_aorta_is_bright_among_darker_tissue(aorta):
    inside = ndimage.binary_erosion(aorta.labels[:, 0] == 1, np.ones((1, 3, 3)))
    around = ndimage.binary_dilation(aorta.labels[:, 0] == 1, np.ones((1, 3, 3))) & (
        aorta.labels[:, 0] == 0
    )
    image = aorta.image[0, :, 0]

    assert np.median(image[inside]) > 1.5 * np.median(image[around])
