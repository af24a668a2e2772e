"""Sources of other segmentations."""

from types import SimpleNamespace

import pytest
from segmenter_builders import bright_square, small_unet

from semiqc.experiment import candidates
from semiqc.experiment.candidates import Asked, of_phantom


class Trainer:
    """Remembers by which stage the weights that segment are known."""

    def __init__(self, **training):
        self.training = training

    def blank(self, rung, member=0, **changes):
        return small_unet(**self.training | changes)

    def predict(self, name, ensemble, studies, **how):
        return ensemble.first.stage.key


@pytest.mark.parametrize(
    ("training", "is_same"),
    [({"seed": 3}, True), ({"patch": (32, 32)}, False), ({"precision": "bf16-mixed"}, False)],
)
def test_what_phantoms_taught_segments_anew_with_another_patch(
    training, is_same, tmp_path, monkeypatch
):
    file = tmp_path / "square.safetensors"
    file.write_bytes(b"weights")
    monkeypatch.setattr(candidates, "start_of", lambda blank, studies: file)

    def key(trainer):
        return of_phantom(Asked(trainer, "few", SimpleNamespace(), [bright_square()]))["phantom"]

    assert (key(Trainer(**training)) == key(Trainer())) is is_same
