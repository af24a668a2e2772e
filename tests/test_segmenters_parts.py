"""Trainings in stretches, between which the data may change."""

import pytest
import torch
from segmenter_builders import bright_square, small_unet

from segmenters.fitting import CONTINUED
from segmenters.method import Part, seeded


def weights(segmenter):
    return segmenter.network_.state_dict()


def test_two_stretches_are_one_training(tmp_path):
    whole = small_unet(ema=0.5).fit([bright_square()])
    first, second = tmp_path / "first", tmp_path / "second"
    small_unet(ema=0.5).fit([bright_square()], folder=first, part=Part(5))
    left = first / CONTINUED
    parts = small_unet(ema=0.5).fit([bright_square()], folder=second, part=Part(12, left))

    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(parts)[name]), name
    assert left.exists()
    assert not (second / CONTINUED).exists()


def test_a_stretch_may_have_other_data(tmp_path):
    small_unet().fit([bright_square()], folder=tmp_path / "first", part=Part(5))
    heard = []
    small_unet().fit(
        [bright_square("b", seed=4)],
        folder=tmp_path / "second",
        part=Part(8, tmp_path / "first" / CONTINUED),
        observe=lambda step, _: heard.append(step),
    )

    assert heard == [6, 7, 8]


def test_a_stretch_goes_on_from_a_state_only(tmp_path):
    (tmp_path / "state").write_bytes(b"nothing")

    with pytest.raises(ValueError, match="not the state of such a training"):
        small_unet().fit(
            [bright_square()], folder=tmp_path / "f", part=Part(8, tmp_path / "state")
        )


def test_a_state_is_the_same_wherever_the_start_lies(tmp_path):
    left = []
    for name in ("one", "other"):
        start = tmp_path / name / "start.safetensors"
        start.parent.mkdir()
        small_unet(steps=1).fit([bright_square()]).save(start)
        folder = tmp_path / f"fit-{name}"
        small_unet(start=str(start)).fit([bright_square()], folder=folder, part=Part(2))
        left.append((folder / CONTINUED).read_bytes())

    assert left[0] == left[1]


def test_what_an_iteration_draws_takes_every_seed_that_settings_take():
    largest = 2**62 - 1
    drawn = [torch.rand(1, generator=seeded(seed, 1)) for seed in (largest, largest - 1)]

    assert not torch.equal(*drawn)
