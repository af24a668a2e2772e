"""Features of shape and appearance, by hand where a figure can be worked out."""

from dataclasses import replace

import numpy as np
import pytest

from qc.estimators.svr.features import TABLE, feature_names, features, features_of
from qc.frames import Frame
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    LabelScheme,
    Structure,
)

SPACING = (8.0, 1.5, 1.25)
DISC = LabelScheme("disc", ("background", "a", "b"), (Structure("a", (1,)), Structure("b", (2,))))


def frame_of(labels, image=None, spacing=SPACING):
    """A frame whose image, unless given, is 1 where something is segmented."""
    labels = np.asarray(labels, dtype=np.int8)
    image = (labels > 0).astype(np.float32)[None] if image is None else image
    return Frame("a", image, labels, spacing)


def found(frame, name, scheme=DISC):
    return features(frame, scheme)[feature_names(scheme).index(name)]


def disc(radius, shape=(3, 46, 52), spacing=(8.0, 1.0, 1.0), hole=0.0, centre=(22, 25)):
    y, x = np.ogrid[: shape[1], : shape[2]]
    distance = np.hypot(y - centre[0], x - centre[1])
    drawn = (distance < radius) & (distance >= hole)
    return frame_of(np.broadcast_to(drawn, shape), spacing=spacing)


def heart(seed=0, shape=(4, 33, 37)):
    """A ring around a disc, something beside it, and noise."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int8)
    labels[1:, 8:22, 9:24] = 2
    labels[1:, 11:19, 12:21] = 3
    labels[1:, 9:20, 4:9] = 1
    image = rng.normal(size=(2, *shape)).astype(np.float32) + (labels == 3)
    return frame_of(labels, image)


def test_three_structures_have_42_features_and_one_has_14():
    assert len(TABLE) == 14
    assert len(feature_names(SHORT_AXIS)) == 42 == len(features(heart(), SHORT_AXIS))
    assert len(feature_names(AORTA)) == 14
    assert feature_names(SHORT_AXIS)[0] == "LV volume"
    assert all(row.name and row.unit and row.formula for row in TABLE)
    assert len(set(feature_names(SHORT_AXIS))) == 42


def test_volume_counts_voxels_times_their_size():
    labels = np.zeros((2, 5, 6))
    labels[:, 1:4, 2:4] = 1
    labels[0, 0, 0] = 2

    # 2 x 3 x 2 voxels of 8 x 1.5 x 1.25 = 15 mm3 each.
    assert found(frame_of(labels), "a volume") == pytest.approx(12 * 0.015)
    assert found(frame_of(labels), "a share") == pytest.approx(12 / 13)


def test_thickness_is_the_width_of_a_ring_and_the_radius_of_a_disc():
    assert found(disc(20, hole=12), "a thickness") == pytest.approx(8, rel=0.05)
    assert found(disc(14), "a thickness") == pytest.approx(14, rel=0.05)


def test_thickness_heeds_that_voxels_are_not_square():
    labels = np.zeros((1, 20, 30))
    labels[0, 4:12, 5:25] = 1

    # A border of 2 (12 + 25) mm, which is taken for the steps of a smooth one, around 12 x 25 mm2.
    expected = 2 * 12 * 25 / (np.pi / 4 * 2 * (12 + 25))
    assert found(frame_of(labels), "a thickness") == pytest.approx(expected, rel=1e-6)


def test_a_round_outline_is_not_eccentric_and_an_oblong_is():
    labels = np.zeros((1, 20, 30))
    labels[0, 4:12, 5:25] = 1

    # Sides of 8 x 1.5 = 12 and 20 x 1.25 = 25 mm: second moments 12^2 / 12 and 25^2 / 12.
    expected = np.sqrt(1 - 12**2 / 25**2)
    assert found(frame_of(labels), "a eccentricity") == pytest.approx(expected, rel=1e-6)
    assert found(disc(20), "a eccentricity") < 0.1


def test_integrity_is_the_share_of_the_largest_part():
    labels = np.zeros((2, 7, 9))
    labels[:, 1:4, 1:3] = 1
    labels[1, 5, 5:8] = 1

    assert found(frame_of(labels), "a integrity") == pytest.approx(12 / 15)


def test_parts_of_neighbouring_frames_are_not_joined():
    labels = np.zeros((2, 7, 9))
    labels[1, 1:4, 1:3] = 1
    other = np.zeros((2, 7, 9))
    other[0, 1:4, 1:3] = 1
    other[1, 6, 5] = 1
    frames = [frame_of(labels), frame_of(other)]
    index = feature_names(DISC).index("a integrity")

    assert features_of(frames, DISC)[:, index] == pytest.approx([1, 6 / 7])


def test_topology_is_parts_less_holes_over_filled_slices():
    labels = np.zeros((4, 8, 9))
    labels[1, 1:4, 1:4] = 1
    labels[1, 2, 2] = 0
    labels[2, 1:4, 1:4] = 1
    labels[2, 6, 6:8] = 1

    # A ring has one part and one hole; the next slice two parts; the others are empty.
    assert found(frame_of(labels), "a topology") == pytest.approx((0 + 2) / 2)


def test_a_missing_slice_breaks_continuity():
    labels = np.zeros((4, 6, 7))
    labels[:, 1:4, 2:5] = 1
    missing = labels.copy()
    missing[1] = 0

    assert found(frame_of(labels), "a continuity") == pytest.approx(1)
    # One of three pairs agrees: 2 * 9 of 9 + 9 + 18 voxels.
    assert found(frame_of(missing), "a continuity") == pytest.approx(18 / 36)


def test_drift_is_the_mean_distance_of_centroids_in_mm():
    labels = np.zeros((4, 9, 11))
    labels[0, 1:3, 1:3] = 1
    labels[1, 3:5, 1:3] = 1
    labels[2, 3:5, 5:7] = 1

    # Two rows of 1.5 mm, then four columns of 1.25 mm; the last slice is empty.
    assert found(frame_of(labels), "a drift") == pytest.approx((3 + 5) / 2)


def test_adjacency_counts_the_sides_that_face_another_structure():
    labels = np.zeros((2, 6, 8))
    labels[:, 2:4, 1:4] = 1
    labels[:, 2:4, 4:6] = 2

    # In each slice: of 2 + 2 + 3 + 3 sides, 2 face b; of b's 2 + 2 + 2 + 2, 2 face a.
    assert found(frame_of(labels), "a adjacency") == pytest.approx(2 / 10)
    assert found(frame_of(labels), "b adjacency") == pytest.approx(2 / 8)


def test_level_and_spread_are_mean_and_deviation_over_all_modalities():
    labels = np.zeros((1, 5, 6))
    labels[0, 2, 2:4] = 1
    image = np.zeros((2, 1, 5, 6), np.float32)
    image[:, 0, 2, 2] = 1, 3
    image[:, 0, 2, 3] = 4, 8

    # Means over modalities are 2 and 6.
    assert found(frame_of(labels, image), "a level") == pytest.approx(4)
    assert found(frame_of(labels, image), "a spread") == pytest.approx(2)


def test_a_border_that_parts_black_from_white_has_contrast_and_no_mixture():
    sharp = disc(10)
    moved = frame_of(np.roll(sharp.labels, 12, axis=2), sharp.image, sharp.spacing)

    assert found(sharp, "a mixture") == 0
    assert found(sharp, "a contrast") == pytest.approx(2, abs=0.1)
    assert found(moved, "a mixture") > 0.5
    assert abs(found(moved, "a contrast")) < 0.7


def test_gradient_is_taken_per_mm_along_both_axes():
    labels = np.zeros((2, 12, 13))
    labels[1, 4:8, 5:9] = 1
    y, x = np.mgrid[:12, :13] * np.array(SPACING[1:])[:, None, None]
    image = np.broadcast_to(3 * y + 4 * x, (1, 2, 12, 13)).astype(np.float32)

    assert found(frame_of(labels, image), "a gradient") == pytest.approx(5, rel=1e-5)


def test_gradient_is_that_of_the_border_alone():
    labels = np.zeros((1, 14, 15))
    labels[0, 4:10, 4:11] = 1
    image = np.zeros((1, 1, 14, 15), np.float32)
    image[0, 0, 6:8, 6:9] = 9

    # The spot ends two voxels inside the border; its gradient reaches one voxel further out.
    assert found(frame_of(labels, image), "a gradient") == 0


def test_brightness_and_gain_leave_contrast_and_mixture_as_they_are():
    frame = heart()
    other = frame_of(frame.labels, 3 * frame.image + 7)

    for name in ("contrast", "mixture"):
        before, after = (found(one, f"LV {name}", SHORT_AXIS) for one in (frame, other))
        assert after == pytest.approx(before, rel=1e-4)


def test_an_absent_structure_has_nothing_but_zeros():
    frame = heart()
    frame.labels[frame.labels == 1] = 0
    of_rv = [name.startswith("RV") for name in feature_names(SHORT_AXIS)]

    values = features(frame, SHORT_AXIS)

    assert (values[of_rv] == 0).all()
    assert values[np.invert(of_rv)].any()


def odd_frames():
    blank = np.zeros((3, 9, 11))
    single, corner, full = blank.copy(), blank.copy(), blank + 1
    single[1, 4, 5] = 1
    corner[0, 0, 0], corner[2, 8, 10] = 1, 3
    flat = np.full((1, 3, 9, 11), 5, np.float32)
    noise = np.random.default_rng(0).normal(size=flat.shape).astype(np.float32)
    for name, labels in {
        "blank": blank,
        "one voxel": single,
        "corners": corner,
        "full": full,
    }.items():
        yield pytest.param(frame_of(labels, flat), id=f"{name}, constant image")
        yield pytest.param(frame_of(labels, noise), id=name)
    yield pytest.param(frame_of(single[1:2], noise[:, :1]), id="one slice")
    yield pytest.param(
        frame_of(blank[:1, :1, :1] + 1, noise[:, :1, :1, :1]), id="one voxel in all"
    )


@pytest.mark.parametrize("frame", list(odd_frames()))
def test_every_feature_of_an_odd_frame_is_a_number(frame):
    values = features(frame, SHORT_AXIS)

    assert np.isfinite(values).all()


@pytest.mark.parametrize("spacing", [SPACING, (8.0, 3.5, 3.2)])
def test_a_frame_has_the_same_features_whoever_stands_beside_it(spacing):
    far = heart(1)
    far.labels[0, 0, 0] = far.labels[0, 32, 36] = 1
    frames = [
        replace(frame, spacing=spacing)
        for frame in (heart(0), disc(9), far, heart(2, shape=(3, 30, 41)), heart(3))
    ]

    together = features_of(frames, SHORT_AXIS)

    alone = np.stack([features(frame, SHORT_AXIS) for frame in frames])
    assert together == pytest.approx(alone, rel=1e-9, abs=1e-12)


def test_features_are_the_same_wherever_the_structure_lies_in_the_frame():
    frame = heart()
    image = np.pad(frame.image, [(0, 0), (0, 0), (7, 3), (2, 9)], mode="edge")
    labels = np.pad(frame.labels, [(0, 0), (7, 3), (2, 9)])

    moved = features(frame_of(labels, image), SHORT_AXIS)

    assert moved == pytest.approx(features(frame, SHORT_AXIS), rel=1e-9, abs=1e-12)


def test_structures_may_overlap():
    scheme = LabelScheme(
        "nested", ("background", "a", "b"), (Structure("all", (1, 2)), Structure("b", (2,)))
    )
    labels = np.zeros((2, 7, 8))
    labels[:, 1:6, 1:6] = 1
    labels[:, 2:4, 2:4] = 2

    frame = frame_of(labels)

    assert found(frame, "all volume", scheme) == pytest.approx(2 * 25 * 0.015)
    assert found(frame, "b adjacency", scheme) == pytest.approx(1)


def test_no_frames_have_no_features():
    assert features_of([], SHORT_AXIS).shape == (0, 42)
