"""Deep supervision: coarser levels learn, and nothing of it is left in the network."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from segmenter_builders import SQUARE, bright_square, small_unet

from segmenters import FCN, PlainUNet
from segmenters.deep_supervision import DeepSupervision, coarser
from segmenters.fitting import _start
from segmenters.method import TrainingData
from segmenters.step import SupervisedMethod
from semiqc.experiment import read_settings
from semiqc.experiment.stretches import _changes

TRAINING = replace(small_unet().training, deep_supervision=True)


def segmenter(**changes):
    return PlainUNet(SQUARE, channels=(4, 6, 8, 10), training=replace(TRAINING, **changes))


def test_the_decoders_levels_are_heard_finest_first():
    levels = [torch.nn.AvgPool2d(2), torch.nn.AvgPool2d(4)]
    deep = DeepSupervision(levels, (3, 3), 2)
    with deep.heard() as logits:
        for level in reversed(levels):
            level(torch.ones(1, 3, 16, 16))
    levels[0](torch.ones(1, 3, 16, 16))

    assert [tuple(one.shape) for one in logits] == [(1, 2, 8, 8), (1, 2, 4, 4)]
    assert deep.shares == pytest.approx([4 / 7, 2 / 7, 1 / 7])


def test_labels_of_a_level_are_those_of_its_pixels():
    labels = torch.arange(64).reshape(1, 8, 8)
    assert coarser(labels, 0).equal(labels)
    assert coarser(labels, 2).tolist() == [[[0, 4], [32, 36]]]


def test_the_loss_is_that_of_all_levels_and_moves_their_heads():
    setup, optimizer = _start(segmenter(), [bright_square()], 1)
    (level,) = segmenter().coarse_levels(setup.plain[0])
    assert level is setup.plain[0].up[1]
    method = SupervisedMethod()
    step = method.step(setup)
    batch = method.sampler(TrainingData([bright_square()]), setup).batch(1)
    both = step.losses(batch, 1)
    step.deep = None
    alone = step.losses(batch, 1)
    before = setup.deep.heads[0].weight.clone()
    setup.fabric.backward(sum(both.values()))
    optimizer.step()

    assert both.keys() == alone.keys()
    assert all(abs(both[name] - alone[name]) > 1e-6 for name in both)
    assert not setup.deep.heads[0].weight.equal(before)


def test_the_trained_network_is_like_any_other(tmp_path):
    fitted = segmenter().fit([bright_square()])
    plain = segmenter(deep_supervision=False).fit([bright_square()])
    ours, others = fitted.network_.state_dict(), plain.network_.state_dict()
    assert ours.keys() == others.keys()
    assert any(not ours[name].equal(others[name]) for name in ours)

    fitted.save(tmp_path / "a.safetensors")
    segmenter(deep_supervision=False).load(tmp_path / "a.safetensors")


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    def kill(step, terms):
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segmenter().fit([bright_square()], observe=kill, folder=tmp_path)
    steps = []
    resumed = segmenter().fit(
        [bright_square()], observe=lambda step, terms: steps.append(step), folder=tmp_path
    )
    torch.manual_seed(1)  # What the caller draws is nothing to the heads.
    whole = segmenter().fit([bright_square()])

    assert steps[0] == 6
    ours, others = resumed.network_.state_dict(), whole.network_.state_dict()
    assert all(ours[name].equal(others[name]) for name in ours)


@pytest.mark.parametrize(
    "other",
    [FCN(SQUARE, training=TRAINING), PlainUNet(SQUARE, channels=(4, 6, 8), training=TRAINING)],
)
def test_networks_without_such_levels_are_refused(other):
    with pytest.raises(ValueError, match="deep_supervision needs a plain_unet of at least four"):
        other.fit([bright_square()])


@pytest.mark.parametrize("network", ["segmenter.kind=unet", "segmenter.channels=[4, 8, 16]"])
def test_settings_with_such_networks_are_refused_before_work(network):
    with pytest.raises(ValueError, match=r"training\.deep_supervision: needs segmenter\.kind"):
        read_settings(None, ["data=a.h5", "training.deep_supervision=true", network])


def test_online_trainings_leave_it_out():
    trainer = SimpleNamespace(
        settings=read_settings(None, ["data=a.h5", "training.deep_supervision=true"])
    )
    assert _changes(trainer, SimpleNamespace(path="a"))["deep_supervision"] is False
