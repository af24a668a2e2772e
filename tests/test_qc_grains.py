import numpy as np
import pytest

from qc.base import Quality
from qc.gates import Decision
from qc.grains.frame import FrameGrain
from qc.grains.labels import after_grain
from qc.grains.registry import GRAINS
from qc.grains.slice import SliceGrain
from qc.grains.soft import SoftSliceGrain, SoftVoxelGrain
from qc.grains.structure import StructureGrain
from qc.grains.study import StudyGrain
from qc.grains.voxel import VoxelGrain
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED
from semiqc.study import Prediction, Study, UncertaintyMaps

RV, MYO, LV = 1, 2, 3
SPACING = (8.0, 2.0, 2.0)


def heart(frames=2, slices=4):
    """Everywhere 12 x 15 voxels with a 3 x 3 LV in rows 4 to 6 and a 3 x 2 RV beside it."""
    labels = np.zeros((frames, slices, 12, 15), np.int8)
    labels[:, :, 4:7, 6:9] = LV
    labels[:, :, 4:7, 3:5] = RV
    return labels


def prediction_of(labels, uncertainty=None, modalities=1):
    image = np.ones((modalities, *labels.shape), np.float32)
    return Prediction("a", image, labels, SPACING, uncertainty=uncertainty)


def quality_of(labels, scheme=SHORT_AXIS, **changes):
    """Dice .9 in every slice, but where ``name=(frame, slice, dice)`` says other."""
    slices = {s.name: np.full(labels.shape[:2], 0.9) for s in scheme.structures}
    for name, (frame, z, dice) in changes.items():
        slices[name][frame, z] = dice
    return Quality("a", 0.9, slice_dice=slices)


def hidden_of(grain, labels, quality):
    found = grain(prediction_of(labels), quality)
    return np.stack([found[frame] == UNLABELLED for frame in range(len(labels))])


def uncertainty_of(labels, **maps):
    nothing = np.zeros(labels.shape, np.float32)
    none = np.zeros((len(labels), 3))
    return UncertaintyMaps(
        maps.get("entropy", nothing), maps.get("disagreement", nothing), *([none] * 3)
    )


BY_DICE = [FrameGrain(SHORT_AXIS), SliceGrain(SHORT_AXIS), StructureGrain(SHORT_AXIS)]


@pytest.mark.parametrize("grain", [StudyGrain(SHORT_AXIS), *BY_DICE])
def test_nothing_is_hidden_of_what_is_good_throughout(grain):
    labels = heart()

    found = grain(prediction_of(labels), quality_of(labels))

    np.testing.assert_array_equal(found[:], labels)
    assert found.kept.voxels == found.kept.foreground == 1
    assert found.labelled_frames == (0, 1)


def test_a_frame_of_low_dice_is_hidden():
    labels = heart()
    quality = quality_of(labels, LV=(1, slice(None), 0.2), RV=(1, slice(None), 0.6))

    hidden = hidden_of(FrameGrain(SHORT_AXIS, min_slice_dice=0.5), labels, quality)

    # (.2 + .6) / 2 = .4 in frame 1; the MYO is nowhere and says nothing.
    assert hidden.all(axis=(1, 2, 3)).tolist() == [False, True]
    assert not hidden[0].any()


def test_slices_count_by_area_in_the_dice_of_a_frame():
    labels = heart(frames=1, slices=2)
    labels[labels == RV] = 0
    labels[0, 1, 4:7, 7:9] = 0
    quality = quality_of(labels, LV=(0, 1, 0.1))

    # Nine voxels of .9 and three of .1: .7.
    assert not hidden_of(FrameGrain(SHORT_AXIS, min_slice_dice=0.69), labels, quality).any()
    assert hidden_of(FrameGrain(SHORT_AXIS, min_slice_dice=0.71), labels, quality).all()


def test_a_frame_with_nothing_in_it_is_hidden():
    labels = heart()
    labels[1] = 0

    hidden = hidden_of(FrameGrain(SHORT_AXIS, min_slice_dice=0.0), labels, quality_of(labels))

    assert hidden.all(axis=(1, 2, 3)).tolist() == [False, True]


def test_a_structure_lost_in_one_frame_is_a_dice_of_zero():
    labels = heart()
    labels[1][labels[1] == RV] = 0

    hidden = hidden_of(FrameGrain(SHORT_AXIS, min_slice_dice=0.5), labels, quality_of(labels))

    # (.9 + 0) / 2 = .45.
    assert hidden.all(axis=(1, 2, 3)).tolist() == [False, True]


def test_a_slice_is_hidden_for_one_bad_structure():
    labels = heart()
    quality = quality_of(labels, RV=(1, 2, 0.3))

    hidden = hidden_of(SliceGrain(SHORT_AXIS, min_slice_dice=0.7), labels, quality)

    assert np.argwhere(hidden.all(axis=(2, 3))).tolist() == [[1, 2]]
    assert hidden.sum() == 12 * 15


def test_a_slice_exactly_at_the_bound_stays_and_an_unknown_dice_says_nothing():
    labels = heart()
    quality = quality_of(labels, RV=(1, 2, 0.7), LV=(0, 0, np.nan))

    assert not hidden_of(SliceGrain(SHORT_AXIS, min_slice_dice=0.7), labels, quality).any()


def test_a_slice_without_what_lies_above_and_below_is_hidden():
    labels = heart()
    labels[0, 2][labels[0, 2] == LV] = 0
    labels[1, 3][labels[1, 3] == LV] = 0

    hidden = hidden_of(SliceGrain(SHORT_AXIS), labels, quality_of(labels))

    # The end of the structure in frame 1 may well be its end.
    assert np.argwhere(hidden.all(axis=(2, 3))).tolist() == [[0, 2]]


def test_a_bad_structure_is_hidden_with_the_background_beside_it():
    labels = heart()
    quality = quality_of(labels, RV=(0, 1, 0.3))

    hidden = hidden_of(StructureGrain(SHORT_AXIS, 0.7, margin_mm=4.0), labels, quality)

    assert np.unique(np.argwhere(hidden)[:, :2], axis=0).tolist() == [[0, 1]]
    here, found = hidden[0, 1], labels[0, 1]
    assert here[found == RV].all()
    assert not here[found == LV].any()
    # 4 mm are two voxels: rows 2 to 8 of columns 3 and 4, columns 1 and 2 of rows 4 to 6.
    assert here[2:9, 3:5].all()
    assert here[4:7, 1:5].all()
    assert not here[1].any()
    assert not here[:, 0].any()


def test_background_is_hidden_where_the_structure_is_in_other_slices():
    labels = heart(frames=1)
    labels[0, 0] = 0
    labels[0, 1] = np.roll(labels[0, 1], 5, axis=0)
    quality = quality_of(labels, LV=(0, 1, 0.0))

    hidden = hidden_of(StructureGrain(SHORT_AXIS, 0.7, margin_mm=0.0), labels, quality)

    assert hidden[0, 1, 4:7, 6:9].all()
    assert hidden[0, 1, 9:12, 6:9].all()
    assert hidden.sum() == 18


def test_all_background_is_hidden_where_a_frame_has_lost_the_structure():
    labels = heart()
    labels[1][labels[1] == RV] = 0

    hidden = hidden_of(StructureGrain(SHORT_AXIS), labels, quality_of(labels))

    assert not hidden[0].any()
    np.testing.assert_array_equal(hidden[1], labels[1] == 0)


def test_a_part_is_missed_in_the_whole_that_encloses_it():
    labels = np.zeros((1, 3, 6, 7), np.int8)
    labels[:, :, 1:5, 1:6] = 1
    labels[:, (0, 2), 2:4, 2:4] = 3
    quality = quality_of(labels, TUMOUR)

    hidden = hidden_of(StructureGrain(TUMOUR, margin_mm=0.0), labels, quality)

    # Core and enhancing tumour are missed in slice 1, where they would be taken for oedema.
    assert hidden[0, 1, 2:4, 2:4].all()
    assert hidden.sum() == 4


def test_what_an_error_map_calls_wrong_goes_with_a_bad_structure():
    labels = heart(frames=1)
    errors = np.zeros(labels.shape, np.float16)
    errors[0, :, 11, 14] = 0.6
    errors[0, :, 11, 13] = 0.5
    judged = quality_of(labels, RV=(0, 1, 0.3))
    quality = Quality("a", 0.9, slice_dice=judged.slice_dice, error_maps={"RV": errors})

    hidden = hidden_of(StructureGrain(SHORT_AXIS, margin_mm=0.0), labels, quality)

    assert np.argwhere(hidden[0, :, 11]).tolist() == [[1, 14]]


def test_error_maps_stand_in_for_the_dice_of_slices():
    labels = heart(frames=1)
    errors = {s.name: np.zeros(labels.shape, np.float32) for s in SHORT_AXIS.structures}
    errors["LV"][0, 2, 4:6, 6:9] = 1.0
    errors["RV"][0, 1, 0, :4] = 1.0
    quality = Quality("a", 0.9, error_maps=errors)

    # LV: 3 of 9 are right, so 2 * 3 / (9 + 3) = .5. RV: 6 right, 4 missed, so 12 / 16 = .75.
    for min_slice_dice, slices in ((0.49, []), (0.51, [2]), (0.76, [1, 2])):
        hidden = hidden_of(SliceGrain(SHORT_AXIS, min_slice_dice), labels, quality)
        assert np.flatnonzero(hidden.all(axis=(0, 2, 3))).tolist() == slices


def test_voxels_with_a_likely_error_are_hidden():
    labels = heart()
    errors = np.zeros(labels.shape, np.float16)
    errors[1, 2, 3, 4:7] = 0.4, 0.5, 0.6

    hidden = hidden_of(
        VoxelGrain(SHORT_AXIS), labels, Quality("a", 0.9, error_maps={"RV": errors})
    )

    assert np.argwhere(hidden).tolist() == [[1, 2, 3, 6]]


def test_voxels_on_which_segmenters_disagree_are_hidden():
    labels = heart()
    disagreement, entropy = np.zeros((2, *labels.shape), np.float32)
    disagreement[0, 0, 0, 0] = 1 / 255
    entropy[1, 1, 1, 1] = 0.3
    entropy[1, 1, 1, 2] = np.nan
    uncertainty = uncertainty_of(labels, disagreement=disagreement, entropy=entropy)
    predicted = prediction_of(labels, uncertainty)

    def hidden(**bounds):
        found = VoxelGrain(SHORT_AXIS, **bounds)(predicted, Quality("a", 0.9))
        return np.argwhere(found[:] == UNLABELLED).tolist()

    assert hidden(max_disagreement=0.0) == [[0, 0, 0, 0]]
    assert hidden(max_disagreement=0.5, max_entropy=0.5) == [[1, 1, 1, 2]]
    assert hidden(max_disagreement=None, max_entropy=0.2) == [[1, 1, 1, 1], [1, 1, 1, 2]]


def test_labels_are_read_as_from_an_array():
    labels = heart()
    found = SliceGrain(SHORT_AXIS)(prediction_of(labels), quality_of(labels, LV=(1, 2, 0.1)))
    whole = labels.copy()
    whole[1, 2] = UNLABELLED

    for key in (0, -1, slice(None), slice(1, 2), (1, 2), (slice(None), 2), (1, ..., 3), ...):
        np.testing.assert_array_equal(found[key], whole[key])
    assert found.shape == labels.shape
    assert found[0].dtype == np.int8
    with pytest.raises(IndexError):
        found[2]
    with pytest.raises(IndexError, match="by number or slice"):
        found[[0, 1]]


def test_a_study_learns_from_what_is_left():
    labels = heart()
    predicted = prediction_of(labels)
    found = FrameGrain(SHORT_AXIS)(predicted, quality_of(labels, LV=(1, slice(None), 0.1)))

    study = Study("a", predicted.image, np.full_like(labels, -1), SPACING).with_labels(found)

    assert study.labelled_frames == (0,)


def test_only_frames_that_are_asked_for_are_read():
    class Voxels:
        def __init__(self, array):
            self.array, self.shape, self.read = array, array.shape, []

        def __getitem__(self, key):
            self.read.append(key)
            return self.array[key]

    labels = heart(frames=3)
    errors = Voxels(np.zeros(labels.shape, np.float32))
    grain = VoxelGrain(SHORT_AXIS)
    found = grain(prediction_of(labels), Quality("a", 0.9, error_maps={"LV": errors}))

    found[1]

    assert errors.read == [1]


def test_the_share_that_is_kept_is_told():
    labels = heart(frames=1)
    found = SliceGrain(SHORT_AXIS)(prediction_of(labels), quality_of(labels, LV=(0, 2, 0.1)))

    decision = after_grain(Decision("a", True, "rank 1", 0.5), found.kept)

    assert found.kept.voxels == found.kept.foreground == 0.75
    assert decision.admitted
    assert decision.weight == 0.5
    assert decision.reason == "rank 1; 75.0% of voxels kept, 75.0% of those segmented"


def test_a_study_of_which_nothing_is_left_is_refused():
    labels = heart(frames=1)
    quality = quality_of(labels, LV=(0, slice(None), 0.1))
    found = SliceGrain(SHORT_AXIS)(prediction_of(labels), quality)

    decision = after_grain(Decision("a", True, "rank 1"), found.kept)

    assert decision == Decision("a", False, "rank 1; refused, for no voxel is left")
    refused = Decision("a", False, "rank 9")
    assert after_grain(refused, found.kept) is refused


def test_a_study_with_background_alone_left_is_refused():
    labels = heart(frames=1)
    quality = quality_of(labels, LV=(0, slice(None), 0), RV=(0, slice(None), 0))
    found = StructureGrain(SHORT_AXIS, margin_mm=0)(prediction_of(labels), quality)
    empty = StudyGrain(SHORT_AXIS)(prediction_of(np.zeros_like(labels)), Quality("a", 0))

    for one in (found, empty):
        decision = after_grain(Decision("a", True, "rank 1"), one.kept)
        assert decision.reason == "rank 1; refused, for no segmented voxel is left"
        assert not decision.admitted


@pytest.mark.parametrize("name", sorted(GRAINS))
@pytest.mark.parametrize(
    ("scheme", "shape", "modalities"),
    [(AORTA, (30, 1, 8, 9), 1), (TUMOUR, (1, 5, 8, 9), 4), (SHORT_AXIS, (1, 1, 8, 9), 1)],
)
@pytest.mark.parametrize("is_empty", [False, True])
def test_every_grain_works_on_every_kind_of_study(name, scheme, shape, modalities, is_empty):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1 if is_empty else len(scheme.classes), shape).astype(np.int8)
    dice = {s.name: rng.random(shape[:2]) for s in scheme.structures}
    errors = {s.name: rng.random(shape).astype(np.float16) for s in scheme.structures}
    predicted = prediction_of(labels, modalities=modalities)
    for quality in (
        Quality("a", 0.5, slice_dice=dice, error_maps=errors),
        Quality("a", 0.5, error_maps=errors),
    ):
        found = GRAINS[name](scheme)(predicted, quality)

        is_left = found[:] != UNLABELLED
        np.testing.assert_array_equal(found[:][is_left], labels[is_left])
        assert found.kept.voxels == pytest.approx(is_left.mean())
        after_grain(Decision("a", True, ""), found.kept)


@pytest.mark.parametrize("grain", [*BY_DICE, VoxelGrain(SHORT_AXIS)])
def test_an_estimator_that_says_too_little_is_refused(grain):
    with pytest.raises(ValueError, match=r"a: th(is|e) grain .*needs"):
        grain(prediction_of(heart()), Quality("a", 0.5))


def test_voxels_need_a_bound_for_what_there_is():
    labels = heart()
    grain = VoxelGrain(SHORT_AXIS, max_error=None, max_disagreement=None)

    with pytest.raises(ValueError, match="there is neither"):
        grain(prediction_of(labels, uncertainty_of(labels)), Quality("a", 0.5))


def test_a_quality_of_something_else_is_refused():
    labels = heart()
    with pytest.raises(ValueError, match="a: the quality is of b"):
        StudyGrain(SHORT_AXIS)(prediction_of(labels), Quality("b", 0.5))
    with pytest.raises(ValueError, match=r"Dice of slices has shape \(1, 4\)"):
        SliceGrain(SHORT_AXIS)(prediction_of(labels), quality_of(labels[:1]))
    short = Quality("a", 0.5, error_maps={"LV": np.zeros((1, 4, 12, 15))})
    with pytest.raises(ValueError, match="error map of LV has shape"):
        VoxelGrain(SHORT_AXIS)(prediction_of(labels), short)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SliceGrain(SHORT_AXIS, 1.5), r"min_slice_dice must lie in \[0, 1\], got 1.5"),
        (
            lambda: StructureGrain(SHORT_AXIS, margin_mm=-1),
            r"margin_mm must lie in \[0, 1000\], got -1",
        ),
        (
            lambda: StructureGrain(SHORT_AXIS, min_slice_dice=-1),
            r"min_slice_dice must lie in \[0, 1\]",
        ),
        (lambda: VoxelGrain(SHORT_AXIS, max_error=2), r"must lie in \[0, 1\], got 2"),
    ],
)
def test_a_senseless_setting_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Soft grains


def test_slices_weigh_the_square_of_their_estimated_dice():
    labels = heart()
    quality = quality_of(labels, LV=(1, 2, 0.3), RV=(1, 2, 0.6), MYO=(1, 2, np.nan))

    found = SoftSliceGrain(SHORT_AXIS)(prediction_of(labels), quality)

    assert (found[:] == labels).all()
    weights = found.weights[:]
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights[1, 2], 0.45**2, rtol=1e-6)
    np.testing.assert_allclose(weights[0], 0.81, rtol=1e-6)
    np.testing.assert_allclose(found.weights[1, 2, 4, 6:8], 0.45**2, rtol=1e-6)


def test_a_missed_structure_weighs_nothing_and_an_empty_end_as_the_others():
    labels = heart(frames=1, slices=5)
    labels[0, 2][labels[0, 2] == LV] = 0
    labels[0, 4] = 0
    quality = quality_of(labels, MYO=(slice(None), slice(None), np.nan))
    quality.slice_dice["LV"][0, 2] = np.nan
    for name in ("LV", "RV"):
        quality.slice_dice[name][0, 4] = np.nan

    weights = SoftSliceGrain(SHORT_AXIS)(prediction_of(labels), quality).weights[0][:, 0, 0]

    # The third slice has an RV of .9 and an LV that is missed; of the last nothing is known.
    np.testing.assert_allclose(weights[:3], [0.81, 0.81, 0.45**2], rtol=1e-6)
    np.testing.assert_allclose(weights[4], ((3 * 0.9 + 0.45) / 4) ** 2, rtol=1e-6)


def test_voxels_weigh_the_probability_that_no_structure_is_wrong():
    labels = heart(frames=1)
    maps = {name: np.zeros(labels.shape, np.float32) for name in ("LV", "RV")}
    maps["LV"][..., 0], maps["RV"][..., :2] = 0.3, 0.4
    maps["LV"][..., 2] = np.nan
    quality = Quality("a", 0.9, error_maps=maps)
    disagreement = np.full(labels.shape, 0.25, np.float32)
    unsure = prediction_of(labels, uncertainty_of(labels, disagreement=disagreement))
    grain = SoftVoxelGrain(SHORT_AXIS)

    by_maps = grain(unsure, quality).weights[0, 0, 0]
    by_members = grain(unsure, Quality("a", 0.9)).weights[0]

    np.testing.assert_allclose(by_maps[:4], [0.6, 0.6, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(by_members, 0.75)


@pytest.mark.parametrize("grain", [SoftSliceGrain(SHORT_AXIS), SoftVoxelGrain(SHORT_AXIS)])
def test_soft_grains_need_to_know_of_parts(grain):
    with pytest.raises(ValueError, match=r"a: th(is|e) grain .*need"):
        grain(prediction_of(heart()), Quality("a", 0.5))


def test_voxels_are_weighed_by_error_maps_before_the_members():
    labels = heart(frames=1)
    unsure = prediction_of(labels, uncertainty_of(labels))
    maps = {"LV": np.zeros(labels.shape, np.float32)}
    grain = SoftVoxelGrain(SHORT_AXIS)

    assert grain.needs_error_maps(unsure, Quality("a", 0.9))
    assert not grain.needs_error_maps(unsure, Quality("a", 0.9, error_maps=maps))


def test_a_study_of_which_no_segmented_voxel_counts_is_refused():
    labels = heart(frames=1)
    errors = (labels > 0).astype(np.float32)
    found = SoftVoxelGrain(SHORT_AXIS)(
        prediction_of(labels), Quality("a", 0.9, error_maps={"LV": errors})
    )
    decision = after_grain(Decision("a", True, "rank 1"), found.kept)

    assert not decision.admitted
    assert decision.reason == "rank 1; refused, for no segmented voxel counts"


def test_the_mean_weight_of_what_is_segmented_is_told():
    labels = heart(frames=1)
    errors = np.where(labels > 0, 0.25, 1).astype(np.float32)
    found = SoftVoxelGrain(SHORT_AXIS)(
        prediction_of(labels), Quality("a", 0.9, error_maps={"LV": errors})
    )

    assert found.kept.weight == 0.75
    decision = after_grain(Decision("a", True, "rank 1"), found.kept)
    assert decision.reason.endswith("100.0% of those segmented, of weight 0.75 on average")
    assert StudyGrain(SHORT_AXIS)(prediction_of(labels), Quality("a", 1)).kept.weight == 1
