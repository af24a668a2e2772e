from dataclasses import replace

import numpy as np
import pytest
import torch
from segmenter_builders import Watched, bright_square

from segmenters.sampler import SliceSampler, fit_patch
from semiqc.schemes import UNLABELLED
from semiqc.study import Study


def sampler(studies, **options):
    return SliceSampler(studies, **{"batch_size": 8, "patch": (16, 12), **options})


def marked(name, value):
    """A study whose every pixel is its mark."""
    study = bright_square(name)
    return replace(study, image=np.full_like(study.image, value))


def test_batches_have_the_patchs_size_whatever_the_studies():
    studies = [bright_square(size=(24, 20)), bright_square(size=(10, 30))]
    batch = sampler(studies).batch(1)

    assert batch.images.shape == (8, 1, 16, 12)
    assert batch.labels.shape == (8, 16, 12)
    assert batch.labels.dtype == torch.int64


def test_image_and_label_are_cropped_alike():
    study = bright_square()
    study = replace(study, image=np.where(study.labels == 1, 5, 0).astype(np.float32)[None])
    batch = sampler([study]).batch(3)

    np.testing.assert_array_equal(batch.images[:, 0] == 5, batch.labels == 1)


def test_what_sticks_out_is_unlabelled():
    batch = sampler([bright_square(size=(16, 8))]).batch(1)

    assert (batch.labels[:, :, :2] == UNLABELLED).all()
    assert (batch.labels[:, :, 2:10] != UNLABELLED).all()


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_pseudo_labels_have_their_share_of_each_batch(ratio, expected):
    drawn = sampler([marked("a", 1.0)], pseudo=[marked("b", 2.0)], pseudo_ratio=ratio).batch(1)

    assert int((drawn.images[:, 0, 0, 0] == 2).sum()) == expected


def test_without_pseudo_labels_the_whole_batch_is_the_experts():
    assert (sampler([marked("a", 1.0)], pseudo_ratio=1.0).batch(1).images == 1).all()


def test_only_labelled_frames_are_drawn_and_single_slices_read():
    study = bright_square(frames=4, labelled=(2,))
    image, labels = Watched(study.image), Watched(study.labels)
    sampler([replace(study, image=image, labels=labels)]).batch(1)

    assert {key[1] for key in image.keys} == {2}
    assert all(isinstance(key[2], int) for key in image.keys)


def test_a_batch_is_decided_by_its_number():
    one, again = sampler([bright_square()]).batch(7), sampler([bright_square()]).batch(7)

    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, sampler([bright_square()]).batch(8).images)


def test_reading_ahead_changes_nothing():
    ahead = list(sampler([bright_square()]).batches(4, 6))

    assert len(ahead) == 3
    for number, batch in zip((4, 5, 6), ahead, strict=True):
        assert torch.equal(batch.images, sampler([bright_square()]).batch(number).images)


def test_a_failure_while_reading_ahead_is_raised_where_the_batch_is_asked_for():
    study = bright_square()

    class Broken(Watched):
        def __getitem__(self, key):
            raise OSError("disk gone")

    broken = replace(study, image=Broken(study.image))
    with pytest.raises(OSError, match="disk gone"):
        next(sampler([broken]).batches(1, 5))


def test_crops_of_large_slices_lie_around_the_structure():
    study = bright_square(size=(96, 80))
    share = [
        float((sampler([study], foreground=f, batch_size=60).batch(1).labels == 1).any(2).any(1)
              .float().mean())
        for f in (0.0, 1.0)
    ]  # fmt: skip

    assert share[1] == 1
    assert share[0] < 0.7


def test_a_patch_keeps_its_place():
    array = np.arange(12).reshape(3, 4)

    assert fit_patch(array, (1, 2), (2, 2), 0).tolist() == [[6, 7], [10, 11]]
    assert fit_patch(array, (-1, 3), (3, 2), -1).tolist() == [[-1, -1], [3, -1], [7, -1]]


def test_what_pseudo_labels_of_small_weight_are_not_drawn_the_experts_are():
    pseudo = [replace(marked("b", 2.0), weight=0.3), replace(marked("c", 3.0), weight=0.1)]
    drawn = sampler([marked("a", 1.0)], pseudo=pseudo, pseudo_ratio=0.5)

    images = torch.cat([drawn.batch(number).images[:, 0, 0, 0] for number in range(1, 201)])

    shares = [(images == value).float().mean().item() for value in (1.0, 2.0, 3.0)]
    assert shares == pytest.approx([0.9, 0.075, 0.025], abs=0.02)


def test_a_study_is_drawn_as_often_as_its_weight_says():
    light = replace(marked("light", 1.0), weight=0.25)
    heavy = replace(marked("heavy", 2.0), weight=0.75)
    drawn = sampler([light, heavy], batch_size=400).batch(1).images.amax(dim=(1, 2, 3))

    # 300 of 400 are expected, with a standard deviation of sqrt(400 * 3 / 16) = 8.7.
    assert 265 < int((drawn == 2).sum()) < 335


def test_slices_without_a_label_are_drawn_anew():
    study = bright_square()
    labels = study.labels.copy()
    labels[:, :2] = UNLABELLED
    batch = sampler([replace(study, labels=labels)], batch_size=60).batch(1)

    # Two in three slices have no label; ten draws all fail once in 58.
    unlabelled = (batch.labels == UNLABELLED).all(dim=(1, 2))
    assert int(unlabelled.sum()) <= 6


def test_crops_follow_the_structures_of_the_frame_on_every_slice():
    labels = np.zeros((1, 2, 80, 80), np.int8)
    labels[0, 0, 50:60, 20:30] = 1
    place = np.arange(80 * 80, dtype=np.float32).reshape(80, 80)
    study = Study("a", np.broadcast_to(place, (1, 1, 2, 80, 80)), labels, (8.0, 1.5, 1.5))
    drawn = SliceSampler([study], batch_size=60, patch=(32, 32), foreground=1.0).batch(1)
    middles = drawn.images[:, 0, 16, 16].numpy()
    rows, columns = middles // 80, middles % 80

    # The second slice has no structure, and is cropped where those of the first lie.
    assert not (drawn.labels == 1).any(2).any(1).all()
    assert np.abs(rows - 54.5).max() < 0.15 * 32 + 1.5
    assert np.abs(columns - 24.5).max() < 0.15 * 32 + 1.5
    assert np.ptp(rows) > 3


def test_weights_of_voxels_are_cropped_as_their_labels_and_nothing_outside_weighs():
    study = marked("a", 1.0)
    shape = study.labels.shape
    weights = np.random.default_rng(0).random(shape).astype(np.float32)
    one = replace(study, image=weights[None], voxel_weights=weights)
    large = (shape[2] + 2, shape[3] + 2)

    batch = sampler([marked("b", 2.0)], pseudo=[one], pseudo_ratio=1.0, patch=large).batch(1)
    mixed = sampler([marked("b", 2.0)], pseudo=[one], pseudo_ratio=0.5).batch(1)

    assert torch.equal(batch.weights, batch.images[:, 0])
    assert (batch.weights[batch.labels == UNLABELLED] == 0).all()
    of_experts = mixed.images[:, 0].amax(dim=(1, 2)) == 2.0
    assert 0 < int(of_experts.sum()) < len(of_experts)
    assert (mixed.weights[of_experts] == 1).all()
    assert sampler([marked("b", 2.0)]).batch(1).weights is None
