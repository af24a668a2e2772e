from dataclasses import replace

import numpy as np
import pytest
import torch
from curve_builders import SPACING, graded_hearts, heart, prediction_of
from lightning_fabric import Fabric
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qc.base import Graded, unobserved
from qc.estimators.manifold.estimator import ManifoldSearch, curve
from qc.estimators.manifold.network import Pairs, PairVAE, divergence, pair_losses
from qc.estimators.manifold.pairs import good_regions, pairs_of, region_of
from qc.estimators.manifold.path import Search
from qc.estimators.manifold.training import PairTraining, confused, holed, lost, shifted, spoilt
from qc.frames import graded_frames
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED
from semiqc.study import Prediction

SMALL = {
    "size": (32, 48),
    "width": 8,
    "steps": 150,
    "learning_rate": 1e-2,
    "search_steps": 10,
    "device": "cpu",
}


def first_frames(graded):
    """Only the first six frames, for speed."""
    whole = graded.prediction
    prediction = replace(whole, image=whole.image[:, :6], labels=whole.labels[:6])
    return replace(graded, prediction=prediction, reference=graded.reference[:6])


GRADED = [first_frames(one) for one in graded_hearts(8)]
PREDICTIONS = [one.prediction for one in GRADED]


@pytest.fixture(scope="module")
def fitted():
    return ManifoldSearch(SHORT_AXIS, **SMALL).fit(GRADED)


def scores(estimator, predictions):
    return [quality.score for quality in estimator.predict(predictions)]


def pairs_like(count, rows, columns, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, rows, columns, generator=generator)
    return Pairs(images, torch.randint(0, 2, (count, rows, columns), generator=generator))


def test_losses_are_means_over_labelled_voxels():
    images = torch.full((1, 2, 1, 4), 0.5)
    logits = torch.zeros(1, 2, 1, 4)
    logits[:, 1, :, 0] = np.log(3)
    given = Pairs(torch.zeros(1, 2, 1, 4), torch.tensor([[[1, 0, UNLABELLED, UNLABELLED]]]))
    given.images[..., 1] = 0.1

    segmentation, image = pair_losses((images, logits), given)

    # Probability of the true class 3/4 and 1/2; squared errors .25 and .16.
    assert segmentation.item() == pytest.approx((np.log(4 / 3) + np.log(2)) / 2, rel=1e-6)
    assert image.item() == pytest.approx((0.25 + 0.16) / 2)


def test_nothing_labelled_has_no_loss():
    given = Pairs(torch.zeros(1, 1, 2, 2), torch.full((1, 2, 2), UNLABELLED))

    found = pair_losses((torch.ones(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)), given)

    assert [loss.item() for loss in found] == [0, 0]


def test_the_divergence_from_the_standard_normal_by_hand():
    mean, variance = torch.tensor([[0.0, 0], [1, 2]]), torch.tensor([[1.0, 1], [1, np.e]])

    # Half the mean of 1 and 4 + e - 1 - 1.
    found = divergence(mean, variance.log())
    assert found.tolist() == pytest.approx([0, (1 + 4 + np.e - 2) / 4])


def test_pairs_come_back_in_their_shapes():
    network = PairVAE(2, 4, (16, 48), latent=3, width=2)
    given = Pairs(torch.rand(5, 2, 16, 48), torch.full((5, 16, 48), UNLABELLED))

    mean, log_variance = network.encode(given)
    images, logits = network.decode(mean)

    assert mean.shape == log_variance.shape == (5, 3)
    assert images.shape == (5, 2, 16, 48)
    assert logits.shape == (5, 4, 16, 48)
    assert 0 < images.min() < images.max() < 1


def test_a_size_that_cannot_be_halved_four_times_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 16, got \(96, 90\)"):
        ManifoldSearch(SHORT_AXIS, size=(96, 90), steps=1).fit(GRADED[:1])


def line(slopes):
    """A manifold of black to bright images with a latent each, and its pairs at brightness 1."""

    def decode(latents):
        bright = latents[:, :1, None, None] * slopes
        return bright.expand(-1, 1, 2, 3), torch.zeros(len(latents), 2, 2, 3)

    return decode


def bright_pairs(*brightness):
    images = torch.tensor(brightness).view(-1, 1, 1, 1).expand(-1, 1, 2, 3)
    return Pairs(images, torch.zeros(len(brightness), 2, 3, dtype=torch.int64))


def test_the_search_finds_the_nearest_pair():
    search = Search(steps=200, learning_rate=0.05, tolerance=0, image_weight=1)

    found = search.run(line(0.5), torch.zeros(2, 1), bright_pairs(0.4, -0.2))

    # Half of the latent is the brightness.
    assert found.flatten().tolist() == pytest.approx([0.8, -0.4], abs=0.02)


def test_a_pair_leaves_the_search_when_it_has_converged():
    searching = []
    search = Search(steps=40, learning_rate=0.1, tolerance=1e-3, image_weight=1)

    search.run(
        line(1.0),
        torch.zeros(2, 1),
        bright_pairs(0.0, 3.0),
        lambda items, latents: searching.append(items.tolist()),
    )

    # The first starts where it belongs, and five steps later has not improved.
    assert searching[:6] == [[0, 1]] * 6
    assert searching[6] == [1]
    assert len(searching) > 20


def test_a_search_that_has_moved_away_returns_to_the_best():
    found = Search(steps=3, learning_rate=5.0, tolerance=0, image_weight=1).run(
        line(1.0), torch.zeros(1, 1), bright_pairs(0.1)
    )

    assert found.item() == 0


def test_a_pair_is_searched_as_if_it_were_alone():
    torch.manual_seed(0)
    network = PairVAE(1, 2, (16, 16), latent=3, width=2)
    given = pairs_like(4, 16, 16)
    search = Search(steps=15, learning_rate=0.2, tolerance=0.02, image_weight=2)

    together = search.run(network.decode, torch.zeros(4, 3), given)
    alone = [
        search.run(network.decode, torch.zeros(1, 3), given.of(torch.tensor([number])))
        for number in range(4)
    ]

    torch.testing.assert_close(torch.cat(alone), together, atol=1e-4, rtol=1e-4)


def test_the_image_counts_in_the_search_by_its_weight():
    def decode(latents):
        bright = latents.view(-1, 1, 1, 1)
        logits = torch.cat([bright, torch.zeros_like(bright)], dim=1)
        return bright.expand(-1, 1, 2, 3), logits.expand(-1, 2, 2, 3)

    # The labels want a latent as large as can be, the image none.
    weights = (0.0, 1.0, 100.0)
    ends = [
        Search(60, 0.1, 0, weight).run(decode, torch.zeros(1, 1), bright_pairs(0.0)).item()
        for weight in weights
    ]

    assert ends[0] > 2
    assert ends[0] > 2 * ends[1]
    assert 0 <= ends[2] < 0.05


def test_a_region_is_scaled_to_its_own_percentiles():
    labels = np.zeros((2, 40, 50), np.int8)
    labels[:, 10:20, 10:20] = 1
    image = np.linspace(-3, 5, 2 * labels.size, dtype=np.float32).reshape(2, *labels.shape)

    region = region_of(image, labels, (32, 32))

    assert region.images.shape == (2, 2, 32, 32)
    for modality in (0, 1):
        found = region.images[:, modality]
        assert (found.min(), found.max()) == (0, 1)
        assert np.isclose((found == 0).mean(), 0.01, atol=2e-3)


def test_a_region_beyond_the_frame_is_black_and_unlabelled():
    labels = np.ones((1, 20, 48), np.int8)

    unknown, cold = (
        region_of(np.full((1, 1, 20, 48), value, np.float32), labels, (32, 48))
        for value in (np.nan, -5)
    )

    assert (unknown.labels == UNLABELLED).sum() == 12 * 48
    assert (unknown.images == 0).all()
    assert (cold.images[:, 0][cold.labels == UNLABELLED] == 0).all()


def test_references_teach_once_and_predictions_from_a_dice():
    truth = heart("once", frames=2)
    blank = np.zeros_like(truth)
    items = [
        Graded(prediction_of("a", labels, truth=truth), truth, dice=np.full((2, 3), dice))
        for labels, dice in ((blank, 0.0), (np.roll(truth, 1, -1), 0.7), (truth, 0.9))
    ]
    frames = graded_frames(items)

    counts = [len(good_regions(frames, SHORT_AXIS, (32, 32), least)) for least in (None, 0.9, 0.5)]

    # Two frames; each of one or of two predictions beside it.
    assert counts == [2, 4, 6]


def test_a_spoilt_segmentation_is_lost_confused_shifted_or_holed():
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(30, 48, dtype=torch.int64)
    labels[12:18, 20:28], labels[14:16, 22:26] = 1, 2

    assert not lost(labels, 3, generator).any()
    for _ in range(20):
        swap, move, hole = (kind(labels, 3, generator) for kind in (confused, shifted, holed))

        # One of two classes keeps its place; the other has gone to one class throughout.
        kept = [bool((swap[labels == c] == c).all()) for c in (1, 2)]
        assert any(kept)
        assert all(len(swap[labels == c].unique()) == 1 for c in (0, 1, 2))
        assert (move.flatten().bincount() == labels.flatten().bincount()).all()
        rows, columns = torch.nonzero(move).T
        assert abs(rows.float().mean() - 14.5) <= 6
        assert abs(columns.float().mean() - 23.5) <= 10
        missing = torch.nonzero(hole != labels)
        assert (hole[hole != labels] == 0).all()
        assert (
            not len(missing) or (missing.amax(0) - missing.amin(0) < torch.tensor([11, 17])).all()
        )


def test_as_many_segmentations_are_spoilt_as_asked_for():
    labels = torch.full((400, 9, 12), UNLABELLED)
    labels[:, 3:6] = 1

    def share(probability):
        shown = spoilt(labels, 2, probability, torch.Generator().manual_seed(1))
        assert (shown[labels == UNLABELLED] == UNLABELLED).all()
        return (shown != labels).flatten(1).any(dim=1).float().mean()

    # A shift along the rows, a hole beside and a class taken for itself are not seen.
    assert share(0.0) == 0
    assert 0.5 < share(1.0) < 1
    assert 0.2 < share(0.5) / share(1.0) < 0.8


def test_slices_that_nobody_labelled_are_not_drawn():
    labels = torch.full((5, 16, 16), UNLABELLED)
    labels[3] = 1
    images = torch.full((5, 1, 16, 16), torch.nan)
    images[3] = 0.5
    training = PairTraining(
        steps=4, batch_size=3, learning_rate=1e-3, beta=0.0, augmentation=0.0, spoiling=0.0,
        mirror_axes=(), seed=0,
    )  # fmt: skip
    network = PairVAE(1, 2, (16, 16), latent=2, width=2)

    training.run(network, Pairs(images, labels), Fabric(accelerator="cpu"), unobserved)

    assert all(weight.isfinite().all() for weight in network.parameters())


def test_unlabelled_voxels_are_of_no_class_to_the_encoder():
    seen = []
    network = PairVAE(1, 3, (16, 16), latent=2, width=2)
    network.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    labels = torch.full((1, 16, 16), UNLABELLED)
    labels[0, 0, :3] = torch.arange(3)

    network.encode(Pairs(torch.rand(1, 1, 16, 16), labels))

    assert seen[0][0, 1:, 0, :4].T.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_a_calibrating_line_rises_through_the_true_dice():
    found = curve(np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.1, np.nan, 0.5, 0.4]))

    # The last two are against the order, and share their mean.
    assert np.interp([0.0, 0.2, 0.6, 1.0], *found) == pytest.approx([0.1, 0.1, 0.45, 0.45])
    assert np.interp(0.3, *curve(np.array([0.2]), np.array([np.nan]))) == 0.3


def test_the_constructor_only_stores():
    estimator = ManifoldSearch(SHORT_AXIS, **SMALL)

    assert vars(estimator) == estimator.get_params(deep=False)
    assert clone(estimator).get_params() == estimator.get_params()
    for ask in (estimator.predict, lambda predictions: estimator.surrogates(predictions[0])):
        with pytest.raises(NotFittedError):
            ask(PREDICTIONS)
    with pytest.raises(NotFittedError):
        estimator.arrays()


def test_good_predictions_rank_above_erroneous_ones(fitted):
    unseen = [first_frames(one) for one in graded_hearts(5, first=200)]
    found = np.array(scores(fitted, [one.prediction for one in unseen]))
    is_good = np.array([one.is_good for one in unseen])

    assert np.mean(np.greater.outer(found[is_good], found[~is_good])) > 0.9


def test_each_frame_and_slice_is_judged(fitted):
    (quality,) = fitted.predict(PREDICTIONS[:1])
    frames = PREDICTIONS[0].frames

    assert fitted.estimates_slices
    assert list(quality.dice) == [structure.name for structure in SHORT_AXIS.structures]
    assert all(dice.shape == (frames, 4) for dice in quality.slice_dice.values())
    assert quality.score == pytest.approx(np.mean(list(quality.dice.values())))
    assert fitted.predict([]) == []


def test_a_study_is_judged_the_same_whoever_is_beside_it_and_changes_nothing(fitted):
    learned = {name: array.copy() for name, array in fitted.arrays().items()}
    together = scores(fitted, PREDICTIONS[:4])

    assert scores(fitted, PREDICTIONS[3::-1])[::-1] == together
    assert scores(fitted, PREDICTIONS[1:2]) == together[1:2]
    for name, array in fitted.arrays().items():
        np.testing.assert_array_equal(array, learned[name])


def test_the_dice_is_that_with_the_surrogate(fitted):
    prediction = PREDICTIONS[1]
    (quality,) = fitted.predict([prediction])
    surrogate = fitted.surrogates(prediction)

    assert surrogate.shape == prediction.labels.shape
    assert surrogate.dtype == np.int8
    for structure in SHORT_AXIS.structures:
        mine, other = structure.mask(prediction.labels), structure.mask(surrogate)
        sizes = mine.sum((1, 2, 3)) + other.sum((1, 2, 3))
        of_frames = 2 * (mine & other).sum((1, 2, 3)) / np.maximum(sizes, 1)
        of_frames = np.where(mine.any((1, 2, 3)), of_frames, 0)
        assert quality.dice[structure.name] == pytest.approx(of_frames.mean(), abs=1e-6)


def test_outside_the_region_the_surrogate_is_as_predicted_but_agrees_with_nothing(fitted):
    near = PREDICTIONS[0]
    far_labels = np.pad(near.labels, ((0, 0), (0, 0), (0, 60), (0, 0)))
    far_image = np.pad(near.image, ((0, 0), (0, 0), (0, 0), (0, 60), (0, 0)))
    with_stray = far_labels.copy()
    with_stray[:, 0, 90:, :3] = 3
    clean, stray = (
        Prediction("far", far_image, labels, SPACING) for labels in (far_labels, with_stray)
    )

    (of_clean,), (of_stray,) = fitted.predict([clean]), fitted.predict([stray])

    assert (fitted.surrogates(stray)[:, 0, 90:, :3] == 3).all()
    assert of_stray.dice["LV"] < of_clean.dice["LV"]
    assert of_stray.dice["RV"] == pytest.approx(of_clean.dice["RV"], abs=0.02)


def test_the_surrogate_mends_what_is_missing(fitted):
    truth = heart("mend", frames=1)
    broken = truth.copy()
    broken[0, 1] = 0

    surrogate = fitted.surrogates(prediction_of("mend", broken, truth=truth))

    wrong_before, wrong_after = ((found != truth)[0, 1].sum() for found in (broken, surrogate))
    assert wrong_after < 0.7 * wrong_before


def test_what_is_not_segmented_scores_nothing(fitted):
    truth = heart("empty", frames=1)
    without_rv = np.where(truth == 1, 0, truth).astype(np.int8)

    empty, partial = fitted.predict(
        [prediction_of("e", labels, truth=truth) for labels in (np.zeros_like(truth), without_rv)]
    )

    assert empty.score == 0
    assert partial.dice["RV"] == 0
    assert partial.score > 0


def test_what_was_learned_comes_back_from_a_file(tmp_path):
    arguments = SMALL | {"steps": 10, "calibrate": True}
    fitted = ManifoldSearch(SHORT_AXIS, **arguments).fit(GRADED)
    file = tmp_path / "manifold.safetensors"

    save_estimator(fitted, file)
    back = load_estimator(file, {"manifold": ManifoldSearch}, SHORT_AXIS)

    assert back.get_params() == fitted.get_params()
    assert scores(back, PREDICTIONS[:3]) == scores(fitted, PREDICTIONS[:3])
    assert len(back.curves_) == 3


def test_the_same_seed_learns_the_same_and_leaves_random_numbers_alone():
    short = SMALL | {"steps": 5}
    torch.manual_seed(3)
    expected = torch.rand(1).item()

    torch.manual_seed(3)
    first, again, other = (
        ManifoldSearch(SHORT_AXIS, **short, seed=seed).fit(GRADED[:4]).arrays()
        for seed in (0, 0, 1)
    )

    assert torch.rand(1).item() == expected
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert any((array != other[name]).any() for name, array in first.items())


def test_calibration_keeps_to_what_was_true_of_other_studies():
    truths = {name: heart(name, frames=2) for name in "abcdef"}
    # As if every prediction were of Dice .3, whatever it looks like.
    items = [
        Graded(prediction_of(name, truth, truth=truth), truth, dice=np.full((2, 3), 0.3))
        for name, truth in truths.items()
    ]
    calibrated = ManifoldSearch(SHORT_AXIS, **SMALL | {"steps": 20}, calibrate=True).fit(items)

    (quality,) = calibrated.predict([items[0].prediction])

    assert list(quality.dice.values()) == pytest.approx([0.3] * 3)


def of_scheme(scheme, modalities, shape, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(scheme.classes), shape).astype(np.int8)
    image = rng.random((modalities, *shape), dtype=np.float32)
    return Prediction(f"{scheme.name}{seed}", image, labels, (2.0, 1.5, 1.25))


@pytest.mark.parametrize(
    ("scheme", "modalities", "shape"), [(TUMOUR, 4, (1, 5, 20, 36)), (AORTA, 1, (30, 1, 28, 20))]
)
def test_other_schemes_are_judged(scheme, modalities, shape):
    predictions = [of_scheme(scheme, modalities, shape, seed) for seed in (0, 1)]
    arguments = {**SMALL, "steps": 3, "search_steps": 3, "modalities": modalities}
    items = [Graded(one, one.labels) for one in predictions]

    (quality, _) = (
        ManifoldSearch(scheme, **arguments, precision="bf16-mixed").fit(items).predict(predictions)
    )

    assert set(quality.dice) == {structure.name for structure in scheme.structures}
    assert all(0 <= dice <= 1 for dice in quality.dice.values())


def test_odd_predictions_are_judged(fitted):
    labels = heart("odd", frames=2)
    noise = prediction_of("noise", labels)
    noise.image[:] = np.nan
    odd = [
        prediction_of("one frame", labels[:1]),
        prediction_of("one slice", labels[:, :1]),
        prediction_of("cut", labels[:, :, 3:-4, 2:], (6.0, 1.0, 1.1)),
        noise,
    ]

    assert all(0 <= score <= 1 for score in scores(fitted, odd))


def test_other_modalities_are_refused(fitted):
    with pytest.raises(ValueError, match="study0: 2 modalities, expected 1"):
        fitted.predict([replace(PREDICTIONS[0], image=np.repeat(PREDICTIONS[0].image, 2, axis=0))])


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="at least one graded prediction"):
        ManifoldSearch(SHORT_AXIS).fit([])


def test_progress_is_told():
    told = []

    ManifoldSearch(SHORT_AXIS, **SMALL | {"steps": 20}).fit(
        GRADED[:2], observe=lambda done, total: told.append((done, total))
    )

    assert told == [(10, 20), (20, 20)]


def test_all_slices_of_regions_come_one_after_the_other():
    labels = heart("rows", frames=2)
    regions = [
        region_of(np.zeros((1, *frame.shape), np.float32), frame, (32, 32)) for frame in labels
    ]

    pairs = pairs_of(regions)

    assert len(pairs) == 8
    np.testing.assert_array_equal(pairs.labels[4:].numpy(), regions[1].labels)
