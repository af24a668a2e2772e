"""Methods of several networks or teachers."""

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from segmenter_builders import bright_square, small_unet
from torch import nn

from loops.online.admt import ADMT, contested, fuse, turns
from loops.online.cps import CPS, perturb
from loops.online.sampler import TwoStreamBatch
from segmenters.device import make_fabric
from segmenters.method import Setup, seeded
from segmenters.prediction import predict
from segmenters.sampler import SliceBatch


class Stubborn(nn.Module):
    """Says the same of every pixel."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images):
        return self.logits.view(1, -1, 1, 1).expand(len(images), -1, *images.shape[-2:])


def setup_of(*networks):
    fabric = make_fabric("cpu", "32-true")
    wrapped = [fabric.setup_module(network) for network in networks]
    training = replace(small_unet(ema=0.9).training, precision="32-true")
    return Setup(wrapped, training, (), fabric, (16, 16))


def a_batch(count=2):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (count, 16, 16), generator=generator)
    part = SliceBatch(torch.rand(count, 1, 16, 16, generator=generator), labels)
    return TwoStreamBatch(part, part)


# Cross pseudo supervision


def test_each_network_learns_by_the_labels_of_the_others_average():
    method = CPS(ramp=0.0, perturbation=0.0)
    step = method.step(setup_of(Stubborn(0.0, 3.0), Stubborn(3.0, 0.0)))
    terms = step.losses(a_batch(), 1)

    # Of either network the other's class is the unlikely one.
    expected = math.log1p(math.exp(3))
    assert terms["unlabelled_cross_entropy"].item() == pytest.approx(expected, rel=1e-3)


def test_networks_with_the_same_start_part_ways():
    network = small_unet().make()
    setup = setup_of(network, deepcopy(network))
    step = CPS().step(setup)
    first, second = (dict(net.named_parameters()) for net in setup.plain)

    assert any(not torch.equal(weights, second[name]) for name, weights in first.items())
    assert set(step.modules) == {"network", "average", "network_2", "average_2"}


def test_without_perturbation_colours_alone_part_them():
    network = small_unet().make()
    setup = setup_of(network, deepcopy(network))
    step = CPS(perturbation=0.0).step(setup)
    sum(step.losses(a_batch(), 1).values()).backward()
    first, second = (dict(net.named_parameters()) for net in setup.plain)

    assert all(torch.equal(weights, second[name]) for name, weights in first.items())
    assert any(not torch.equal(w.grad, second[name].grad) for name, w in first.items())


def test_the_perturbation_is_a_share_of_each_layers_deviation():
    layer = nn.Linear(200, 200)
    before = layer.weight.detach().clone()
    norm = nn.BatchNorm2d(4)
    perturb(nn.ModuleList([layer, norm]), 0.1, seeded(0, 0))
    added = layer.weight.detach() - before

    assert float(added.std() / before.std()) == pytest.approx(0.1, rel=0.05)
    assert torch.equal(norm.weight, torch.ones(4))


def test_the_second_network_is_left_beside_the_first(tmp_path):
    study = bright_square(labelled=(0, 1))
    options = {"steps": 40, "learning_rate": 0.05, "ema": 0.9}
    first = small_unet(**options)
    first.fit([study], unlabelled=[study], method=CPS(), folder=tmp_path)
    peer = small_unet().load(tmp_path / "peer.safetensors")
    one, other = (predict(segmenter, study).labels for segmenter in (first, peer))

    assert (one == other).mean() > 0.9
    weights = peer.network_.state_dict()
    assert not all(torch.equal(w, weights[n]) for n, w in first.network_.state_dict().items())


# Alternating teachers


def test_turns_alternate_each_lasting_some_steps():
    whose = turns(2000, 50, seeded(0, 0))
    lasting = torch.unique_consecutive(whose, return_counts=True)[1]

    assert whose.shape == (2000,)
    assert whose[0] == 0
    assert 40 < lasting.max() <= 50
    assert lasting.min() < 10
    assert not torch.equal(whose, turns(2000, 50, seeded(1, 0)))


def test_only_the_teacher_whose_turn_it_is_follows_the_student():
    step = ADMT().step(setup_of(Stubborn(0.0, 1.0)))
    step.turns = torch.tensor([0, 0, 1])
    followed = []
    for iteration in (1, 2, 3):
        step.losses(a_batch(), iteration)
        step.after_update()
        followed.append([int(teacher.n_averaged) for teacher in step.teachers])

    assert followed == [[1, 0], [2, 0], [2, 1]]


def test_the_surer_teacher_counts_more():
    sure, unsure = (torch.tensor([p, 1 - p]).view(1, 2, 1, 1) for p in (1.0, 0.5))

    weight = math.exp(-1)  # Of one bit.

    expected = torch.tensor([1 + weight / 2, weight / 2]) / (1 + weight)
    torch.testing.assert_close(fuse(sure, unsure).flatten(), expected)
    torch.testing.assert_close(fuse(unsure, unsure), unsure)


def test_the_student_has_its_say_where_teachers_differ_and_it_is_surer():
    def pixels(*first):
        return torch.tensor([first, [1 - p for p in first]]).view(1, 2, 1, -1)

    fused, students = pixels(0.6, 0.6, 0.6, 0.6), pixels(0.1, 0.1, 0.45, 0.9)
    differ = torch.tensor([[[True, False, True, True]]])

    expected = pixels(0.1, 0.6, 0.6, 0.6)
    torch.testing.assert_close(contested(fused, students, differ), expected)


@pytest.mark.parametrize("conflict", [True, False])
def test_conflicts_of_teachers_are_settled_by_the_student(conflict):
    step = ADMT(conflict=conflict, confidence=0.0).step(setup_of(Stubborn(9.0, 0.0)))
    step.teachers = [Stubborn(0.0, 0.8), Stubborn(0.4, 0.0)]
    step.turns = torch.zeros(1, dtype=torch.int64)
    terms = step.losses(a_batch(), 1)

    # The student is sure of the background, while the teachers settle on the other class.
    assert (terms["unlabelled_dice_loss"].item() < 1e-3) == conflict
