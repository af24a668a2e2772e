from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from builders import study_of
from segmenter_builders import SQUARE, Watched, bright_square, small_unet
from sklearn.exceptions import NotFittedError

from qc.frames import frame_of
from segmenters import (
    FCN,
    DropoutSamples,
    Ensemble,
    FeatureSpace,
    TestTimeAugmentation,
    UNet,
    View,
    segment_with_uncertainty,
)
from segmenters.uncertainty import mean_confidence, pairwise_dice, relative_entropy
from semiqc.files.predictions import PredictionWriter, predicted_labels, predicted_uncertainty
from semiqc.images.frames import prediction_of_frame, study_of_frame
from semiqc.schemes import AORTA, SHORT_AXIS
from semiqc.study import Prediction

STUDY = bright_square("new", frames=3, seed=4)


@pytest.fixture(scope="module")
def trained():
    """With dropout, after a few steps."""
    return with_dropout(small_unet(), 0.3).fit([bright_square(), bright_square("b", seed=1)])


def with_dropout(segmenter, dropout):
    return type(segmenter)(
        segmenter.scheme,
        channels=segmenter.channels,
        dropout=dropout,
        training=segmenter.training,
    )


class Said:
    """Members that say what they are told, in every frame."""

    scheme = SQUARE

    def __init__(self, *probabilities):
        self.said = probabilities

    def probabilities(self, frame):
        yield from self.said

    def features(self, frame):
        return np.array([1.0, 2.0])


def certain(square):
    """Probabilities of a square that is sure of itself, ``[2, Z, Y, X]``."""
    inside = np.asarray(square, np.float32)
    return np.stack([1 - inside, inside])


def assert_same(one, other):
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    for name, value in vars(one.uncertainty).items():
        np.testing.assert_array_equal(value, getattr(other.uncertainty, name))


def test_the_uncertainty_is_that_of_the_members_mean():
    study = bright_square(size=(4, 5))
    first, second = np.zeros((2, 3, 4, 5))
    first[0, 0, :4] = 1
    second[0, 0, :2] = 1
    members = Said(certain(first), certain(second), 0.5 * certain(first) + 0.25)
    found = list(segment_with_uncertainty(members, study))
    labels, probabilities, uncertainty = found[1]

    assert len(found) == study.frames
    # Of the square's four voxels, two have 1, 1 and .75, two have 1, 0 and .75.
    np.testing.assert_allclose(
        probabilities[1, 0, 0], [2.75 / 3] * 2 + [1.75 / 3] * 2 + [0.25 / 3]
    )
    assert labels[0, 0].tolist() == [1, 1, 1, 1, 0]
    np.testing.assert_allclose(uncertainty.disagreement[0, 0, 0], [0, 0, 1 / 3, 1 / 3, 0])
    # First and third are alike; the second has two of their four voxels.
    np.testing.assert_allclose(uncertainty.agreement, [[(1 + 2 * (2 * 2) / (2 + 4)) / 3]])
    np.testing.assert_allclose(uncertainty.confidence, [[(2 * 2.75 + 2 * 1.75) / 3 / 4]])
    p = 1.75 / 3
    expected = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert uncertainty.entropy[0, 0, 0, 2] == pytest.approx(expected, rel=1e-6)
    assert uncertainty.features.tolist() == [[1, 2]]


def test_entropy_runs_from_nought_to_one():
    sure, torn = np.zeros((4, 1)), np.full((4, 1), 0.25)
    sure[2] = 1

    assert relative_entropy(sure.astype(np.float32)) == 0
    assert relative_entropy(torn.astype(np.float32)) == pytest.approx(1)
    # One bit, of the two that four classes could have.
    two = np.array([[0.5], [0], [0], [0.5]], np.float32)
    assert relative_entropy(two) == pytest.approx(0.5)


def test_pairs_that_both_lack_a_structure_say_nothing_of_it():
    votes = np.zeros((3, 1, 1, 4), np.int8)
    votes[0, ..., :2] = votes[1, ..., :2] = 3
    votes[2, ..., 0] = 2

    # LV: two alike, and each of them against none. MYO: one against none, twice.
    found = pairwise_dice(votes, SHORT_AXIS)
    np.testing.assert_allclose(found, [1 / 3, 0, np.nan])


def test_the_confidence_in_a_structure_is_that_of_all_its_classes():
    probabilities = np.full((4, 1, 1, 2), 0.1, np.float32)
    probabilities[3, ..., 0] = 0.7
    labels = np.array([[[3, 0]]], np.int8)
    whole = replace(SHORT_AXIS.structures[0], name="whole", values=(1, 2, 3))
    scheme = replace(SHORT_AXIS, structures=(*SHORT_AXIS.structures, whole))

    found = mean_confidence(probabilities, labels, scheme)
    np.testing.assert_allclose(found, [0.7, np.nan, np.nan, 0.9], rtol=1e-6)


def test_cleaned_and_refined_labels_are_what_the_members_are_held_against():
    study = bright_square(size=(4, 5), frames=1)
    square = np.zeros((3, 4, 5))
    square[0, :2, :2] = square[2, 3, 4] = 1
    members = Said(certain(square), certain(square))
    (cleaned,) = segment_with_uncertainty(members, study, clean=True)
    seen = []

    def turn(image, probabilities):
        seen.append(image)
        return 0.8 * probabilities[::-1] + 0.1

    (turned,) = segment_with_uncertainty(members, study, refine=turn)

    assert cleaned.labels.sum() == 4
    assert cleaned.uncertainty.disagreement.sum() == 1
    assert cleaned.uncertainty.agreement == 1
    assert turned.labels.sum() == square.size - 5
    assert (turned.uncertainty.disagreement == 1).all()
    assert (turned.uncertainty.entropy == 0).all()
    np.testing.assert_array_equal(seen, [study.image[:, 0]])


def test_one_member_is_no_uncertainty():
    with pytest.raises(ValueError, match="a: uncertainty needs at least two members, got 1"):
        next(segment_with_uncertainty(Said(certain(np.zeros((3, 24, 20)))), bright_square()))


def test_a_frame_that_is_not_finite_is_named(trained):
    image = np.array(STUDY.image)
    image[0, 2, 0, 0, 0] = np.nan

    with pytest.raises(ValueError, match="new: frame 2 has voxels that are not finite"):
        list(segment_with_uncertainty(DropoutSamples(trained, 2), replace(STUDY, image=image)))


def test_dropout_samples_differ_by_the_seed_and_by_nothing_else(trained):
    before = {name: value.clone() for name, value in trained.network_.state_dict().items()}
    plain = next(trained.predict_frames(STUDY))
    torch.manual_seed(3)
    expected = torch.rand(1).item()
    torch.manual_seed(3)
    members = DropoutSamples(trained, 3, seed=1)
    one, two = (list(segment_with_uncertainty(members, STUDY)) for _ in range(2))

    assert torch.rand(1).item() == expected
    for first, second in zip(one, two, strict=True):
        assert_same(first, second)
    samples = list(members.probabilities(study_of_frame(STUDY, 0)))
    assert (samples[0] != samples[1]).any()
    assert (samples[0] != plain).any()
    other = next(segment_with_uncertainty(DropoutSamples(trained, 3, seed=2), STUDY))
    assert (other.probabilities != one[0].probabilities).any()
    # The network is as it was: nothing is dropped any more.
    np.testing.assert_array_equal(next(trained.predict_frames(STUDY)), plain)
    assert not any(module.training for module in trained.network_.modules())
    for name, value in trained.network_.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_frame_alone_gets_the_uncertainty_that_it_gets_in_its_study(trained):
    members = DropoutSamples(trained, 2)
    *_, last = segment_with_uncertainty(members, STUDY)
    (alone,) = segment_with_uncertainty(members, study_of_frame(STUDY, 2))

    assert_same(last, alone)


def test_dropout_needs_a_network_that_drops_and_several_samples(trained):
    with pytest.raises(ValueError, match="samples need a network with dropout, got 0"):
        DropoutSamples(small_unet())
    with pytest.raises(ValueError, match="samples must be at least 2, got 1"):
        DropoutSamples(trained, 1)
    with pytest.raises(NotFittedError):
        next(segment_with_uncertainty(DropoutSamples(with_dropout(small_unet(), 0.1), 2), STUDY))


def test_only_one_frame_of_the_image_is_read_at_a_time(trained):
    image = Watched(STUDY.image)
    list(segment_with_uncertainty(DropoutSamples(trained, 3), replace(STUDY, image=image)))

    assert [key[1] for key in image.keys] == [slice(t, t + 1) for t in range(3)]


def test_an_ensemble_predicts_the_mean_of_its_members(trained, tmp_path):
    other = small_unet(seed=5).fit([bright_square()])
    ensemble = Ensemble([trained, other])
    both = zip(trained.predict_frames(STUDY), other.predict_frames(STUDY), strict=True)
    expected = [(one + two) / 2 for one, two in both]

    np.testing.assert_allclose(list(ensemble.predict_frames(STUDY)), expected, atol=1e-6)
    found = [one.probabilities for one in segment_with_uncertainty(ensemble, STUDY)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    ensemble.save(tmp_path / "ensemble")
    blank = Ensemble([with_dropout(small_unet(), 0.3), small_unet()]).load(tmp_path / "ensemble")
    np.testing.assert_array_equal(
        list(blank.predict_frames(STUDY)), list(ensemble.predict_frames(STUDY))
    )


def test_an_ensemble_fits_each_of_its_members(tmp_path):
    members = [small_unet(steps=2), small_unet(steps=2, seed=1)]
    heard = []
    Ensemble(members).fit([bright_square()], observe=lambda step, _: heard.append(step))
    alone = small_unet(steps=2, seed=1).fit([bright_square()])

    assert heard == [1, 2, 1, 2]
    np.testing.assert_array_equal(
        next(members[1].predict_frames(STUDY)), next(alone.predict_frames(STUDY))
    )


def test_members_of_an_ensemble_must_suit_each_other():
    with pytest.raises(ValueError, match="needs at least two segmenters, got 1"):
        Ensemble([small_unet()])
    with pytest.raises(ValueError, match=r"got square \(1\) and aorta \(1\)"):
        Ensemble([small_unet(), UNet(AORTA)])


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(mirrored=("y",)),
        View(mirrored=("y", "x")),
        View(shift=(1 / 24, -2 / 20)),
        View(rotation=10, shift=(0.02, 0.03), mirrored=("x",)),
    ],
)
def test_a_view_is_taken_back(view):
    image = np.zeros((1, 2, 24, 20), np.float32)
    image[..., 8:15, 6:13] = 1
    seen = view.of(image)

    back = view.back(seen)
    assert back.shape == image.shape
    if view.rotation:
        assert np.abs(back - image).mean() < 0.05
    else:
        np.testing.assert_allclose(back, image, atol=1e-4)
    assert (view == View()) == np.array_equal(seen, image)


def test_a_view_mirrors_and_shifts_the_image_it_says():
    image = np.arange(30, dtype=np.float32).reshape(1, 1, 5, 6)

    np.testing.assert_allclose(View(mirrored=("y",)).of(image), image[:, :, ::-1], atol=1e-4)
    np.testing.assert_allclose(View(mirrored=("x",)).of(image), image[..., ::-1], atol=1e-4)
    # Two rows down and one column left, by the share of the field of view.
    shifted = View(shift=(2 / 5, -1 / 6)).of(image)
    np.testing.assert_allclose(shifted[0, 0, :3, 1:], image[0, 0, 2:, :-1], atol=1e-4)
    np.testing.assert_allclose(View(contrast=2, brightness=1).of(image), 2 * image + 1)


def test_a_view_turns_the_image_in_voxels():
    image = np.zeros((1, 1, 24, 20), np.float32)
    image[..., 8:16, 8:12] = 1
    turned = np.zeros_like(image)
    turned[..., 10:14, 6:14] = 1

    np.testing.assert_allclose(View(rotation=90).of(image), turned, atol=1e-4)


def test_views_mirror_only_what_the_scheme_allows(trained):
    upright = TestTimeAugmentation(trained, 20)
    trained_aorta = UNet(AORTA, channels=(4, 8))

    assert upright.views[0] == View()
    assert not any(view.mirrored for view in upright.views)
    assert {view.mirrored for view in TestTimeAugmentation(trained_aorta, 40).views} == {
        (), ("y",), ("x",), ("y", "x"),
    }  # fmt: skip
    assert (
        TestTimeAugmentation(trained, 4, seed=1).views
        == TestTimeAugmentation(trained, 4, seed=1).views
    )
    assert (
        TestTimeAugmentation(trained, 4, seed=1).views
        != TestTimeAugmentation(trained, 4, seed=2).views
    )
    with pytest.raises(ValueError, match="count must be at least 2, got 1"):
        TestTimeAugmentation(trained, 1)


def test_views_agree_where_the_segmenter_sees_the_same(trained):
    found = list(segment_with_uncertainty(TestTimeAugmentation(trained, 4), STUDY))
    first = next(TestTimeAugmentation(trained, 4).probabilities(study_of_frame(STUDY, 0)))

    np.testing.assert_array_equal(first, next(trained.predict_frames(STUDY)))
    np.testing.assert_allclose(found[0].probabilities.sum(axis=0), 1, atol=1e-4)
    assert 0.5 < found[0].uncertainty.agreement[0, 0] < 1


@pytest.mark.parametrize("kind", [UNet, FCN])
def test_deep_features_are_those_of_the_deepest_level(kind):
    segmenter = kind(SQUARE, channels=(4, 8, 12), training=small_unet(steps=1).training)
    segmenter.fit([bright_square()])
    found = list(segmenter.deep_features(STUDY))

    assert [one.shape for one in found] == [(12,)] * 3
    seen = []
    bottom = segmenter.deepest(segmenter.network_)
    with torch.no_grad(), bottom.register_forward_hook(lambda *given: seen.append(given[2])):
        next(segmenter.predict_frames(STUDY))
    np.testing.assert_allclose(found[0], seen[0].float().mean(dim=(0, 2, 3)), rtol=1e-4)
    assert seen[0].shape[2:] == (6, 5)  # A quarter of the rows and columns.


def test_features_are_deviations_from_what_was_learned(trained):
    learned = [bright_square(f"s{n}", seed=n, frames=4, labelled=(0, 1, 2, 3)) for n in range(5)]
    space = FeatureSpace.of(trained, learned)
    frames = [study_of_frame(study, t) for study in learned for t in range(4)]
    deviations = np.stack([space.deviation(frame) for frame in frames])
    strange = replace(frames[0], image=3 * np.asarray(frames[0].image[:])[..., ::-1, :])

    np.testing.assert_allclose(deviations.mean(axis=0), 0, atol=1e-6)
    assert np.sqrt((deviations**2).mean()) == pytest.approx(1, abs=0.4)
    assert np.linalg.norm(space.deviation(strange)) > np.linalg.norm(deviations, axis=1).max()
    one = FeatureSpace.of(trained, [bright_square()])
    assert np.isfinite(one.deviation(strange)).all()
    with pytest.raises(ValueError, match="needs a labelled frame, got none in 1"):
        FeatureSpace.of(trained, [bright_square(labelled=())])


def test_members_give_features_only_where_the_space_is_known(trained):
    space = FeatureSpace.of(trained, [bright_square(), bright_square("b", seed=1)])
    frame = study_of_frame(STUDY, 1)

    for blank, knowing in (
        (DropoutSamples(trained, 2), DropoutSamples(trained, 2, space=space)),
        (TestTimeAugmentation(trained, 2), TestTimeAugmentation(trained, 2, space=space)),
        (Ensemble([trained] * 2), Ensemble([trained] * 2, space=space)),
    ):
        assert blank.features(frame).shape == (0,)
        np.testing.assert_array_equal(knowing.features(frame), space.deviation(frame))


def test_uncertainty_comes_back_from_a_file(trained, tmp_path):
    members = DropoutSamples(trained, 3, space=FeatureSpace.of(trained, [bright_square()]))
    frames = list(segment_with_uncertainty(members, STUDY))
    with PredictionWriter(tmp_path / "p.h5") as writer:
        writer.add(STUDY, iter(frames))
        writer.add(study_of("bare"), [(np.zeros((2, 5, 6)), np.zeros((4, 2, 5, 6)))] * 3)
    found = predicted_uncertainty(tmp_path / "p.h5", "new")

    assert found.entropy.shape == STUDY.labels.shape
    for name in ("entropy", "disagreement"):
        expected = np.concatenate([getattr(one.uncertainty, name) for one in frames])
        np.testing.assert_allclose(getattr(found, name)[:], expected, atol=0.5 / 255 + 1e-6)
    for name in ("agreement", "confidence", "features"):
        expected = np.concatenate([getattr(one.uncertainty, name) for one in frames])
        np.testing.assert_array_equal(getattr(found, name), expected)
    assert predicted_uncertainty(tmp_path / "p.h5", "bare") is None
    np.testing.assert_array_equal(predicted_labels(tmp_path / "p.h5", "new")[1], frames[1].labels)
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["new/evidence/entropy"].dtype == np.uint8


def test_uncertainty_of_some_frames_only_is_refused(tmp_path):
    frame = next(segment_with_uncertainty(Said(*[certain(np.zeros((3, 24, 20)))] * 2), STUDY))
    with (
        pytest.raises(ValueError, match="new: 1 of 3 frames have uncertainty"),
        PredictionWriter(tmp_path / "p.h5") as writer,
    ):
        writer.add(STUDY, [frame, frame[:2], frame[:2]])

    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_a_prediction_has_its_own_uncertainty(trained, tmp_path):
    with PredictionWriter(tmp_path / "p.h5") as writer:
        writer.add(STUDY, segment_with_uncertainty(DropoutSamples(trained, 2), STUDY))
    uncertainty = predicted_uncertainty(tmp_path / "p.h5", "new")
    whole = Prediction("new", STUDY.image, STUDY.labels, STUDY.spacing, uncertainty=uncertainty)

    for one in (frame_of(whole, 2).uncertainty, prediction_of_frame(whole, 2).uncertainty):
        np.testing.assert_array_equal(one.entropy[0], uncertainty.entropy[2])
        np.testing.assert_array_equal(one.agreement, uncertainty.agreement[2:])
        assert one.disagreement.shape == (1, *STUDY.labels.shape[1:])
    assert frame_of(replace(whole, uncertainty=None), 2).uncertainty is None
