"""A training whose loss is no number is named, with what to change."""

import math
from types import SimpleNamespace

import pytest
import torch
from test_pretraining import made

from semiqc.experiment import fitting
from semiqc.experiment.fitting import EstimatorStages
from semiqc.experiment.settings import Settings
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.suites import making
from semiqc.suites.making import SuiteMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder


class Diverging:
    training = SimpleNamespace(steps=3)

    def suited_to(self, _):
        return self

    def starts_from(self):
        return {}

    def fit(self, *_, **__):
        raise FloatingPointError("loss is not finite at iteration 2: {'dice': nan}")


@pytest.fixture
def trainer(tmp_path):
    store = SimpleNamespace(scheme=None, modalities=("cine",), names=())
    return SimpleNamespace(folder=RunFolder(tmp_path), seed=5, monitor=Silent(), store=store)


def test_a_training_of_a_run_is_named(trainer):
    blank = Diverging()

    with pytest.raises(FloatingPointError) as caught:
        StagedTrainer.trained(trainer, "bcp-round1", blank, blank.fit, {})
    said = str(caught.value)
    assert said.startswith(
        "training bcp-round1, seed 5 diverged (loss is not finite at iteration 2"
    )
    assert "; lower training.learning_rate or training.clip (online.learning_rate of" in said
    assert "training.precision to 32-true" in said


def test_an_estimator_of_a_run_is_named(trainer, monkeypatch):
    monkeypatch.setattr(fitting, "make_estimator", lambda *_, **__: Diverging())

    with pytest.raises(FloatingPointError) as caught:
        EstimatorStages(Settings(), trainer).fit("curve", [], "-fold2")
    assert str(caught.value).startswith("training of the estimator curve-fold2 diverged (loss is")
    assert str(caught.value).endswith("; change qc.arguments.curve")


def test_an_estimator_of_a_suite_is_named(trainer, monkeypatch):
    monkeypatch.setattr(making, "make_estimator", lambda *_, **__: Diverging())
    maker = SuiteMaker.__new__(SuiteMaker)
    maker.settings, maker.monitor = SuiteSettings(), trainer.monitor
    maker.store, maker.folder = trainer.store, trainer.folder

    with pytest.raises(FloatingPointError) as caught:
        maker._fitted("cnn", [], "key")
    assert str(caught.value).startswith("training of the estimator cnn diverged (loss is")
    assert str(caught.value).endswith("; change --set cnn.NAME=VALUE")


def test_a_training_that_diverges_is_named_where_phantoms_teach(tmp_path, monkeypatch):
    nothing = torch.tensor(math.nan, requires_grad=True)
    monkeypatch.setattr("segmenters.step.dice_loss", lambda *_, **__: nothing)

    with pytest.raises(
        FloatingPointError, match=r"training on phantoms diverged \(loss is not"
    ) as (caught):
        made(tmp_path, "training.steps=5")
    assert "lower training.learning_rate" in str(caught.value)
