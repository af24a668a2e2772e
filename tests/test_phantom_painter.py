from dataclasses import replace

import numpy as np
import pytest

from semiqc.phantom.anatomy import draw_anatomy
from semiqc.phantom.cine import scene
from semiqc.phantom.grid import ShortAxisGrid
from semiqc.phantom.heart import BeatingHeart
from semiqc.phantom.painter import HeartPainter
from semiqc.phantom.tissue import Signals

BEHIND = 7.0
"""A signal that no tissue has."""


def anatomy_of(group="NOR"):
    return draw_anatomy(np.random.default_rng(2), group)


def stack_at(*places_mm, centre=(0.0, 0.0)):
    """Slices of one plane each, of 101 x 101 pixels with the axis on the middle one."""
    x, y = scene(101, 1.5, 0.0, np.zeros(2))
    z = np.array(places_mm, dtype=float)[:, None]
    return ShortAxisGrid(x, y, z, np.tile(np.array(centre), (len(z), 1)), 1.5)


def painted(anatomy, stack, frame=0):
    heart = BeatingHeart(anatomy, 10)
    behind = np.full((len(stack.z), *stack.x.shape), BEHIND, dtype=np.float32)
    painter = HeartPainter(heart, stack, Signals(), behind, np.random.default_rng(3))
    return painter.paint(frame)


def middle_of(mask, stack):
    return np.array([stack.x[mask].mean(), stack.y[mask].mean()])


def test_nothing_is_painted_beyond_the_apex():
    anatomy = anatomy_of()
    beyond = BeatingHeart(anatomy, 10).apex_mm + 3

    signal, labels = painted(anatomy, stack_at(beyond, beyond + 8))

    assert (labels == 0).all()
    assert (signal == BEHIND).all()


def test_above_the_base_there_are_chambers_without_a_label():
    signal, labels = painted(anatomy_of(), stack_at(-12.0))

    assert (labels == 0).all()
    assert (signal[0] == BEHIND).any()
    assert signal[0, 50, 50] == pytest.approx(1.0, abs=0.4)


def test_the_tilted_base_cuts_straight_across_a_slice():
    anatomy = replace(anatomy_of(), base_tilt=0.1, base_tilt_angle=2.0)
    stack = stack_at(0.0, 20.0, 4.0)
    _, labels = painted(anatomy, stack)

    # Towards the tilt's angle the base lies lower, so that side of the first slice is above it.
    towards = -np.cos(2.0) * stack.x - np.sin(2.0) * stack.y
    ventricle = np.isin(labels, (2, 3))
    assert towards[ventricle[0]].max() < 1.5
    assert ventricle[0].sum() == pytest.approx(0.5 * ventricle[1].sum(), rel=0.15)
    assert towards[ventricle[1]].max() > 20
    # A little lower the cut is a chord beside the axis, not a wedge that reaches it.
    near = (towards > 0) & (np.hypot(stack.x, stack.y) < 7)
    assert ventricle[2][near].all()
    assert towards[ventricle[2]].max() < towards[ventricle[1]].max() - 3


def test_the_right_ventricle_lies_left_in_the_image_and_the_wall_between():
    stack = stack_at(35.0)
    _, labels = painted(anatomy_of(), stack)

    row = labels[0, 50]
    order = [value for value, last in zip(row[1:], row, strict=False) if value != last]
    assert order == [1, 2, 3, 2, 0]


def test_the_heart_is_painted_where_its_slice_lies():
    still, moved = stack_at(35.0), stack_at(35.0, centre=(6.0, -9.0))
    there, here = (painted(anatomy_of(), stack)[1][0] == 3 for stack in (moved, still))

    np.testing.assert_allclose(
        middle_of(there, moved) - middle_of(here, still), [6.0, -9.0], atol=0.2
    )


@pytest.mark.parametrize("frame", [0, 4])
def test_papillary_muscles_are_dark_within_the_cavity_at_their_angle(frame):
    anatomy = anatomy_of()
    one = anatomy.papillaries[0]
    stack = stack_at(45.0)
    bare, labels = painted(replace(anatomy, papillaries=()), stack, frame)
    muscled, same = painted(replace(anatomy, papillaries=(one,)), stack, frame)

    darker = bare[0] - muscled[0] > 0.2
    np.testing.assert_array_equal(labels, same)
    assert darker.sum() * 1.5**2 > 12
    assert (labels[0][darker] == 3).mean() > 0.95
    x, y = middle_of(darker, stack) - middle_of(labels[0] == 3, stack)
    # Counted from mid septum (-x) towards anterior (-y).
    assert np.arctan2(-y, -x) == pytest.approx(one.angle, abs=0.35)


def test_a_voxel_shared_by_two_planes_has_the_mean_of_their_signals():
    anatomy = anatomy_of()
    apart = [painted(anatomy, stack_at(z))[0] for z in (30.0, 150.0)]
    together = stack_at(30.0)
    together = replace(together, z=np.array([[30.0, 150.0]]))

    signal, _ = painted(anatomy, together)

    np.testing.assert_allclose(signal, 0.5 * (apart[0] + apart[1]), rtol=1e-4, atol=1e-4)


def test_a_lower_level_lets_more_strands_cross_the_right_ventricle():
    anatomy = anatomy_of()

    def mean_of_rv(level):
        looks = replace(anatomy.looks, strand_level=level)
        signal, labels = painted(replace(anatomy, looks=looks), stack_at(15.0, 25.0))
        return signal[labels == 1].mean()

    assert mean_of_rv(0.3) < 0.92 * mean_of_rv(1.2)
