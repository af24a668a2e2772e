import pytest
import torch

from segmenters.losses import cross_entropy, dice_loss
from semiqc.schemes import UNLABELLED


@pytest.fixture
def logits():
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_certain_and_right_costs_nothing():
    labels = torch.tensor([[[0, 1], [1, 0]]])
    logits = 50 * torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float()

    assert dice_loss(logits, labels) == pytest.approx(0, abs=1e-6)
    assert cross_entropy(logits, labels) == pytest.approx(0, abs=1e-6)


def test_dice_by_hand():
    # Everything is called class 1 with probability 1; half of it is: Dice of 1 is 2*2/(4+2).
    labels = torch.tensor([[[0, 0], [1, 1]]])
    logits = torch.stack([torch.full((2, 2), -50.0), torch.full((2, 2), 50.0)]).unsqueeze(0)

    assert dice_loss(logits, labels) == pytest.approx((1 + (1 - 4 / 6)) / 2, abs=1e-5)


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy])
def test_unlabelled_pixels_have_no_say(logits, loss):
    labels = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    labels[:, :2] = UNLABELLED
    other = logits.clone()
    other[:, :, :2] = 7

    assert loss(logits, labels) == pytest.approx(float(loss(other, labels)))


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy])
def test_a_batch_without_labels_costs_nothing_and_moves_nothing(logits, loss):
    logits.requires_grad_()
    value = loss(logits, torch.full((2, 4, 5), UNLABELLED))
    value.backward()

    assert value == 0
    assert (logits.grad == 0).all()


def test_a_class_that_is_not_there_does_not_count_as_missed(logits):
    labels = torch.zeros(2, 4, 5, dtype=torch.int64)
    certain = torch.zeros_like(logits)
    certain[:, 0] = 50

    assert dice_loss(certain, labels) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy])
def test_a_weight_of_zero_is_as_unlabelled(logits, loss):
    labels = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    hidden = labels.clone()
    hidden[:, :2] = UNLABELLED
    weights = torch.ones(2, 4, 5)
    weights[:, :2] = 0

    assert loss(logits, labels, weights) == pytest.approx(float(loss(logits, hidden)))


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy])
def test_weights_count_against_each_other(logits, loss):
    labels = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    weights = torch.full((2, 4, 5), 0.5)
    halved = loss(logits, labels, weights)
    weights[0] = 0.1

    assert halved == pytest.approx(float(loss(logits, labels)))
    assert abs(loss(logits, labels, weights) - loss(logits[1:], labels[1:])) < abs(
        halved - loss(logits[1:], labels[1:])
    )


def test_the_background_may_have_no_part_in_the_dice_loss():
    # All is called class 1: the Dice of 1 is 2*2/(4+2), that of the background is 0.
    labels = torch.tensor([[[0, 0], [1, 1]]])
    logits = torch.stack([torch.full((2, 2), -50.0), torch.full((2, 2), 50.0)]).unsqueeze(0)

    assert dice_loss(logits, labels, background=False) == pytest.approx(1 - 4 / 6, abs=1e-5)
