"""What is found on whole slices first, and segmented in what lies around it."""

from dataclasses import replace

import numpy as np
import pytest
from segmenter_builders import SQUARE, bright_square, small_unet

from segmenters.focus import box_of, looked_at, only_within, subsets
from semiqc.images.crop import box_around
from semiqc.schemes import SHORT_AXIS


def found(*blocks, size=(60, 80)):
    """Labels of one frame, three slices, with blocks of class 1."""
    labels = np.zeros((1, 3, *size), np.int8)
    for top, left, length in blocks:
        labels[0, :, top : top + length, left : left + length] = 1
    return labels


def test_the_box_lies_around_the_largest_thing():
    box = box_of(found((40, 60, 10), (5, 5, 4)), SQUARE, (32, 32), 4)

    assert box.size == (32, 32)
    top, left = box.start
    assert top <= 40 < 50 <= top + 32
    assert left <= 60 < 70 <= left + 32


def test_the_box_lies_around_what_has_all_structures_of_a_heart():
    labels = found((5, 5, 20))
    labels[0, :, 40:48, 60:68] = 2
    labels[0, :, 42:46, 62:66] = 3
    labels[0, :, 40:48, 68:72] = 1
    heart = box_of(labels, SHORT_AXIS, (16, 16), 4)
    apart = box_of(labels, replace(SHORT_AXIS, one_piece=False), (16, 16), 4)

    assert heart.size == (16, 16)
    assert heart.start[0] <= 40 < 48 <= heart.start[0] + 16
    assert heart.start[1] <= 60 < 72 <= heart.start[1] + 16
    assert apart.size[0] >= 43
    assert apart.start[0] <= 5


def test_what_is_larger_than_a_patch_gets_a_larger_box():
    box = box_of(found((10, 20, 40)), SQUARE, (32, 32), 8)

    assert box.size == (48, 48)
    assert box.start[0] <= 10 < 50 <= box.start[0] + 48


def test_where_nothing_is_found_the_box_is_the_middle():
    assert box_of(found(), SQUARE, (32, 32), 4).start == (14, 24)


def test_outside_the_box_all_is_background():
    labels = found((40, 60, 10))[0]
    box = box_around(labels, (None, 16, 16))
    inside = np.full((2, 3, 16, 16), 0.5, np.float32)
    whole = only_within(box, inside, labels.shape)

    np.testing.assert_allclose(whole.sum(axis=0), 1)
    assert (whole[1] > 0).sum() == 3 * 16 * 16
    assert (whole[0, :, :20] == 1).all()


def test_frames_that_are_looked_at_are_spread_over_the_cycle():
    assert looked_at(1) == (0,)
    assert looked_at(2) == (0, 1)
    assert looked_at(30) == (0, 10, 20)


def test_a_false_structure_far_away_is_not_segmented():
    segmenter = small_unet(steps=40).fit([bright_square(), bright_square(seed=2)])
    study = bright_square(seed=1, size=(24, 64))
    image = np.array(study.image)
    # As bright as a square, but smaller than it, and further away than a patch reaches.
    image[..., 4:9, 50:55] += 1
    study = replace(study, image=image)

    def far(**changes):
        for name, value in changes.items():
            setattr(segmenter, name, value)
        return max(float(p[1][..., 40:].max()) for p in segmenter.predict_frames(study))

    assert far(focus=False) > 0.5
    assert far(focus=True) == 0
    near = next(segmenter.predict_frames(study))[1][..., 6:15, 5:13]
    assert near.mean() > 0.5


def test_a_prediction_with_mirror_images_is_mirrored_with_the_image():
    segmenter = small_unet(steps=5).fit([bright_square()])
    segmenter.scheme = replace(segmenter.scheme, mirror_axes=("y", "x"))
    study = bright_square(seed=1, size=(24, 24))
    turned = replace(study, image=np.ascontiguousarray(study.image[..., ::-1]))

    def differ():
        one, other = next(segmenter.predict_frames(study)), next(segmenter.predict_frames(turned))
        return float(np.abs(one - other[..., ::-1]).max())

    assert differ() > 1e-3
    segmenter.mirror = True
    assert differ() == pytest.approx(0, abs=1e-5)


def test_mirror_images_are_of_all_subsets_of_the_axes():
    assert subsets(SHORT_AXIS.mirror_axes) == [(), ("y",), ("x",), ("y", "x")]
    assert subsets(()) == [()]
