from dataclasses import replace

import numpy as np
import pytest
import torch
from curve_builders import heart, prediction_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qc.base import Graded
from qc.estimators.network.crops import Batch
from qc.estimators.slicewise.estimator import SlicewiseDice, slice_areas
from qc.estimators.slicewise.networks import RESNET_WIDTH, UNET_WIDTH, QCResNet, QCUNet
from qc.estimators.slicewise.scores import mean_of_nearest, reference_areas, volume_dice
from qc.frames import frame_of
from qc.graded.truth import mvsf
from qc.saving import load_estimator, save_estimator
from semiqc.images.clahe import clahe
from semiqc.measuring.masks import compared, frame_dice, slice_dice
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    UNLABELLED,
    LabelScheme,
    Structure,
)
from semiqc.study import Prediction

NAN = np.nan
SMALL = {"width": 3, "size": (3, 24, 20), "steps": 3, "batch_size": 3, "device": "cpu"}


def graded(name, labels, reference):
    """With surface Dice at hand, which is slow to work out and not used."""
    nsd = np.ones((len(labels), 3))
    return Graded(prediction_of(name, labels), reference, nsd=nsd)


HEARTS = [heart(name, frames=3) for name in "abc"]
GRADED = [
    graded(f"{number}-{by}", np.roll(labels, by, -1), labels)
    for number, labels in enumerate(HEARTS)
    for by in (0, 4)
]


def random_masks(seed):
    """Two overlapping structures ``[2, 6, 7, 5]``; slice 5 is empty in both."""
    rng = np.random.default_rng(seed)
    predicted = rng.random((2, 6, 7, 5)) < rng.uniform(0.2, 0.9, (2, 6, 1, 1))
    reference = rng.random((2, 6, 7, 5)) < rng.uniform(0.2, 0.9, (2, 6, 1, 1))
    predicted[:, 5] = reference[:, 5] = False
    return predicted, reference


def indices(predicted, reference):
    """Area of the prediction, Dice and MVSF of each slice."""
    fractions = mvsf(predicted, reference)
    return predicted.sum((-2, -1)), slice_dice(predicted, reference), fractions


def test_mvsf_by_hand():
    areas = np.array([[30, 10, 4, 0, 0], [10, 30, 0, 4, 0]])
    predicted, reference = np.arange(40) < areas[..., None, None]

    # 2 * (10 - 30) / (10 + 30), and so on.
    np.testing.assert_array_equal(mvsf(predicted, reference), [-1, 1, -2, 2, NAN])


def test_true_slices_give_the_true_dice_of_the_volume():
    for seed in range(5):
        predicted, reference = random_masks(seed)
        reference[:, 3] = False

        found = volume_dice(*indices(predicted, reference))

        np.testing.assert_allclose(found, frame_dice(predicted, reference), atol=1e-9)


def test_a_prediction_a_thousandth_as_large_as_the_reference_is_still_exact():
    voxels = np.arange(1000)[None, None]

    fraction = mvsf(voxels < 1, voxels < 1000)

    assert reference_areas(np.array([1.0]), fraction) == pytest.approx(1000)


def test_a_fraction_of_two_gives_a_finite_area():
    assert np.isfinite(reference_areas(np.array([5.0]), np.array([2.0]))).all()


def test_a_missed_slice_counts_with_the_mean_of_its_neighbours():
    predicted, fractions = np.array([40.0, 0, 20]), np.array([0.0, 2, 0])

    areas = reference_areas(predicted, fractions)
    dice = volume_dice(predicted, np.array([1.0, 0, 1]), fractions)

    assert areas.tolist() == [40, 30, 20]
    assert dice == pytest.approx(2 * 60 / (90 + 60))


def test_a_slice_that_may_be_missed_counts_by_how_sure_that_is():
    fractions = np.array([[0.0, 1, 0], [0.0, -1, 0], [0.0, NAN, 0]])

    areas = reference_areas(np.array([[40.0, 0, 20]] * 3), fractions)

    assert areas[:, 1].tolist() == [15, 0, 0]


def test_a_slice_missed_at_an_end_counts_as_the_one_beside_it():
    assert reference_areas(np.array([0.0, 30, 20]), np.array([2.0, 0, 0]))[0] == 30


def test_an_empty_prediction_has_no_dice():
    nothing = np.zeros(3)

    assert volume_dice(nothing, np.ones(3), np.full(3, 2.0)) == 0
    assert volume_dice(nothing, np.full(3, NAN), np.full(3, NAN)) == 0


def test_the_mean_of_the_nearest_known_on_either_side():
    values = np.array([[10.0, 1, 2, 40, 3], [1, 2, 3, 4, 5]])
    is_known = np.array([[True, False, False, True, False], [False] * 5])

    found = mean_of_nearest(values, is_known)

    np.testing.assert_array_equal(found, [[10, 25, 25, 40, 40], [NAN] * 5])


@pytest.mark.parametrize(
    ("network", "width", "millions_2d", "millions_3d"),
    [(QCResNet, RESNET_WIDTH, 2, 3), (QCUNet, UNET_WIDTH, 19, 20)],
)
def test_at_full_width_the_networks_have_the_papers_size(network, width, millions_2d, millions_3d):
    # One image and five classes in; five Dice and five MVSF out, or five Dice.
    with torch.device("meta"):
        flat, deep = network(2, 6, 10, width), network(3, 6, 5, width)

    assert round(parameters(flat) / 1e6) == millions_2d
    assert round(parameters(deep) / 1e6) == millions_3d


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("network", [QCResNet, QCUNet])
def test_a_network_takes_images_of_any_size(network):
    flat, deep = network(2, 4, 7, 2).eval(), network(3, 4, 5, 2).eval()

    assert flat(torch.zeros(3, 4, 19, 33)).shape == (3, 7)
    assert deep(torch.zeros(3, 4, 1, 19, 33)).shape == (3, 5)


def test_equalising_raises_the_contrast_of_a_faint_region():
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(2, 40, 44, generator=rng)
    image[:, :, :22] *= 0.1

    found = clahe(image)

    assert found.shape == image.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[:, :, :18].std() > 1.5 * image[:, :, :18].std()


def test_equalising_does_not_depend_on_the_range_or_on_the_other_images():
    image = torch.rand(3, 1, 17, 23, generator=torch.Generator().manual_seed(0))

    found = clahe(image)

    torch.testing.assert_close(clahe(image * 700 - 30), found, atol=0.02, rtol=0)
    torch.testing.assert_close(clahe(image[1]), found[1])
    assert (clahe(torch.full((1, 5, 6), 3.0)) == 0).all()


def test_equalising_by_hand():
    # Each tile has the same four intensities, so each lies at its rank: 1/4, 2/4, 3/4, 4/4.
    image = torch.tensor([0.0, 10, 20, 30]).repeat(8).expand(8, 32)

    assert clahe(image, limit=64)[3, 8:12].tolist() == [0.25, 0.5, 0.75, 1]
    # With no bin above the mean, four bins of 64 keep 1/64 each, and the other 60/64 are spread
    # over all; the intensities lie in bins 0, 21, 42 and 63.
    ranks = [(rank + (bin_ + 1) * 60 / 64) / 64 for rank, bin_ in ((1, 0), (2, 21), (3, 42))]
    assert clahe(image, limit=1)[3, 8:12].tolist() == pytest.approx([*ranks, 1], abs=1e-6)


def test_areas_of_slices_count_known_voxels_of_every_structure():
    scheme = LabelScheme(
        "nested", ("background", "a", "b"), (Structure("b", (2,)), Structure("all", (1, 2)))
    )
    labels = torch.tensor([[[[0, 1, 2, 2]], [[1, 1, 1, 0]]]])
    reference = torch.tensor([[[[0, 2, 2, UNLABELLED]], [[0, 0, 1, 1]]]])

    both, predicted, annotated = slice_areas(labels, reference, scheme)

    # Rows: background, b, all; columns: slices.
    assert both[0].tolist() == [[1, 0], [1, 0], [2, 1]]
    assert predicted[0].tolist() == [[1, 1], [1, 0], [2, 3]]
    assert annotated[0].tolist() == [[1, 2], [2, 0], [2, 2]]


def batch_of(labels, reference):
    """Of ``[B, Z, Y, X]`` with frames of unknown Dice."""
    unknown = torch.full((len(labels), 1), torch.nan)
    return Batch(labels.unsqueeze(1).float(), labels, reference, unknown, unknown, unknown)


def test_the_true_indices_have_no_loss_and_padding_has_none():
    # Slices: half of the aorta found, none of it there, beyond the frame.
    labels = torch.tensor([[[[1, 0]], [[0, 0]], [[0, 0]]]])
    reference = torch.tensor([[[[1, 1]], [[0, 0]], [[UNLABELLED, UNLABELLED]]]])
    # Background: 0 of 1 and 0, then 2 of 2 and 2. Aorta: 1 of 1 and 2, then none.
    dice = [[0, 1, 0.7], [2 / 3, 0.7, 0.7]]
    fraction = [[2 * (0 - 1) / 1, 0, 0.7], [2 * (2 - 1) / 3, 0, 0.7]]
    output = torch.tensor([[dice, fraction]], requires_grad=True)

    losses = SlicewiseDice(AORTA)._losses(output, batch_of(labels, reference))
    losses["dice and mvsf"].backward()

    assert losses["dice and mvsf"].item() == pytest.approx(0, abs=1e-12)
    assert torch.isfinite(output.grad).all()
    wrong = SlicewiseDice(AORTA)._losses(output.detach() + 0.5, batch_of(labels, reference))
    assert wrong["dice and mvsf"].item() == pytest.approx(0.25)


def test_the_twin_learns_dice_of_background_and_of_the_whole_frame():
    labels = torch.tensor([[[[1, 0]], [[0, 0]]]])
    reference = torch.tensor([[[[1, 1]], [[0, UNLABELLED]]]])
    unknown = batch_of(labels, reference)
    batch = Batch(
        unknown.images, labels, reference, torch.tensor([[0.6]]), unknown.nsd, unknown.nsd
    )
    estimator = SlicewiseDice(AORTA, dimension="3d")

    # Background: 1 voxel in both, of 2 known ones that were predicted and 1 that is there.
    exact = estimator._losses(torch.tensor([[2 / 3, 0.6]]), batch)
    unknown_frame = estimator._losses(torch.tensor([[2 / 3, 0.1]]), unknown)

    assert exact["dice"].item() == pytest.approx(0, abs=1e-12)
    assert unknown_frame["dice"].item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize("backbone", ["resnet", "unet"])
def test_every_form_learns_judges_and_comes_back_from_a_file(backbone, dimension, tmp_path):
    estimator = SlicewiseDice(SHORT_AXIS, backbone=backbone, dimension=dimension, **SMALL)
    predictions = [one.prediction for one in GRADED]
    with pytest.raises(NotFittedError):
        estimator.predict(predictions)

    found = estimator.fit(GRADED).predict(predictions)
    save_estimator(estimator, tmp_path / "estimator.safetensors")
    back = load_estimator(
        tmp_path / "estimator.safetensors", {"slicewise": SlicewiseDice}, SHORT_AXIS
    )

    assert all(0 <= dice <= 1 for quality in found for dice in quality.dice.values())
    assert [q.score for q in back.predict(predictions)] == [q.score for q in found]
    assert clone(estimator).get_params() == estimator.get_params()
    shapes = {name: array.shape for name, array in found[0].slice_dice.items()}
    every_slice = predictions[0].labels.shape[:2]
    assert shapes == (dict.fromkeys(["LV", "MYO", "RV"], every_slice) if dimension == "2d" else {})


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_odd_predictions_are_judged(dimension):
    labels = heart("odd", frames=3)
    estimator = SlicewiseDice(SHORT_AXIS, dimension=dimension, **SMALL).fit(GRADED)
    odd = [labels[:1], labels[:, :1], labels[:, :, 3:-4, 2:], np.zeros_like(labels)]

    found = estimator.predict([prediction_of("odd", one) for one in odd])

    assert all(0 < quality.score < 1 for quality in found[:3])
    assert found[3].score == 0


def test_an_aorta_of_one_slice_is_learned_and_judged():
    labels = (heart("aorta", frames=3)[:, :1] == 3).astype(np.int8)
    shifted = [graded("aorta", np.roll(labels, by, -1), labels) for by in (0, 3)]

    found = SlicewiseDice(AORTA, **SMALL).fit(shifted).predict([shifted[0].prediction])[0]

    assert found.slice_dice["aorta"].shape == (3, 1)
    # One slice is the whole frame.
    assert found.dice["aorta"] == pytest.approx(found.slice_dice["aorta"].mean())


def test_only_slices_without_a_prediction_are_zero_or_unknown():
    labels = heart("gap", frames=2)
    labels[:, 1] = 0
    estimator = SlicewiseDice(SHORT_AXIS, **SMALL).fit(GRADED)

    of_lv = estimator.predict([prediction_of("gap", labels)])[0].slice_dice["LV"]

    assert (np.isnan(of_lv[:, 1]) | (of_lv[:, 1] == 0)).all()
    assert ((of_lv[:, [0, 2, 3]] > 0) & (of_lv[:, [0, 2, 3]] < 1)).all()


def outputs_of(aorta):
    """Of two members, whose mean is these ``[2, Z]`` Dice and MVSF; the background has others."""
    mean = torch.tensor([[[[9.0] * len(row), row] for row in aorta]])
    return [mean - 0.2, mean + 0.2]


def test_the_mean_over_members_is_read():
    frame = frame_of(prediction_of("a", np.ones((1, 2, 4, 5), np.int8)), 0)

    estimator = SlicewiseDice(AORTA)
    outputs = outputs_of([[0.6, 0.4], [0.0, 0.0]])
    [judged] = estimator._read(outputs, [frame], [estimator.box_of(frame)])

    np.testing.assert_allclose(judged.slice_dice, [[0.6, 0.4]], rtol=1e-6)
    # Equal areas in both slices and no more in the reference.
    np.testing.assert_allclose(judged.dice, [0.5], rtol=1e-6)


def test_a_slice_that_was_missed_has_dice_0_and_one_that_is_empty_has_none():
    labels = np.zeros((1, 3, 4, 5), np.int8)
    labels[:, 0] = 1
    frame = frame_of(prediction_of("a", labels), 0)

    estimator = SlicewiseDice(AORTA)
    outputs = outputs_of([[0.8, 0.3, 0.3], [0.0, 1.5, 0.5]])
    [judged] = estimator._read(outputs, [frame], [estimator.box_of(frame)])

    np.testing.assert_allclose(judged.slice_dice, [[0.8, 0, NAN]], rtol=1e-6)


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_the_range_of_intensities_is_of_no_account_once_they_are_equalised(dimension):
    rng = np.random.default_rng(0)
    plain = prediction_of("a", HEARTS[0])
    image = rng.integers(0, 64, plain.image.shape).astype(np.float32)
    plain, louder = replace(plain, image=image), replace(plain, image=image * 64)

    def is_same(equalise):
        estimator = SlicewiseDice(SHORT_AXIS, dimension=dimension, equalise=equalise, **SMALL)
        one, other = estimator.fit(GRADED).predict([plain, louder])
        return one.score == pytest.approx(other.score, abs=1e-6)

    assert is_same(equalise=True)
    assert not is_same(equalise=False)


def test_a_form_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match="backbone must be one of resnet, unet"):
        SlicewiseDice(SHORT_AXIS, backbone="vgg", **SMALL).fit(GRADED)


@pytest.mark.slow
def test_shifted_segmentations_rank_below_exact_ones():
    shifted = squares(12)
    settings = SMALL | {"steps": 120, "batch_size": 6, "width": 4}

    found = (
        SlicewiseDice(AORTA, **settings).fit(shifted).predict([one.prediction for one in shifted])
    )
    true = [true_dice(one) for one in shifted]

    assert np.corrcoef([quality.score for quality in found], true)[0, 1] > 0.7


def true_dice(one):
    predicted = np.asarray(one.prediction.labels)[0]
    return frame_dice(*compared(predicted, one.reference[0], AORTA))[0]


def squares(count):
    """Bright squares ``[1, 3, 26, 22]``, segmented more and more beside the mark."""
    shifted = []
    for number in range(count):
        labels = np.zeros((1, 3, 26, 22), np.int8)
        labels[:, :, 9:18, 7:15] = 1
        image = labels[None].astype(np.float32)
        moved = np.roll(labels, number * 7 // count, -1)
        prediction = Prediction(f"s{number}", image, moved, (8, 2, 2))
        shifted.append(Graded(prediction, labels, nsd=np.ones((1, 1))))
    return shifted
