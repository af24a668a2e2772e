import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

from qc.base import Graded
from qc.estimators.qcresunet.blocks import GAIN
from qc.estimators.qcresunet.estimator import (
    QCResUNet,
    error_targets,
    majority,
    map_dice_loss,
    map_entropy,
)
from qc.estimators.qcresunet.network import (
    ANISOTROPIC,
    ISOTROPIC,
    Outputs,
    QCResUNetNetwork,
    implied_dice,
    kept_modalities,
    strides_for,
)
from qc.frames import Frame
from qc.saving import load_estimator, save_estimator
from semiqc.images.crop import box_around
from semiqc.measuring.masks import compared, frame_dice, slice_dice
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED
from semiqc.study import Prediction

STRUCTURES = [structure.values for structure in SHORT_AXIS.structures]
SMALL = {"width": 2, "size": (2, 34, 36), "steps": 2, "batch_size": 2, "device": "cpu"}
CERTAIN = 20.0


def discs(rng, *, slices=2, modalities=1, scheme=SHORT_AXIS):
    """A reference of nested discs ``[1, Z, 40, 44]`` and its image."""
    y, x = np.ogrid[:40, :44]
    radius = np.hypot(y - rng.integers(18, 23), x - rng.integers(20, 25))
    labels = np.zeros((1, slices, 40, 44), np.int8)
    for label, reach in enumerate((12, 9, 5)[: len(scheme.classes) - 1], start=1):
        labels[:, :, radius < reach] = label
    image = labels[None] + 0.1 * rng.standard_normal((modalities, *labels.shape))
    return image.astype(np.float32), labels


def graded_discs(count, **of):
    """Predictions that are moved by some columns."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(count):
        image, labels = discs(rng, **of)
        moved = np.roll(labels, number % 4 * 2, axis=-1)
        prediction = Prediction(f"disc{number}", image, moved, (8.0, 1.5, 1.5))
        found.append(Graded(prediction, labels))
    return found


def network(**settings):
    given = {"modalities": 1, "classes": 4, "structures": STRUCTURES, "width": 2} | settings
    torch.manual_seed(0)
    return QCResUNetNetwork(**given).eval()


def test_size_and_cost_are_those_of_the_paper():
    structures = [structure.values for structure in TUMOUR.structures]
    with torch.device("meta"):
        full = QCResUNetNetwork(
            4, 4, structures, strides=strides_for((160, 192, 160), isotropic=True)
        ).eval()
        volume = torch.zeros(1, 4 + 4, 160, 192, 160)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        full(volume)

    # Table 3 of the appendix: 16.59 M parameters, 296.64 GFLOP.
    assert sum(p.numel() for p in full.parameters()) / 1e6 == pytest.approx(16.59, abs=0.006)
    assert counter.get_total_flops() / 1e9 == pytest.approx(296.64, rel=0.005)


@pytest.mark.parametrize("shape", [(1, 40, 37), (3, 33, 50), (9, 34, 34)])
@pytest.mark.parametrize("strides", [ISOTROPIC, ANISOTROPIC])
def test_maps_have_the_shape_of_any_input(shape, strides):
    scores, maps = network(strides=strides)(torch.rand(2, 5, *shape))

    assert scores.shape == (2, 2, 4)  # The three structures, and all classes at once.
    assert ((scores >= 0) & (scores <= 1)).all()
    assert maps.shape == (2, 3, *shape)


def test_slices_are_merged_only_by_the_last_of_the_anisotropic_steps():
    volume = torch.rand(1, 4, 8, 64, 64)
    few = network().encoder(volume)
    even = network(strides=ISOTROPIC).encoder(volume)

    assert [level.shape[2:] for level in few] == [
        (8, 32, 32), (8, 16, 16), (8, 8, 8), (8, 4, 4), (4, 2, 2)
    ]  # fmt: skip
    assert [level.shape[2] for level in even] == [4, 2, 1, 1, 1]


def test_an_axis_of_few_voxels_is_halved_no_further():
    volume = torch.rand(1, 4, 24, 48, 96)
    strides = strides_for((24, 48, 96), isotropic=True)
    last = network(strides=strides).encoder(volume)[-1]

    assert last.shape[2:] == (3, 3, 3)
    assert strides_for((160, 192, 160), isotropic=True) == ISOTROPIC
    assert strides_for((8, 96, 96), isotropic=False) == ANISOTROPIC
    assert strides_for((1, 2, 2), isotropic=False) == ((1, 1, 1),) * 5


def test_each_ablation_takes_its_part_away():
    volume = torch.rand(1, 5, 2, 40, 40)
    names = {name.split(".")[0] for name, _ in network(maps=False).named_parameters()}

    assert network(regression=False)(volume).scores is None
    assert network(maps=False)(volume).maps is None
    assert names == {"encoder", "head"}
    assert len(network(regression=False).encoder.blocks) == 3
    assert not [n for n, _ in network(attention=False).named_parameters() if "mixing" in n]
    with pytest.raises(ValueError, match="nothing would be estimated"):
        network(regression=False, maps=False)


def test_attention_weighs_channels_by_their_means_and_keeps_the_query_in_sight():
    attention = network().aggregation.attention
    with torch.no_grad():
        attention.mixing.weight.copy_(torch.tensor([[[0.0, 1.0, 2.0]]]))
    features = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1, 1)
    # Each weight is the sigmoid of the channel's own mean and twice the next one's.
    expected = torch.sigmoid(torch.tensor([1.0 + 2 * 3.0, 3.0])) * torch.tensor([1.0, 3.0])

    torch.testing.assert_close(attention(features).flatten(), expected)
    assert network().aggregation.readout.in_channels == 2 + 3


def test_maps_need_not_thousands_of_steps_to_speak_up():
    learning = network(regression=False).train()
    given = torch.rand(2, 5, 4, 32, 32)
    errors = torch.ones(2, 3, 4, 32, 32)
    optimizer = torch.optim.Adam(learning.parameters(), lr=1e-3)

    before = learning(given).maps.sigmoid().mean().item()
    for _ in range(30):
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(learning(given).maps, errors).backward()
        optimizer.step()

    assert before < 0.25
    assert learning(given).maps.sigmoid().mean().item() > 0.5


def test_errors_are_where_masks_differ_and_the_reference_knows():
    labels = torch.tensor([[[[0, 1, 2, 3, 3]]]])
    reference = torch.tensor([[[[0, 3, 1, 2, UNLABELLED]]]])

    errors, known = error_targets(labels, reference, TUMOUR)

    assert known.flatten().tolist() == [True, True, True, True, False]
    # Whole tumour {1, 2, 3} agrees throughout; the core {2, 3} differs where 1 is on one side.
    assert errors[0, :, 0, 0].int().tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 1, 0, 1, 0],
    ]


def test_losses_of_maps_by_hand():
    logits = torch.tensor([0.0, 0.0, CERTAIN, -CERTAIN]).view(1, 1, 1, 1, 4)
    errors = torch.tensor([True, False, False, True]).view(1, 1, 1, 1, 4)
    known = torch.tensor([True, True, False, False]).view(1, 1, 1, 1, 4)
    errors = errors & known

    # Two known voxels of probability 1/2, one of them an error; 1 is added to both sides.
    expected = 1 - (2 * 0.5 + 1) / (1.0 + 1 + 1)
    assert map_dice_loss(logits, errors, known).item() == pytest.approx(expected)
    assert map_entropy(logits, errors, known).item() == pytest.approx(np.log(2))


def test_nothing_known_costs_nothing():
    nowhere = torch.zeros(1, 2, 1, 3, 3, dtype=torch.bool)
    logits = torch.randn(1, 2, 1, 3, 3)

    assert map_entropy(logits, nowhere, nowhere[:, :1]).item() == 0
    assert map_dice_loss(logits, nowhere, nowhere[:, :1]).item() == pytest.approx(0)


def test_a_half_parts_maps_as_the_majority_votes():
    members = torch.tensor([[0.6, 0.9, 0.2], [0.7, 0.1, 0.8], [0.1, 0.2, 0.4]])

    # Sides of the vote: first two, last two, first and last.
    expected = [(0.6 + 0.7) / 2, (0.1 + 0.2) / 2, (0.2 + 0.4) / 2]
    assert majority(members).tolist() == pytest.approx(expected)
    assert majority(torch.tensor([[0.9], [0.3]])).tolist() == pytest.approx([0.3])


def test_scores_and_maps_are_read_from_all_members():
    image, labels = discs(np.random.default_rng(0))
    frame = Frame("a", image[:, 0], labels[0], (8.0, 1.5, 1.5))
    scores = torch.tensor([[[0.2, 0.4, 0.6], [0.1, 0.1, 0.1]]])
    maps = torch.full((1, 3, 2, 34, 36), -CERTAIN)
    outputs = [Outputs(scores, maps), Outputs(scores + 0.2, -maps), Outputs(scores + 0.1, maps)]

    judged = QCResUNet(SHORT_AXIS, **SMALL)._read(
        outputs, [frame], [box_around(labels[0], (2, 34, 36))]
    )

    assert judged[0].dice == pytest.approx([0.3, 0.5, 0.7])
    assert judged[0].nsd == pytest.approx([0.2, 0.2, 0.2])
    assert judged[0].error_maps.dtype == np.float16
    assert judged[0].error_maps.shape == (3, 2, 40, 44)
    assert (judged[0].error_maps < 0.5).all()


def perfect_maps(frame, reference, size):
    box = box_around(frame.labels, size)
    predicted, true = compared(frame.labels, reference, SHORT_AXIS)
    errors = box.cut(predicted ^ true, 0)
    return torch.from_numpy(np.where(errors, CERTAIN, -CERTAIN))[None].float(), box


def test_dice_of_slices_and_frames_is_exact_given_a_perfect_map():
    image, reference = discs(np.random.default_rng(1), slices=3)
    predicted = np.roll(reference[0], 2, axis=-1)
    predicted[1][predicted[1] == 3] = 0
    frame = Frame("a", image[:, 0], predicted, (8.0, 1.5, 1.5))
    maps, box = perfect_maps(frame, reference[0], (3, 38, 40))
    estimator = QCResUNet(SHORT_AXIS, regression=False, **SMALL)

    (judged,) = estimator._read([Outputs(None, maps)], [frame], [box])

    both = compared(predicted, reference[0], SHORT_AXIS)
    np.testing.assert_allclose(judged.slice_dice, slice_dice(*both))
    np.testing.assert_allclose(judged.dice, frame_dice(*both))
    assert judged.nsd is None
    assert judged.slice_dice[0, 1] == 0


def test_a_modality_may_be_lost_but_never_all():
    torch.manual_seed(0)
    images = torch.rand(400, 3, 1, 2, 2)

    half, all_ = (kept_modalities(images, p)[..., 0, 0, 0] for p in (0.5, 1.0))

    assert half.shape == (400, 3)
    assert (all_.sum(dim=1) == 1).all()
    assert half.sum(dim=1).min() == 1
    # Of three kept with 1/2 each, 1.5 stay on average, and one more of the 1/8 that lost all.
    assert half.sum(dim=1).mean() == pytest.approx(1.5 + 1 / 8, abs=0.12)


def test_modalities_are_lost_in_training_only():
    volume = torch.rand(1, 4 + 4, 2, 34, 36)
    lossy = network(modalities=4, drop_modalities=0.9, dropout=0.0)
    whole = network(modalities=4, dropout=0.0)

    torch.testing.assert_close(lossy(volume), whole(volume))
    assert (lossy.train()(volume).maps - whole.train()(volume).maps).abs().max() > 1e-6


def test_training_with_lost_modalities_judges_studies_that_lack_one():
    graded = graded_discs(4, modalities=4, scheme=TUMOUR)
    estimator = QCResUNet(
        TUMOUR, modalities=4, isotropic=True, drop_modalities=0.5, **SMALL | {"members": 2}
    )
    one = graded[1].prediction
    lacking = one.image.copy()
    lacking[2] = 0

    (quality,) = estimator.fit(graded).predict(
        [Prediction(one.study, lacking, one.labels, one.spacing)]
    )

    assert len(estimator.networks_) == 2
    assert set(quality.dice) == set(quality.nsd) == {"WT", "TC", "ET"}
    assert all(0 < dice < 1 for dice in quality.dice.values())
    assert all(np.isfinite(found).all() for found in quality.error_maps.values())


@pytest.mark.parametrize("settings", [{}, {"attention": False, "maps": False}])
def test_what_was_learned_comes_back_from_a_file(settings, tmp_path):
    graded = graded_discs(2, slices=1, scheme=AORTA)
    estimator = QCResUNet(AORTA, **SMALL, **settings).fit(graded)
    file = tmp_path / "estimator.safetensors"

    save_estimator(estimator, file)
    back = load_estimator(file, {"qcresunet": QCResUNet}, AORTA)

    predictions = [one.prediction for one in graded]
    for mine, its in zip(estimator.predict(predictions), back.predict(predictions), strict=True):
        assert mine.score == its.score
        assert set(mine.error_maps) == ({"aorta"} if settings == {} else set())
        for name, found in mine.error_maps.items():
            np.testing.assert_array_equal(found, its.error_maps[name])


@pytest.mark.slow
def test_errors_are_suspected_where_they_are():
    graded = graded_discs(8, slices=1, scheme=AORTA)
    estimator = QCResUNet(
        AORTA, **SMALL | {"size": (1, 40, 44), "width": 4, "steps": 90, "batch_size": 4},
        dropout=0.0, augmentation=0.0, learning_rate=5e-3,
    )  # fmt: skip

    qualities = estimator.fit(graded).predict([one.prediction for one in graded])

    worst = graded[3]
    errors = (worst.prediction.labels != worst.reference)[0]
    suspected = qualities[3].error_maps["aorta"][0].astype(np.float64)
    assert suspected[errors].mean() > 1.5 * suspected[~errors].mean()
    assert qualities[0].score > qualities[3].score + 0.05


def test_the_dice_that_maps_imply_is_that_of_the_corrected_segmentation():
    # 6 voxels are segmented, 2 of them wrongly, and 1 is missing: 2 * 4 / (6 + 5).
    query = torch.zeros(1, 1, 1, 30, 30)
    query[..., 0, :6] = 1
    errors = torch.zeros_like(query)
    errors[..., 0, :2] = 1
    errors[..., 1, 0] = 1

    # One is added above and below, so that nothing segmented and nothing missed is 1.
    assert implied_dice(query, errors).item() == pytest.approx((8 + 1) / (11 + 1))
    assert implied_dice(torch.zeros_like(query), torch.zeros_like(query)).item() == 1


def test_scores_begin_from_the_maps():
    torch.manual_seed(0)
    network = QCResUNetNetwork(1, 4, [(3,), (2,), (1,)], width=4).eval()
    given = torch.zeros(1, 5, 4, 32, 32)
    given[:, 2:, :, 8:24, 8:24] = 1

    def dice_where_maps_say(logit):
        torch.nn.init.constant_(network.aggregation.readout.bias, logit / GAIN)
        return network(given).scores[0, 0].mean().item()

    assert dice_where_maps_say(-9) > dice_where_maps_say(-2) > dice_where_maps_say(3)
