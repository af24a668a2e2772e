"""The weights of the last step, their moving average, and the best on validation studies."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from segmenter_builders import bright_square, small_unet

from segmenters import Augmentation, TrainingSettings, predict, snapshot_file
from segmenters.method import Part
from semiqc.measuring.metrics import dice

KINDS = ("last", "ema", "best")
SETTINGS = {"validate_every": 2, "ema": 0.5, "augmentation": Augmentation()}


def dark_square():
    """A validation study on which what is learned of bright ones does ever worse."""
    study = bright_square("v", seed=3)
    return replace(study, image=1 - study.image)


def fit(folder=None, observe=None, **changes):
    return small_unet(**SETTINGS | changes).fit(
        [bright_square()], validation=[dark_square()], observe=observe, folder=folder
    )


def kept_in(heard):
    return lambda step, terms: heard.update({step: terms})


def weights(segmenter):
    return segmenter.network_.state_dict()


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_every_kind_is_left_in_the_folder_and_the_one_asked_for_is_the_result(tmp_path):
    asked = {kind: fit(tmp_path / kind, checkpoint=kind) for kind in KINDS}

    for kind, segmenter in asked.items():
        for folder in KINDS:
            assert_same(weights(segmenter), load_file(tmp_path / folder / f"{kind}.safetensors"))
    first = {kind: next(iter(weights(one).values())) for kind, one in asked.items()}
    assert not torch.equal(first["last"], first["ema"])
    assert not torch.equal(first["last"], first["best"])


def test_without_being_asked_the_average_is_the_result_where_one_is_kept():
    assert_same(weights(fit()), weights(fit(checkpoint="ema")))
    assert_same(weights(fit(ema=None)), weights(fit(ema=None, checkpoint="last")))


def test_the_best_has_the_lowest_validation_loss_of_all_steps(tmp_path):
    heard = {}
    best = fit(tmp_path, kept_in(heard), ema=None, checkpoint="best", snapshots=(2, 4, 6, 8, 10))
    losses = {step: t["validation_loss"] for step, t in heard.items() if "validation_loss" in t}
    so_far = [t["validation_loss_best"] for t in heard.values() if "validation_loss" in t]
    step = min(losses, key=losses.__getitem__)

    assert list(losses) == [2, 4, 6, 8, 10, 12]
    assert so_far == list(np.minimum.accumulate(list(losses.values())))
    assert step < 12
    assert_same(weights(best), load_file(tmp_path / snapshot_file(step)))


def test_a_stretch_ends_with_a_validation_of_what_it_leaves(tmp_path):
    heard = {}
    segmenter = small_unet(**SETTINGS | {"validate_every": 100, "checkpoint": "best"})
    segmenter.fit(
        [bright_square()], validation=[dark_square()], observe=kept_in(heard), folder=tmp_path,
        part=Part(3),
    )  # fmt: skip

    assert [step for step, terms in heard.items() if "validation_loss" in terms] == [3]
    left = [load_file(tmp_path / f"{kind}.safetensors") for kind in ("last", "ema")]
    assert any(
        all(torch.equal(one[name], tensor) for name, tensor in weights(segmenter).items())
        for one in left
    )


def test_validation_dice_is_that_of_each_structure():
    heard = {}
    study = dark_square()
    segmenter = fit(observe=kept_in(heard))
    labels = predict(segmenter, study).labels[0]
    [square] = segmenter.scheme.structures
    expected = dice(labels, study.labels[0], square)

    assert 0 < expected < 1
    assert heard[12]["validation_dice_ema/square"] == expected
    assert heard[12]["validation_dice_ema"] == expected
    assert {"validation_dice/square", "validation_dice_best/square"} <= heard[12].keys()


def test_the_loss_that_is_minimised_is_called_one_beside_the_learning_rate():
    heard = {}
    fit(observe=kept_in(heard))

    assert set(heard[1]) == {"dice_loss", "cross_entropy", "learning_rate"}
    assert heard[1]["learning_rate"] == 0.02
    assert heard[2]["learning_rate"] < 0.02


@pytest.mark.parametrize("kill_at", [1, 3, 8, 9])
def test_a_training_that_is_killed_goes_on_to_the_same_checkpoints_and_figures(tmp_path, kill_at):
    whole, parts = {}, {}

    def kill(step, terms):
        parts[step] = terms
        if step == kill_at:
            raise KeyboardInterrupt

    fit(tmp_path / "whole", observe=kept_in(whole), checkpoint="best")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "k", kill, checkpoint="best")
    fit(tmp_path / "k", observe=kept_in(parts), checkpoint="best")

    assert parts == whole
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert files == ["best.safetensors", "ema.safetensors", "last.safetensors"]
    for name in files:
        assert (tmp_path / "k" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_best_of_an_earlier_training_in_the_same_folder_is_not_taken(tmp_path):
    fit(tmp_path, learning_rate=0.05)
    again = fit(tmp_path, checkpoint="best", steps=2)

    assert_same(weights(again), weights(fit(checkpoint="best", steps=2)))


def test_one_kind_alone_leaves_no_checkpoint(tmp_path):
    small_unet(ema=None).fit([bright_square()], folder=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_best_needs_a_validation_study_with_a_label():
    for validation in ([], [bright_square("v", labelled=())]):
        with pytest.raises(ValueError, match="best needs a validation study with a label"):
            small_unet(checkpoint="best").fit([bright_square()], validation=validation)


def test_an_average_that_is_not_kept_cannot_be_the_result():
    with pytest.raises(ValueError, match="checkpoint: ema needs the setting ema"):
        TrainingSettings(ema=None, checkpoint="ema")
