from dataclasses import replace

import numpy as np
import pytest

from semiqc.phantom.anatomy import GROUPS, draw_anatomy
from semiqc.phantom.heart import ANGLES, BeatingHeart

FRAMES = 10
END_SYSTOLE = 4
"""Of ten frames, the nearest to 0.37 of the cycle."""


def heart_of(group, seed=5):
    return BeatingHeart(draw_anatomy(np.random.default_rng(seed), group), FRAMES)


def volumes_ml(heart, frame):
    """LV, wall and RV by adding up planes 0.25 mm apart, in space and not along the material."""
    z = np.arange(-15, heart.apex_mm + 5, 0.25) + 0.125
    u = heart.material(z, frame)
    is_below = u[:, None] >= heart.base_at(np.arange(len(ANGLES)), np.ones(1))
    endo, epi, rv = (is_below * radius for radius in heart.radii(u, frame))
    per_square = 0.5 * (ANGLES[1] - ANGLES[0]) * 0.25 / 1000
    return (
        per_square * (endo**2).sum(),
        per_square * (epi**2 - endo**2).sum(),
        per_square * (rv**2 - epi**2).sum(),
    )


def around(angle, half_width=0.3):
    return np.abs((ANGLES - angle + np.pi) % (2 * np.pi) - np.pi) < half_width


@pytest.mark.parametrize("group", GROUPS)
def test_the_wall_keeps_its_volume_over_the_cycle(group):
    heart = heart_of(group)
    walls = [volumes_ml(heart, frame)[1] for frame in range(FRAMES)]

    assert np.ptp(walls) < 0.005 * walls[0]


@pytest.mark.parametrize("group", GROUPS)
def test_the_ventricles_hold_what_their_curves_say(group):
    heart = heart_of(group)
    measured = np.array([volumes_ml(heart, frame) for frame in range(FRAMES)])

    np.testing.assert_allclose(measured[:, 0], heart.lv_ml, rtol=0.01)
    np.testing.assert_allclose(measured[:, 2], heart.rv_ml, rtol=0.01)


@pytest.mark.parametrize("group", GROUPS)
def test_surfaces_never_cross(group):
    for seed in range(20):
        heart = heart_of(group, seed)
        for frame in (0, END_SYSTOLE):
            endo, epi, rv = heart.radii(np.linspace(-0.6, 1.2, 40), frame)
            assert (endo >= 0).all()
            assert (epi >= endo).all()
            assert (rv >= epi).all()


def test_the_base_descends_and_the_apex_stands_still():
    heart = heart_of("NOR")
    tip = np.array([heart.apex_mm - 0.1, heart.apex_mm + 0.1])

    assert heart.base_mm(0) == pytest.approx(0, abs=1e-9)
    assert 8 < heart.base_mm(END_SYSTOLE) < 22
    for frame in range(FRAMES):
        inside = heart.radii(heart.material(tip, frame), frame)[1].max(axis=1) > 0
        assert inside.tolist() == [True, False]


def test_the_right_ventricle_lies_on_the_septum_and_ends_before_the_apex():
    heart = heart_of("NOR")
    _, epi, rv = heart.radii(np.array([0.0, 0.99]), 0)
    width = rv - epi

    assert width[0, around(0)].min() > 10
    assert width[0, around(np.pi, 1.2)].max() == 0
    assert width[1].max() == 0


def test_an_infarct_is_thin_and_hardly_moves():
    for seed in range(10):
        heart = heart_of("MINF", seed)
        infarct = heart.anatomy.infarct
        u = np.array([0.5 * (infarct.start + 0.2 + 0.9)])
        rest, rest_wall, _ = heart.radii(u, 0)
        moved, _, _ = heart.radii(u, END_SYSTOLE)
        inward = ((rest - moved) / rest)[0]
        wall = (rest_wall - rest)[0]
        scar, remote = around(infarct.angle), around(infarct.angle + np.pi)

        assert np.abs(inward[scar]).max() < 0.25 * inward[remote].min()
        assert wall[scar].max() < 0.9 * wall[remote].min()


def test_a_healthy_wall_moves_and_thickens_evenly():
    heart = heart_of("NOR")
    u = np.array([0.2])
    rest, rest_epi, _ = heart.radii(u, 0)
    moved, moved_epi, _ = heart.radii(u, END_SYSTOLE)

    assert np.ptp((rest - moved) / rest) < 1e-9
    assert 1.25 < ((moved_epi - moved) / (rest_epi - rest)).mean() < 1.8


@pytest.mark.parametrize("group", GROUPS)
def test_every_heart_meets_the_definition_of_its_group(group):
    for seed in range(40):
        anatomy = draw_anatomy(np.random.default_rng(seed), group)
        heart = BeatingHeart(anatomy, 2)
        endo, epi, _ = heart.radii(np.array([0.0]), 0)
        thickest = (epi - endo).max()
        lv_ef = 1 - anatomy.lv_esv_ml / anatomy.lv_edv_ml
        lv_index = anatomy.lv_edv_ml / anatomy.body_surface_m2
        rv_index = anatomy.rv_edv_ml / anatomy.body_surface_m2

        assert (lv_ef < 0.40) == (group in {"DCM", "MINF"})
        assert (lv_index > 100) >= (group == "DCM")
        assert (thickest > 15) == (group == "HCM")
        assert (rv_index > 110) == (group == "RV")
        assert (anatomy.infarct is not None) == (group == "MINF")


def test_an_unknown_group_is_named():
    with pytest.raises(ValueError, match="unknown group 'XYZ'; known: NOR, DCM, HCM, MINF, RV"):
        draw_anatomy(np.random.default_rng(0), "XYZ")


def test_an_apex_filled_with_muscle_leaves_volumes_as_they_were():
    anatomy = draw_anatomy(np.random.default_rng(5), "HCM")
    heart = BeatingHeart(replace(anatomy, apical=0.5), FRAMES)
    measured = np.array([volumes_ml(heart, frame) for frame in range(FRAMES)])

    np.testing.assert_allclose(measured[:, 0], heart.lv_ml, rtol=0.01)
    assert np.ptp(measured[:, 1]) < 0.005 * measured[0, 1]
    assert heart.contraction[0] == pytest.approx(0, abs=0.01)


def test_an_apex_filled_with_muscle_has_no_cavity():
    anatomy = draw_anatomy(np.random.default_rng(5), "HCM")
    below = np.array([0.6, 0.9])
    open_endo, _, _ = BeatingHeart(anatomy, FRAMES).radii(below, 0)
    endo, epi, _ = BeatingHeart(replace(anatomy, apical=0.5), FRAMES).radii(below, 0)

    assert (open_endo > 5).all()
    assert (endo == 0).all()
    assert (epi > 10).all()


def test_a_right_ventricle_that_tapers_is_slimmer_halfway_and_as_large():
    anatomy = draw_anatomy(np.random.default_rng(5), "NOR")

    def shape(taper):
        looks = replace(anatomy.looks, rv_taper=taper)
        heart = BeatingHeart(replace(anatomy, looks=looks), FRAMES)
        _, epi, rv = heart.radii(np.array([-0.2, 0.3]), 0)
        return volumes_ml(heart, 0)[2], *(rv - epi).max(axis=1)

    (box_ml, box_base, box_half), (cone_ml, cone_base, cone_half) = shape(1.8), shape(0.8)

    assert cone_ml == pytest.approx(box_ml, rel=0.01)
    assert cone_half / cone_base < 0.85 * box_half / box_base
