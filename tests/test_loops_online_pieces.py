"""What online methods are made of: streams, views, mixtures, labels, ramp."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from segmenter_builders import PLAIN, bright_square, small_unet

from loops.online.components import largest_in_slices
from loops.online.copy_paste import copy_pasted
from loops.online.labels import pseudo_labelled, soft_labelled
from loops.online.mixing import beta_boxes, copy_paste_box, cutmix_boxes
from loops.online.ramp import ramp
from loops.online.sampler import TwoStreamBatch, two_streams
from loops.online.slices import Slices, joined
from loops.online.terms import dice_terms, loss_terms, summed
from loops.online.views import strong, usual, weak
from segmenters import Augmentation
from segmenters.device import make_fabric
from segmenters.losses import squared_error
from segmenters.method import Setup, TrainingData, seeded
from segmenters.sampler import SliceBatch
from segmenters.step import average_of, probabilities
from semiqc.schemes import UNLABELLED


def setup_of(*, axes=(), **changes):
    training = replace(small_unet().training, precision="32-true", **changes)
    return Setup([], training, axes, make_fabric("cpu", "32-true"), (16, 16))


def marked(name, value, **options):
    study = bright_square(name, **options)
    return replace(study, image=np.full_like(study.image, value))


def drawn(seed=0, count=4, size=(16, 12)):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (count, *size), generator=generator)
    weights = torch.rand(count, *size, generator=generator)
    return Slices(labels.unsqueeze(1).float(), labels, weights)


# Streams


def test_a_batch_has_its_share_of_labelled_and_unlabelled_slices():
    data = TrainingData([marked("a", 1.0)], unlabelled=[marked("u", 2.0)])
    batch = two_streams(data, setup_of(), 3, 2).batch(1)

    assert batch.labelled.images.shape == (3, 1, 16, 16)
    assert (batch.labelled.images[:, 0, 8, 8] == 1).all()
    assert batch.unlabelled.images.shape == (2, 1, 16, 16)
    assert (batch.unlabelled.images[:, 0, 8, 8] == 2).all()


def test_the_batch_of_a_number_is_always_the_same_and_the_streams_draw_independently():
    study = bright_square(frames=4, labelled=(0, 1, 2, 3), size=(40, 40))
    streams = two_streams(TrainingData([study], unlabelled=[study]), setup_of(), 4, 4)
    *_, second = streams.batches(1, 2)

    assert torch.equal(second.labelled.images, streams.batch(2).labelled.images)
    assert torch.equal(second.unlabelled.images, streams.batch(2).unlabelled.images)
    assert not torch.equal(second.labelled.images, second.unlabelled.images)


def test_frames_of_which_the_bank_says_nothing_are_not_drawn():
    study = bright_square("u", frames=3, labelled=(1,))
    image = np.broadcast_to(np.arange(3.0)[None, :, None, None, None], study.image.shape)
    study = replace(study, image=image.astype(np.float32))
    data = TrainingData([bright_square()], unlabelled=[study, marked("v", 9.0, labelled=())])
    batch = two_streams(data, setup_of(), 2, 12).batch(1)

    assert (batch.unlabelled.images == 1).all()


def test_studies_are_drawn_as_often_as_their_weights_say():
    studies = [marked("u", 1.0), replace(marked("v", 2.0), weight=0.25)]
    data = TrainingData([bright_square()], unlabelled=studies)
    streams = two_streams(data, setup_of(), 1, 50)
    values = torch.cat([streams.batch(n).unlabelled.images[:, 0, 8, 8] for n in range(8)])

    assert (values == 2).float().mean().item() == pytest.approx(0.2, abs=0.06)


def test_crops_lie_around_the_structures_of_the_bank():
    study = bright_square("u", labelled=(0, 1), size=(96, 96))
    data = TrainingData([bright_square()], unlabelled=[study])
    batch = two_streams(data, setup_of(foreground=1.0), 1, 12).batch(1)

    assert (batch.unlabelled.labels == 1).flatten(1).any(dim=1).all()


def test_unlabelled_studies_without_a_label_of_the_bank_are_refused():
    data = TrainingData([bright_square()], unlabelled=[bright_square("u", labelled=())])

    with pytest.raises(ValueError, match="nothing to learn from in 1 unlabelled studies"):
        two_streams(data, setup_of(), 2, 2)


def test_both_streams_have_a_slice_at_least():
    data = TrainingData([bright_square()], unlabelled=[bright_square("u")])

    with pytest.raises(ValueError, match="batch_size must be at least 2"):
        two_streams(data, setup_of(), 1, 0)


# Views


def a_batch(count=3):
    """Slices whose intensity is their label."""
    labels = torch.zeros(count, 16, 16, dtype=torch.int64)
    labels[:, 4:12, 5:11] = 1
    part = SliceBatch(labels.unsqueeze(1).float(), labels)
    return TwoStreamBatch(part, part)


MOVING = Augmentation(probability=0, spatial_probability=1)


def test_image_and_label_of_the_weak_view_move_alike_each_slice_its_own_way():
    labelled, unlabelled = weak(a_batch(), setup_of(augmentation=MOVING), seeded(0, 1))

    for view in (labelled, unlabelled):
        seen = (view.images[:, 0] > 0.5) == (view.labels == 1)
        assert seen[view.labels != UNLABELLED].float().mean() > 0.95
        assert torch.equal(view.weights > 0, view.labels != UNLABELLED)
        assert set(view.weights.unique().tolist()) <= {0.0, 1.0}


def test_weights_of_the_weak_view_move_with_their_labels():
    batch = a_batch()
    light = replace(batch.unlabelled, weights=0.2 + 0.6 * batch.unlabelled.labels)

    labelled, unlabelled = weak(
        replace(batch, unlabelled=light), setup_of(augmentation=MOVING), seeded(0, 1)
    )

    known = unlabelled.labels != UNLABELLED
    expected = (0.2 + 0.6 * unlabelled.labels)[known]
    torch.testing.assert_close(unlabelled.weights[known], expected, atol=1e-6, rtol=0)
    assert (labelled.weights[labelled.labels != UNLABELLED] == 1).all()
    assert not torch.equal(labelled.labels, unlabelled.labels)
    assert not torch.equal(labelled.labels[0], labelled.labels[1])


def test_without_augmentation_the_weak_view_is_the_slice_itself():
    batch = a_batch()
    labelled, unlabelled = weak(batch, setup_of(), seeded(0, 1))

    assert torch.equal(labelled.images, batch.labelled.images)
    assert torch.equal(unlabelled.labels, batch.unlabelled.labels)
    assert torch.equal(usual(labelled.images, setup_of(), seeded(0, 1)), labelled.images)


def test_the_strong_view_changes_intensities_and_moves_nothing():
    images = torch.zeros(1, 1, 33, 33)
    images[0, 0, 12:21, 12:21] = 1
    sharp = setup_of(augmentation=replace(PLAIN, noise=0.0, bias=0.0, low_resolution=1.0))
    changed = strong(images, sharp, 1.0, seeded(0, 1))

    assert not torch.allclose(changed, images, atol=0.05)
    for flipped in ([2], [3]):
        torch.testing.assert_close(changed.flip(flipped), changed, atol=1e-3, rtol=0)


def test_without_jitter_the_strong_view_is_the_weak_one():
    images = torch.rand(2, 1, 8, 8)

    assert strong(images, setup_of(), 0.0, seeded(0, 1)) is images


# Mixtures


def test_the_copy_paste_box_is_two_thirds_of_each_side_anywhere():
    boxes = [copy_paste_box((30, 18), seeded(0, n))[0] for n in range(200)]
    rows = torch.tensor([int(box.any(dim=1).int().argmax()) for box in boxes])

    assert {int(box.sum()) for box in boxes} == {20 * 12}
    assert rows.min() == 0
    assert rows.max() == 9


def test_cutmix_boxes_have_their_area_and_some_slices_none():
    boxes = cutmix_boxes(2000, (100, 100), seeded(0, 1))
    share = boxes.float().mean(dim=(1, 2))
    has = share > 0

    assert has.float().mean().item() == pytest.approx(0.5, abs=0.04)
    assert share[has].min() > 0.015
    assert share[has].max() < 0.41
    for edge in (boxes[:, 0], boxes[:, -1], boxes[..., 0], boxes[..., -1]):
        assert edge.any()


def test_beta_boxes_take_half_of_the_slice_on_average_or_less_at_its_edge():
    boxes = beta_boxes(2000, (64, 64), seeded(0, 1))
    share = boxes.float().mean(dim=(1, 2))

    assert 0.25 < share.mean() < 0.5
    assert share.max() > 0.6
    assert share.min() < 0.15


def test_all_of_a_pixel_is_pasted_alike_and_pixels_are_conserved():
    own, other = drawn(0), drawn(1)
    own = replace(own, probabilities=torch.rand(4, 3, 16, 12))
    other = replace(other, probabilities=torch.rand(4, 3, 16, 12))
    box = copy_paste_box((16, 12), seeded(0, 1))
    there, back = own.pasted(other, box), other.pasted(own, box)

    for name in ("images", "labels", "weights", "probabilities"):
        tensors = [getattr(part, name) for part in (own, other, there, back)]
        inside = box if tensors[0].ndim == 3 else box.unsqueeze(1)
        assert torch.equal(tensors[2], torch.where(inside, tensors[1], tensors[0])), name
        assert torch.equal(tensors[2] + tensors[3], tensors[0] + tensors[1]), name


def test_slices_are_cut_rolled_and_joined():
    slices = replace(drawn(0), probabilities=torch.rand(4, 3, 16, 12))
    turned = slices.rolled(1)
    again = joined(turned[3:], turned[:3])

    assert len(turned[:3]) == 3
    assert torch.equal(turned.labels[0], slices.labels[1])
    for name in ("images", "labels", "weights", "probabilities"):
        assert torch.equal(getattr(again, name), getattr(slices, name)), name


def test_labelled_slices_are_pasted_into_one_another():
    slices = drawn(0)
    box = copy_paste_box((16, 12), seeded(0, 1))
    mixed = copy_pasted(slices, box)

    assert torch.equal(mixed.labels[0], torch.where(box[0], slices.labels[2], slices.labels[0]))
    assert torch.equal(mixed.images[3], torch.where(box, slices.images[1], slices.images[3]))


# Labels


def test_the_teacher_says_what_but_the_bank_says_where():
    slices = drawn(0)
    labels = slices.labels.clone()
    labels[:, :5] = UNLABELLED
    slices = replace(slices, labels=labels)
    found = torch.rand(4, 3, 16, 12).softmax(dim=1)
    taught = pseudo_labelled(slices, found, confidence=0.4)

    assert (taught.labels[:, :5] == UNLABELLED).all()
    assert torch.equal(taught.labels[:, 5:], found.argmax(dim=1)[:, 5:])
    expected = slices.weights * (found.amax(dim=1) >= 0.4)
    assert torch.equal(taught.weights, expected)
    assert 0 < float((taught.weights == 0).float().mean()) < 1


def test_soft_labels_are_the_probabilities_where_the_bank_allows_it():
    slices = drawn(0)
    slices = replace(slices, labels=slices.labels.masked_fill(slices.labels == 2, UNLABELLED))
    found = torch.rand(4, 3, 16, 12).softmax(dim=1)
    taught = soft_labelled(slices, found)

    assert taught.probabilities is found
    assert torch.equal(taught.weights == 0, slices.labels == UNLABELLED)


def test_each_structure_keeps_its_largest_component_of_each_slice():
    labels = torch.zeros(2, 8, 8, dtype=torch.int64)
    labels[0, :2, :2] = 1  # Smaller than the next in this slice, dropped.
    labels[0, 4:7, 4:7] = 1
    labels[0, 7, 7] = 1  # Touches it at a corner.
    labels[1, 0, :2] = 1  # The only one of its slice.
    labels[1, 3, 3] = 2  # As large as the next; the first stays.
    labels[1, 6, 6] = 2
    expected = labels.clone()
    expected[0, :2, :2] = 0
    expected[1, 6, 6] = 0

    assert torch.equal(largest_in_slices(labels, 3), expected)


def test_what_is_cleaned_in_a_batch_is_what_is_cleaned_slice_by_slice():
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (6, 20, 20)))
    together = largest_in_slices(labels, 4)

    assert torch.equal(together, torch.cat([largest_in_slices(s[None], 4) for s in labels]))
    assert (together == labels)[together > 0].all()


# Losses


def test_pixels_of_weight_0_teach_nothing():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, generator=generator)
    slices = drawn(0, 2, (8, 8))
    off = torch.zeros(2, 8, 8, dtype=torch.bool)
    off[:, 2:5] = True
    slices = replace(slices, weights=slices.weights.masked_fill(off, 0))
    other = replace(slices, labels=torch.where(off, 2 - slices.labels, slices.labels))
    moved = torch.where(off.unsqueeze(1), 3 * logits.roll(1, dims=1), logits)
    seen = loss_terms(logits, slices, setup_of(), 1.0)
    changed = loss_terms(moved, other, setup_of(), 1.0)

    assert len(seen) == 2
    for name, term in seen.items():
        assert torch.equal(term, changed[name]), name


def test_terms_are_scaled_named_and_summed():
    logits, slices = torch.randn(4, 3, 16, 12), drawn(0)
    whole = loss_terms(logits, slices, setup_of(), 1.0)
    half = loss_terms(logits, slices, setup_of(), 0.5, "unlabelled_")

    assert set(half) == {"unlabelled_dice_loss", "unlabelled_cross_entropy"}
    for name, term in half.items():
        assert float(term) == pytest.approx(float(whole[name.removeprefix("unlabelled_")]) / 2)
    dice = dice_terms(logits, slices, setup_of(), 1.0)
    assert float(summed(whole, dice)["dice_loss"]) == pytest.approx(2 * float(dice["dice_loss"]))


def test_the_background_counts_in_the_dice_loss_where_the_settings_say_so():
    logits, slices = torch.randn(4, 3, 16, 12), drawn(0)
    without, with_it = (
        dice_terms(logits, slices, setup_of(dice_background=some), 1.0)["dice_loss"]
        for some in (False, True)
    )

    assert float(without) != pytest.approx(float(with_it))


def test_the_squared_error_is_a_mean_over_classes_and_the_pixels_that_count():
    logits = torch.zeros(1, 2, 1, 2)
    aim = torch.tensor([[[[1.0, 0.5]], [[0.0, 0.5]]]])
    weights = torch.tensor([[[1.0, 1.0]]])

    assert float(squared_error(logits, aim, weights)) == pytest.approx(0.125)
    assert float(squared_error(logits, aim, weights * torch.tensor([1.0, 0.0]))) == 0.25
    assert float(squared_error(logits, aim, weights * 0)) == 0


@pytest.mark.parametrize(
    ("iteration", "share", "expected"),
    [(25, 0.5, math.exp(-1.25)), (50, 0.5, 1.0), (99, 0.5, 1.0), (1, 0.0, 1.0), (100, 1.0, 1.0)],
)
def test_the_ramp_grows_to_one_over_its_share_of_the_steps(iteration, share, expected):
    assert ramp(iteration, 100, share) == pytest.approx(expected)


def test_the_ramp_begins_at_the_published_value():
    assert ramp(1, 10**6, 1.0) == pytest.approx(math.exp(-5), rel=1e-4)


# Teacher


def test_the_teacher_averages_buffers_and_predicts_as_a_network_that_is_not_trained():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
    network.append(torch.nn.Dropout(0.5)).train()
    average = average_of(network, 0.9)
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 3
    means = []
    for _ in range(3):
        network(images)
        means.append(network[1].running_mean.clone())
        average.update_parameters(network)
    # The first update copies; after n more, n / (n + 10) of the average is kept.
    expected = means[0]
    for done, mean in enumerate(means[1:], start=1):
        kept = done / (done + 10)
        expected = kept * expected + (1 - kept) * mean
    fabric = make_fabric("cpu", "32-true")
    one, two = (probabilities(average, images, fabric) for _ in range(2))

    torch.testing.assert_close(average.module[1].running_mean, expected)
    assert network.training
    assert torch.equal(one, two)
    assert not one.requires_grad
    torch.testing.assert_close(one, average.module.eval()(images).softmax(dim=1))
