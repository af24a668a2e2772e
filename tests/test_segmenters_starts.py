"""Weights from which a training starts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from segmenter_builders import SQUARE, bright_square, small_unet

from segmenters import PlainUNet
from segmenters.starts import digest, start_of
from semiqc.study import PHANTOM_SOURCE, Geometry

IMPORTED = Geometry(np.eye(4), (20, 24, 3), source="patient.nii.gz")


def weights(segmenter):
    return segmenter.network_.state_dict()


def test_a_training_starts_from_the_weights_of_a_file(tmp_path):
    before = small_unet(ema=None).fit([bright_square()])
    before.save(tmp_path / "before.safetensors")
    still = {"steps": 1, "learning_rate": 1e-12, "ema": None}
    after = small_unet(**still, start=str(tmp_path / "before.safetensors"))

    name = next(iter(weights(before)))
    started = weights(after.fit([bright_square(seed=5)]))
    assert torch.allclose(started[name], weights(before)[name], atol=1e-6)
    scratch = weights(small_unet(**still).fit([bright_square(seed=5)]))
    assert not torch.allclose(scratch[name], weights(before)[name], atol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    small_unet(steps=1).fit([bright_square()]).save(tmp_path / "w.safetensors")
    other = PlainUNet(SQUARE, channels=(4, 8), training=small_unet().training)
    other.training = replace(other.training, start=str(tmp_path / "w.safetensors"))

    with pytest.raises(ValueError, match=r"w\.safetensors: holds .*UNet.*expected .*PlainUNet"):
        other.fit([bright_square()])


def test_weights_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        small_unet(start=str(tmp_path / "none.safetensors")).fit([bright_square()])


def test_phantoms_and_arrays_start_from_scratch(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "segmenters.starts.pretrained_weights", lambda *network: tmp_path / "shipped"
    )
    patient = replace(bright_square(), geometry=IMPORTED)
    phantom = replace(patient, geometry=replace(IMPORTED, source=PHANTOM_SOURCE))

    assert start_of(small_unet(), [patient]) == tmp_path / "shipped"
    assert start_of(small_unet(), [patient, phantom]) is None
    assert start_of(small_unet(), [bright_square()]) is None
    assert start_of(small_unet(start="phantom"), [phantom]) == tmp_path / "shipped"
    assert start_of(small_unet(start="scratch"), [patient]) is None


def test_phantoms_weights_are_asked_for_in_vain_where_none_are_shipped():
    with pytest.raises(ValueError, match="no weights are shipped for the label scheme square"):
        small_unet(start="phantom").fit([bright_square()])
    patient = replace(bright_square(), geometry=IMPORTED)
    assert start_of(small_unet(), [patient]) is None


def test_a_start_is_told_apart_by_what_the_file_holds(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"one")
    one = digest(path)
    path.write_bytes(b"two")

    assert digest(None) == "" != one != digest(path)
    with pytest.raises(ValueError, match="No such file"):
        digest(tmp_path / "none")
