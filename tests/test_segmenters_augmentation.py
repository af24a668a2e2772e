from dataclasses import replace

import pytest
import torch

from segmenters import Augmentation, augment
from semiqc.schemes import UNLABELLED

EVERYTHING = Augmentation(probability=1.0, spatial_probability=1.0)
NOTHING = Augmentation(probability=0, spatial_probability=0)
STILL = replace(
    EVERYTHING, rotation=0, scale=(1, 1), aspect=0, shift=0, elastic=0, gamma=(1, 1),
    contrast=(1, 1), brightness=0, bias=0, noise=0, blur=0, low_resolution=1,
)  # fmt: skip


@pytest.fixture
def batch():
    """Disks, bright where labelled, on 32 x 40 pixels, each at another place."""
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(40), indexing="ij")
    labels = torch.stack(
        [((rows - 14) ** 2 + (columns - 15 - 3 * i) ** 2 < 60).long() for i in range(4)]
    )
    return labels.float().unsqueeze(1), labels


def run(batch, settings, seed=0, **options):
    return augment(*batch, settings, torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize("settings", [STILL, NOTHING])
def test_changes_of_nothing_change_nothing(batch, settings):
    images, labels = run(batch, settings)

    torch.testing.assert_close(images, batch[0], atol=1e-4, rtol=0)
    assert torch.equal(labels, batch[1])


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": 40.0}, {"scale": (0.7, 1.4)}, {"shift": 0.2}, {"elastic": 0.04},
        {"aspect": 0.5},
    ],
)  # fmt: skip
def test_image_and_labels_move_together(batch, change):
    images, labels = run(batch, replace(STILL, **change))

    assert not torch.equal(labels, batch[1])
    known = labels != UNLABELLED
    agree = ((images[:, 0] > 0.5) == (labels == 1))[known].float().mean()
    assert agree > 0.98


@pytest.mark.parametrize(
    "change",
    [
        {"gamma": (0.5, 0.6)}, {"contrast": (1.5, 2.0)}, {"brightness": 0.5},
        {"bias": 0.5}, {"noise": 0.3}, {"blur": 2.0}, {"low_resolution": 0.3},
    ],
)  # fmt: skip
def test_intensities_change_without_the_labels(batch, change):
    ramp = batch[0] * torch.linspace(0.2, 1, 40)
    images, labels = run((ramp, batch[1]), replace(STILL, **change))

    assert torch.equal(labels, batch[1])
    assert (images - ramp).abs().max() > 0.02


def test_what_comes_into_view_is_unlabelled(batch):
    _, labels = run(batch, replace(STILL, shift=0.4))

    assert (labels == UNLABELLED).any()
    assert set(labels.unique().tolist()) <= {UNLABELLED, 0, 1}


def test_only_the_axes_that_may_be_are_mirrored(batch):
    assert torch.equal(run(batch, STILL)[1], batch[1])
    mirrored = run(batch, STILL, mirror_axes=("x",), seed=1)[1]

    for found, before in zip(mirrored, batch[1], strict=True):
        assert torch.equal(found, before) or torch.equal(found, before.flip(1))
    assert not torch.equal(mirrored, batch[1])


def test_the_generator_decides(batch):
    one, again, other = (run(batch, EVERYTHING, seed=s)[0] for s in (3, 3, 4))

    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_each_slice_draws_for_itself(batch):
    same = (batch[0][:1].repeat(4, 1, 1, 1), batch[1][:1].repeat(4, 1, 1))
    images, _ = run(same, EVERYTHING)

    assert not torch.equal(images[0], images[1])


def test_rotation_turns_circles_into_circles_on_oblong_slices(batch):
    _, labels = run(batch, replace(STILL, rotation=40.0))
    inside = (labels == 1).flatten(1).sum(1).float()

    torch.testing.assert_close(inside, (batch[1] == 1).flatten(1).sum(1).float(), atol=12, rtol=0)
