"""A panel of estimators: asked by name or as one, alone or wherever a program judges."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from qc import CONSENSUS, ESTIMATORS, Consensus, Graded, Panel, Quality, QualityEstimator
from qc.consensus.blend import Blend
from qc.evaluation import evaluate
from qc.suites.domain import TrainingDomain
from qc.suites.suite import Suite
from semiqc.experiment.finished import Finished
from semiqc.experiment.fitting import FittedEstimator
from semiqc.experiment.learned import load_panel
from semiqc.experiment.own_panel import OwnPanel
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.store.reader import Store
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder

BEFORE = Path(__file__).parent / "data" / "before"
NAMES = ("LV", "MYO", "RV")


class Told(QualityEstimator):
    """Says the same of everything; counts how often it is asked."""

    def __init__(self, scheme, dice=0.5, able=True, maps=False):
        self.scheme = scheme
        self.dice = dice
        self.able = able
        self.maps = maps
        self.gives_error_maps = maps
        self.asked = 0

    def can_judge(self, prediction):
        return self.able

    def fit(self, graded, *, observe=None):
        return self

    def predict(self, predictions):
        self.asked += 1
        maps = {name: np.full((1, 1, 2, 2), self.dice, np.float16) for name in NAMES}
        return [
            Quality(
                one.study,
                self.dice,
                dice=dict.fromkeys(NAMES, self.dice),
                error_maps=maps if self.maps else {},
            )
            for one in predictions
        ]

    def arrays(self):
        return {}

    def with_arrays(self, arrays):
        return self


def prediction_of(labels=(1, 2, 3, 0)):
    voxels = np.array(labels, np.int8).reshape(1, 1, 2, 2)
    return Prediction("a", voxels[None].astype(np.float32), voxels, (1.0, 1.0, 1.0))


def blend_of(*names):
    return Blend(SHORT_AXIS).fit({name: [] for name in names}, [])


@pytest.fixture
def panel():
    low, high = Told(SHORT_AXIS, 0.4), Told(SHORT_AXIS, 0.8, maps=True)
    blind = Told(SHORT_AXIS, 0.0, able=False)
    return Panel({"low": low, "high": high, "blind": blind}, blend_of("low", "high", "blind"))


def test_all_who_can_judge_are_asked_and_blended(panel):
    said = panel.judge_all(prediction_of())

    assert list(said) == ["low", "high", CONSENSUS]
    assert said[CONSENSUS].score == pytest.approx(0.6)
    assert panel.names == ["low", "high", "blind", CONSENSUS]


def test_one_is_asked_by_name_and_the_consensus_like_any(panel):
    assert panel.judge("high", prediction_of()).score == 0.8
    assert panel.estimators["low"].asked == 0
    assert panel.judge(CONSENSUS, prediction_of()).score == pytest.approx(0.6)
    alone = panel.judge(CONSENSUS, prediction_of(), without=("low",))
    assert alone.score == pytest.approx(0.8)


def test_a_structure_that_is_not_segmented_has_no_dice_in_the_consensus(panel):
    said = panel.judge_all(prediction_of((3, 3, 0, 0)))

    assert (said[CONSENSUS].dice["RV"], said[CONSENSUS].dice["MYO"]) == (0, 0)
    assert said["high"].dice["RV"] == 0.8


def test_there_is_no_consensus_without_a_blend_or_of_nobody(panel):
    assert CONSENSUS not in Panel(panel.estimators).judge_all(prediction_of())
    blind = {"blind": panel.estimators["blind"]}
    assert Panel(blind, panel.blend).judge_all(prediction_of()) == {}
    with pytest.raises(ValueError, match="no estimator 'consensus'; known: blind"):
        Panel(blind).judge(CONSENSUS, prediction_of())
    with pytest.raises(ValueError, match="no estimator 'hgih'; known: low, high, blind, cons"):
        panel.judge("hgih", prediction_of())


def test_only_those_who_give_error_maps_are_asked_for_some(panel):
    assert panel.error_maps(CONSENSUS, prediction_of())["LV"][0, 0, 0, 0] == np.float16(0.8)
    assert panel.error_maps("low", prediction_of()) == {}
    assert panel.estimators["low"].asked == 0


@pytest.mark.parametrize("name", [*ESTIMATORS, CONSENSUS])
def test_what_a_constructor_takes_is_said_by_the_class(name):
    kind = {**ESTIMATORS, CONSENSUS: Consensus}[name]
    taken = kind(SHORT_AXIS).get_params(deep=False)

    assert kind.takes_seed == ("seed" in taken)
    assert kind.takes_modalities == ("modalities" in taken)


def same(quality, other):
    assert quality.score == pytest.approx(other.score, abs=1e-12)
    assert dict(quality.dice) == pytest.approx(dict(other.dice), abs=1e-12)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return Finished.read(BEFORE / "run")


@pytest.fixture(scope="module")
def judged(finished, tmp_path_factory):
    """A study, its labels as a prediction in a run folder, and the panel of the run."""
    folder = tmp_path_factory.mktemp("run")
    study = Store(BEFORE / "store.h5").study("phantom-0001")
    labels = np.maximum(study.labels[:], 0)
    with PredictionWriter(folder / "predictions.h5") as writer:
        writer.add(study, ((frame, np.empty(0, np.float32)) for frame in labels))
    labels = predicted_labels(folder / "predictions.h5", study.name)
    prediction = Prediction(study.name, study.image, labels, study.spacing)
    return folder, study, prediction, load_panel(finished)


def test_a_suite_says_what_the_panel_of_a_run_says(judged):
    _, study, prediction, panel = judged
    domain = TrainingDomain.of([Graded(prediction, study.labels)])
    suite = Suite(SHORT_AXIS, panel.estimators, domain, panel.blend)

    scored = suite.judge(study)

    said = panel.judge_all(prediction)
    assert list(scored.qualities) == list(said) == panel.names
    for name, quality in scored.qualities.items():
        same(quality, said[name])


def test_an_evaluation_says_what_the_panel_says(judged):
    _, study, prediction, panel = judged

    rows = evaluate(panel, [Graded(prediction, study.labels)], SHORT_AXIS).judgements

    said = panel.judge_all(prediction)
    assert list(dict.fromkeys(row.estimator for row in rows)) == panel.names
    for row in rows:
        assert row.score == pytest.approx(said[row.estimator].score, abs=1e-12)
        if row.structure != "all":
            expected = said[row.estimator].dice.get(row.structure, float("nan"))
            assert row.dice == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_a_run_says_what_the_panel_says_and_keeps_it(judged, finished):
    folder, _, prediction, panel = judged
    trainer = SimpleNamespace(
        store=Store(BEFORE / "store.h5"), folder=RunFolder(folder), monitor=Silent(), seed=0
    )
    run = OwnPanel(finished.settings, trainer)
    run.panel = panel
    run.fitted = {
        name: FittedEstimator(SimpleNamespace(key=name), estimator)
        for name, estimator in panel.estimators.items()
    }

    said = panel.judge_all(prediction)
    for name in panel.names:
        [quality] = run.judge(name, [prediction])
        same(quality, said[name])
        same(run.say(name, prediction), said[name])
    # What was judged is read again, and nobody is asked a second time.
    run.fitted["svr"] = run.fitted["svr"]._replace(estimator=Told(SHORT_AXIS, 0.123))
    [quality] = run.judge("svr", [prediction])
    same(quality, said["svr"])


ALONE = """
import sys

import numpy as np

from qc import Blend, FeatureSVR, Graded, Panel, Physiology
from semiqc.phantom import short_axis_study
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction


def graded(study):
    for shift in (0, 1, 2, 4):
        labels = np.roll(study.labels[:], shift, axis=-1)
        yield Graded(Prediction(study.name, study.image, labels, study.spacing), study.labels[:])


studies = [short_axis_study(n, size=32, slices=3, frames=2, spacing=(10, 5, 5)) for n in range(6)]
learned, known = ([one for s in part for one in graded(s)] for part in (studies[:3], studies[3:]))
estimators = {"svr": FeatureSVR(SHORT_AXIS), "physiology": Physiology(SHORT_AXIS)}
panel = Panel({name: one.fit(learned) for name, one in estimators.items()})
said = [panel.ask(one.prediction) for one in known]
of_each = {name: [of_one[name] for of_one in said] for name in panel.names}
panel = Panel(panel.estimators, Blend(SHORT_AXIS).fit(of_each, known))
right, wrong = (panel.judge("consensus", known[number].prediction) for number in (0, 3))
print(right.score > wrong.score)
print([name for name in ("semiqc.experiment", "pydicom", "nibabel", "matplotlib")
       if name in sys.modules])
"""


def test_quality_control_can_be_used_alone():
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", ALONE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["True", "[]"]
