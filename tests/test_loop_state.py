"""A loop goes on from a sound state only."""

import shutil

import pytest
import torch
from torch import nn

from semiqc.loop_state import STATE, LoopState, damage_of_state, empty_without_state


@pytest.fixture
def state(tmp_path):
    module = nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return LoopState(tmp_path, "a", {"network": module}, optimizer)


def test_a_flipped_bit_anywhere_in_a_state_is_noticed(state, tmp_path):
    state.save(7)
    path = tmp_path / STATE
    whole = path.read_bytes()
    assert damage_of_state(tmp_path) == ""

    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert damage_of_state(tmp_path), at


@pytest.mark.parametrize("size", [0, 5, 200, -1])
def test_a_state_cut_short_is_set_aside_and_the_loop_begins_anew(state, tmp_path, size, caplog):
    state.save(7)
    state.path.write_bytes(state.path.read_bytes()[:size])

    assert state.restore() == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{STATE}.damaged"]
    assert f"{STATE}: damaged" in caplog.text


@pytest.mark.parametrize("name", ["training.csv", "snapshot-00000002.safetensors"])
@pytest.mark.parametrize("change", ["flipped", "cut", "removed"])
def test_what_a_training_left_beside_its_state_is_checked(state, tmp_path, name, change):
    path = tmp_path / name
    path.write_bytes(b"what was there")
    state.save(7)
    path.write_bytes({"flipped": b"what vas there", "cut": b"what"}.get(change, b""))
    if change == "removed":
        path.unlink()

    assert name in damage_of_state(tmp_path)
    assert state.restore() == 0


def test_what_was_added_behind_a_state_is_cut_off(state, tmp_path):
    log = tmp_path / "training.csv"
    log.write_text("1\n2\n")
    state.save(2)
    log.write_text("1\n2\n3\n4")

    assert state.restore() == 2
    assert log.read_text() == "1\n2\n"


def test_without_a_state_nothing_is_kept(state, tmp_path):
    (tmp_path / "training.csv").write_text("garbled\0")
    (tmp_path / "tensorboard").mkdir()
    empty_without_state(tmp_path)
    assert not list(tmp_path.iterdir())

    state.save(2)
    empty_without_state(tmp_path)
    assert state.restore() == 2


def test_the_state_of_another_stage_is_passed_over(tmp_path, caplog):
    def of(stage):
        folder = tmp_path / f".{stage}.part" / "member-1"
        folder.mkdir(parents=True, exist_ok=True)
        module = nn.Linear(2, 3)
        return LoopState(folder, "a", {"network": module}, torch.optim.AdamW(module.parameters()))

    first, other = of("train-few-0123"), of("train-few-4567")
    first.save(7)
    shutil.copy(first.path, other.path)

    assert first.restore() == 7
    assert other.restore() == 0
    assert f"{other.path}: the state of another training" in caplog.text
