"""Trainings by online methods."""

from dataclasses import replace

import numpy as np
import pytest
from segmenter_builders import bright_square, small_unet

from loops.online.bcp import BCP
from loops.online.fixmatch import MEAN_TEACHER, FixMatch
from loops.online.registry import METHODS
from segmenters.prediction import predict

VARIANTS = {
    **{name: method() for name, method in METHODS.items()},
    "bcp of the bank, pretrained": BCP(labels="bank", pretraining=0.5),
    "fixmatch of the bank, mixed with labelled": FixMatch(
        labels="bank", mix="labelled", loss="dice_ce", streams=2, largest_component=True
    ),
    "mean teacher": MEAN_TEACHER,
}
every_method = pytest.mark.parametrize("method", VARIANTS.values(), ids=VARIANTS)


def unlabelled(name="u", *, inverted=False, **options):
    """A study with the truth as what the bank says; its square may be dark."""
    study = bright_square(name, labelled=(0, 1), seed=7, **options)
    return replace(study, image=-study.image if inverted else study.image)


def fitted(method, studies=(), pool=(), *, observe=None, folder=None, part=None, **changes):
    return small_unet(**{"ema": 0.9, **changes}).fit(
        studies or [bright_square()],
        unlabelled=pool or [unlabelled()],
        method=method,
        observe=observe,
        folder=folder,
        part=part,
    )


def dice_of(segmenter, study):
    found, truth = predict(segmenter, study).labels == 1, study.labels[:] == 1
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


@every_method
def test_the_loss_falls_and_the_square_is_learned(method):
    seen = []
    segmenter = fitted(
        method, observe=lambda _, values: seen.append(values), steps=60, learning_rate=0.05
    )
    first, last = (
        np.mean([values["dice_loss"] for values in part]) for part in (seen[:5], seen[-5:])
    )

    assert last < first / 2
    assert any(name.startswith("unlabelled_") for name in seen[-1])
    assert dice_of(segmenter, bright_square("b", labelled=(0, 1), seed=3)) > 0.9


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (BCP, {"confidence": 1.5}, "confidence must lie in"),
        (BCP, {"pretraining": -0.1}, "pretraining must lie in"),
        (BCP, {"weight": -1.0}, "weight must not be negative"),
        (FixMatch, {"ramp": 2.0}, "ramp must lie in"),
        (FixMatch, {"weight": float("nan")}, "weight must not be negative"),
        (FixMatch, {"labels": "soft", "mix": "labelled"}, "mix: labelled needs hard labels"),
    ],
)
def test_settings_are_checked(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)
