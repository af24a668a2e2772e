"""Schedules, validation, baselines and presets: networks trained as their papers say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from curve_builders import graded_hearts
from test_qc_qcresunet import SMALL, graded_discs

from qc import ESTIMATORS
from qc.estimators.network.augmenting import QIU, augmented
from qc.estimators.network.crops import Batch
from qc.estimators.network.schedules import rate_of
from qc.estimators.network.validation import BestWeights, held_out
from qc.estimators.qcresunet.estimator import QCResUNet
from qc.graded import SOURCES
from qc.saving import load_estimator, save_estimator
from segmenters.augmentation import Augmentation
from semiqc.schemes import SHORT_AXIS
from semiqc.suites.presets import PAPER, PRESETS
from semiqc.suites.settings import SuiteSettings
from semiqc.work.arguments import checked_arguments


def test_learning_rates_take_their_courses():
    warmed = rate_of("warmed", 1.0, 100, 10)
    falling = rate_of("exponential", 1.0, 100, 10)
    inverse = rate_of("inverse", 1.0, 100, 10)

    assert [warmed(1), warmed(5)] == pytest.approx([0.2 * 0.9901, 0.9505])
    assert [falling(s) for s in (1, 10, 11, 21)] == pytest.approx([1, 1, 0.9, 0.81])
    assert falling(10_000) == 1e-6
    assert [inverse(s) for s in (1, 201)] == pytest.approx([1, 0.5])
    assert rate_of("constant", 0.3, 100, 10)(77) == 0.3
    with pytest.raises(ValueError, match="unknown schedule 'cosine'; known: warmed, exponential"):
        rate_of("cosine", 1.0, 100, 10)


def test_members_hold_out_folds_of_whole_subjects():
    subjects = [f"p{number // 2}" for number in range(12)]

    parts = [held_out(subjects, member, 3, seed=0) for member in range(3)]

    held = [set(part[1].tolist()) for part in parts]
    assert set().union(*held) == set(range(12))
    assert sum(map(len, held)) == 12
    for own, other in parts:
        assert not {subjects[n] for n in own} & {subjects[n] for n in other}
    assert len(held_out(subjects, 0, 1, seed=0)[1]) == 4
    with pytest.raises(ValueError, match="two subjects at least, all are of p0"):
        held_out(["p0", "p0"], 0, 1, seed=0)


def test_the_weights_with_the_least_loss_stay_also_those_of_the_end():
    losses = iter([3.0, 1.0, 2.0, 0.5])
    network = torch.nn.Linear(1, 1)
    best = BestWeights(network, lambda: next(losses), every=2)
    for step in range(1, 8):
        with torch.no_grad():
            network.weight.fill_(step)
        best.after_step()

    # Looked at after steps 2, 4 and 6; the seventh is the last, and better.
    best.restore()
    assert network.weight.item() == 7

    losses = iter([3.0, 1.0, 2.0])
    best = BestWeights(network, lambda: next(losses), every=1)
    for step in range(3):
        with torch.no_grad():
            network.weight.fill_(step)
        best.after_step()
    best.restore()
    assert network.weight.item() == 1


def test_a_network_learns_from_some_subjects_and_is_chosen_by_others(monkeypatch):
    chosen, drawn = [], []
    batch = "qc.estimators.network.crops.CroppedFrames.batch"
    from qc.estimators.network.crops import CroppedFrames

    original = CroppedFrames.batch

    def noted(self, numbers):
        drawn.append({self.frames[n].whose for n in numbers})
        return original(self, numbers)

    monkeypatch.setattr(batch, noted)
    look = BestWeights._look
    monkeypatch.setattr(BestWeights, "_look", lambda self: (chosen.append(1), look(self)))
    small = {"width": 2, "size": (2, 32, 32), "batch_size": 8, "epochs": 2}

    fitted = ESTIMATORS["cnn"](
        SHORT_AXIS, **small, hold_out=True, optimizer="adam", schedule="exponential"
    ).fit(graded_hearts(5))

    subjects = set().union(*drawn)
    assert len(subjects) == 5
    assert len(chosen) == 2
    assert fitted.predict([graded_hearts(1)[0].prediction])


def test_without_validation_training_is_as_it_was():
    small = {"width": 2, "size": (2, 32, 32), "batch_size": 4}
    graded = graded_hearts(2)
    by_steps = ESTIMATORS["cnn"](SHORT_AXIS, **small, steps=3).fit(graded).arrays()
    frames = sum((one.reference >= 0).any(axis=(1, 2, 3)).sum() for one in graded)
    epochs = ESTIMATORS["cnn"](SHORT_AXIS, **small, epochs=1)

    assert epochs._steps(int(frames)) == -(-frames // 4)
    same = ESTIMATORS["cnn"](SHORT_AXIS, **small, steps=3, schedule="warmed").fit(graded).arrays()
    assert all(np.array_equal(by_steps[name], same[name]) for name in by_steps)


@pytest.mark.parametrize("baseline", ["resnet34", "resnet50", "unet"])
def test_baselines_regress_both_scores_and_are_kept(baseline, tmp_path):
    graded = graded_discs(2)
    fitted = QCResUNet(SHORT_AXIS, baseline=baseline, **SMALL).fit(graded)

    (quality,) = fitted.predict([graded[1].prediction])
    assert set(quality.dice) == set(quality.nsd) == {"LV", "MYO", "RV"}
    assert not quality.error_maps
    assert not quality.slice_dice
    save_estimator(fitted, tmp_path / "one.safetensors")
    again = load_estimator(tmp_path / "one.safetensors", ESTIMATORS)
    assert again.predict([graded[1].prediction])[0].dice == quality.dice


def parameters(**settings):
    network = QCResUNet(SHORT_AXIS, width=4, size=(8, 64, 64), **settings)._network()
    return sum(one.numel() for one in network.parameters())


def test_a_resnet_34_is_qcresunet_without_its_maps():
    assert parameters(baseline="resnet34") == parameters(maps=False)
    assert parameters(baseline="resnet50") != parameters(baseline="resnet34")


def test_an_unknown_baseline_is_refused():
    with pytest.raises(ValueError, match="unknown baseline 'vgg'; known: resnet34, resnet50"):
        QCResUNet(SHORT_AXIS, baseline="vgg").check()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_names_only_what_there_is(preset):
    for name, arguments in PRESETS[preset].items():
        kind = {**ESTIMATORS, **SOURCES}[name]
        assert checked_arguments(kind, dict(arguments)) == arguments


def test_the_resnet_18_of_wang_et_al_has_a_preset_of_its_own():
    told = SuiteSettings(estimators=("cnn", "manifold"), preset="wang")

    network = ESTIMATORS["cnn"](SHORT_AXIS, **told.arguments("cnn"))
    network.check()
    assert (network.backbone, network.width, network.size) == ("resnet18-2d", 64, (12, 96, 96))
    assert (network.optimizer, network.learning_rate, network.epochs) == ("adam", 1e-4, 100)
    assert told.arguments("manifold") == PAPER["manifold"]
    assert PAPER["cnn"]["backbone"] == "resnet50-3d"


def crops(count=40):
    """Volumes that are told apart by where they are marked: slice 0, row 1, column 3."""
    images = torch.zeros(count, 1, 3, 16, 16)
    labels = torch.zeros(count, 3, 16, 16, dtype=torch.int64)
    images[:, :, 0, 1:3, 3:5], labels[:, 0, 1:3, 3:5] = 1, 2
    unknown = torch.full((count, 3), torch.nan)
    return Batch(images, labels, labels, unknown, unknown, unknown[:, :2])


def places(batch):
    """The first slice, row and column with a label, of each volume."""
    return {tuple(torch.nonzero(one)[0].tolist()) for one in batch.labels if one.any()}


def test_volumes_are_mirrored_along_all_axes_as_the_paper_says():
    still = crops()

    assert places(augmented(still, "qiu", 1e-9, SHORT_AXIS, 0)) == {
        (z, y, x) for z in (0, 2) for y in (1, 13) for x in (3, 11)
    }
    # Else base and apex are never exchanged, and only what a scheme allows is mirrored.
    one_way = replace(SHORT_AXIS, mirror_axes=())
    assert {z for z, _, _ in places(augmented(still, "usual", 1e-9, SHORT_AXIS, 0))} == {0}
    assert places(augmented(still, "usual", 1e-9, one_way, 0)) == {(0, 1, 3)}
    assert places(augmented(still, "qiu", 0.0, SHORT_AXIS, 0)) == {(0, 1, 3)}


def test_the_paper_names_rotation_scaling_noise_and_gamma_and_nothing_else():
    still = crops()
    moved = augmented(still, "qiu", 1.0, SHORT_AXIS, 0)

    assert len(places(moved)) > 8
    torch.testing.assert_close(moved.labels, moved.reference.clamp(min=0))
    named = {"rotation", "scale", "gamma", "noise"}
    nothing = Augmentation(
        **dict.fromkeys(("rotation", "aspect", "shift", "elastic"), 0.0),
        **dict.fromkeys(("brightness", "bias", "noise", "blur"), 0.0),
        **dict.fromkeys(("scale", "gamma", "contrast"), (1.0, 1.0)),
        low_resolution=1.0,
    )
    assert {name for name, value in QIU.items() if getattr(nothing, name) != value} == named
    # The mean of what is added to the background is that of the noise: no shift of brightness.
    assert moved.images[..., 8, 8].std() > 0.01


def test_the_preset_augments_as_the_paper_and_unknown_changes_are_refused():
    assert PAPER["qcresunet"]["changes"] == "qiu"
    with pytest.raises(ValueError, match="unknown changes 'nnunet'; known: usual, qiu"):
        QCResUNet(SHORT_AXIS, changes="nnunet").check()


def test_what_is_set_goes_before_the_preset():
    settings = SuiteSettings(
        estimators=("qcresunet", "svr"), preset="paper", changes=("qcresunet.epochs=2",)
    )

    told = settings.arguments("qcresunet")
    assert (told["width"], told["epochs"], told["members"]) == (32, 2, 3)
    assert settings.arguments("svr") == {}
    assert settings.arguments("seggen")["largest_share"] == 1.0
    assert SuiteSettings(estimators=("svr",)).arguments("seggen") == {}
    with pytest.raises(ValueError, match="preset unknown 'papers'"):
        SuiteSettings(preset="papers")
