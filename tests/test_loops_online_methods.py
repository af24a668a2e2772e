"""Trainings by online methods."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from segmenter_builders import bright_square, small_unet

from loops.online.admt import ADMT
from loops.online.bcp import BCP
from loops.online.fixmatch import MEAN_TEACHER, FixMatch
from loops.online.registry import METHODS
from segmenters.fitting import CONTINUED
from segmenters.method import Part
from segmenters.prediction import predict
from semiqc.schemes import UNLABELLED

VARIANTS = {
    **{name: method() for name, method in METHODS.items()},
    "bcp of the bank, pretrained": BCP(labels="bank", pretraining=0.5),
    "fixmatch of the bank, mixed with labelled": FixMatch(
        labels="bank", mix="labelled", loss="dice_ce", streams=2, largest_component=True
    ),
    "mean teacher": MEAN_TEACHER,
    # Whose teachers both change and are heard within a few steps.
    "admt of short turns": ADMT(longest_turn=2, confidence=0.0, ramp=0.0),
}
BRIGHT = bright_square("b", labelled=(0, 1), seed=3)
DARK = replace(BRIGHT, image=-BRIGHT.image)
LONG = {"steps": 60, "learning_rate": 0.05}
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


def weights(segmenter):
    return segmenter.network_.state_dict()


def are_the_same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Weights of a training that nothing disturbs, and its folder."""

    @cache
    def trained(method):
        folder = tmp_path_factory.mktemp("undisturbed")
        return weights(fitted(method, folder=folder)), folder

    return trained


def dice_of(segmenter, study):
    found, truth = predict(segmenter, study).labels == 1, study.labels[:] == 1
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


@every_method
def test_the_loss_falls_and_the_square_is_learned(method):
    seen = []
    segmenter = fitted(method, observe=lambda _, values: seen.append(values), **LONG)
    first, last = (
        np.mean([values["dice_loss"] for values in part]) for part in (seen[:5], seen[-5:])
    )

    assert last < first / 2
    assert any(name.startswith("unlabelled_") for name in seen[-1])
    assert dice_of(segmenter, BRIGHT) > 0.9


def test_a_bright_square_says_nothing_of_dark_ones():
    assert dice_of(small_unet(**LONG).fit([bright_square()]), DARK) < 0.3


@pytest.mark.parametrize("method", [BCP(labels="bank"), FixMatch(labels="bank")])
def test_what_the_few_labels_do_not_show_is_learned_from_the_bank(method):
    segmenter = fitted(method, pool=[unlabelled(inverted=True)], **LONG)

    assert dice_of(segmenter, DARK) > 0.8


@every_method
@pytest.mark.parametrize("kill_at", [3, 6, 11])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, undisturbed, method, kill_at):
    class Killed(Exception):  # noqa: N818
        pass

    def kill(step, terms):
        if step == kill_at:
            raise Killed

    with pytest.raises(Killed):
        fitted(method, observe=kill, folder=tmp_path)
    steps = []
    resumed = fitted(method, observe=lambda step, _: steps.append(step), folder=tmp_path)
    expected, folder = undisturbed(method)

    assert steps[0] == (kill_at - 1) // 5 * 5 + 1
    assert are_the_same(expected, weights(resumed))
    for kind in ("last", "ema"):
        one, other = (load_file(run / f"{kind}.safetensors") for run in (folder, tmp_path))
        assert are_the_same(one, other), kind


@every_method
def test_two_stretches_are_one_training(tmp_path, undisturbed, method):
    fitted(method, folder=tmp_path / "a", part=Part(7))
    parts = fitted(method, folder=tmp_path / "b", part=Part(12, tmp_path / "a" / CONTINUED))

    assert are_the_same(undisturbed(method)[0], weights(parts))


@every_method
def test_the_seed_decides(undisturbed, method):
    again, other = (weights(fitted(method, seed=seed)) for seed in (0, 1))

    assert are_the_same(undisturbed(method)[0], again)
    assert not are_the_same(again, other)


TAUGHT = [name for name, method in VARIANTS.items() if getattr(method, "labels", "") != "bank"]


@pytest.mark.parametrize("name", TAUGHT)
def test_of_the_bank_a_teacher_takes_where_and_not_what(name):
    # As large as the patch: crops of larger slices follow the structures of the bank.
    study = unlabelled(size=(16, 16))
    empty = study.with_labels(np.zeros_like(study.labels))
    half = study.labels.copy()
    half[..., :12, :] = UNLABELLED
    found = [weights(fitted(VARIANTS[name], pool=[pool])) for pool in (study, empty)]

    assert are_the_same(*found)
    assert not are_the_same(
        found[0], weights(fitted(VARIANTS[name], pool=[study.with_labels(half)]))
    )


@pytest.mark.parametrize("method", [BCP(labels="bank"), FixMatch(labels="bank")])
def test_labels_of_the_bank_ask_no_teacher(method, monkeypatch):
    def no_teacher(*_):
        raise AssertionError("the teacher was asked")

    module = type(method).__module__
    monkeypatch.setattr(f"{module}.probabilities", no_teacher)
    study = unlabelled()
    other = study.with_labels(1 - study.labels)
    found = [weights(fitted(method, pool=[pool])) for pool in (study, other)]

    assert not are_the_same(*found)
    with pytest.raises(AssertionError, match="the teacher was asked"):
        fitted(replace(method, labels="teacher"))


@pytest.mark.parametrize("method", [BCP(weight=0.0), FixMatch(weight=0.0)])
def test_with_a_weight_of_0_the_teachers_labels_teach_nothing(method):
    terms = []
    fitted(method, observe=lambda _, values: terms.append(values))
    teaching = [v for values in terms for k, v in values.items() if k.startswith("unlabelled_")]

    assert teaching
    assert set(teaching) == {0.0}


def test_pretraining_sees_labelled_slices_alone():
    terms = {}
    study = unlabelled(inverted=True)
    method = BCP(pretraining=0.5)
    left = [
        weights(fitted(method, pool=[pool], observe=terms.__setitem__, part=Part(last), ema=0.5))
        for pool in (study, unlabelled())
        for last in (6, 7)
    ]

    assert [name for name in terms[6] if name.startswith("unlabelled_")] == []
    assert "unlabelled_dice_loss" in terms[7]
    assert are_the_same(left[0], left[2])
    assert not are_the_same(left[1], left[3])


def test_a_confidence_nothing_reaches_leaves_no_pixel_to_learn_from():
    terms = []
    fitted(FixMatch(confidence=1.0), observe=lambda _, values: terms.append(values))

    assert {values["unlabelled_dice_loss"] for values in terms} == {0.0}


@pytest.mark.parametrize("name", TAUGHT)
def test_a_teacher_needs_a_moving_average(name):
    with pytest.raises(ValueError, match=r"set training\.ema"):
        fitted(VARIANTS[name], ema=None)


def test_the_bank_needs_none():
    assert fitted(FixMatch(labels="bank"), ema=None).network_ is not None


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (BCP, {"confidence": 1.5}, "confidence must lie in"),
        (BCP, {"pretraining": -0.1}, "pretraining must lie in"),
        (BCP, {"weight": -1.0}, "weight must not be negative"),
        (FixMatch, {"ramp": 2.0}, "ramp must lie in"),
        (ADMT, {"longest_turn": 0}, "longest_turn must be at least 1"),
        (FixMatch, {"weight": float("nan")}, "weight must not be negative"),
        (FixMatch, {"labels": "soft", "mix": "labelled"}, "mix: labelled needs hard labels"),
    ],
)
def test_settings_are_checked(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)
