"""Estimators of a run that learn from sources other than the ladder, or beside it."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_settings import TINY

from qc.graded import SOURCES
from qc.graded.registry import make_source
from semiqc.experiment import read_settings
from semiqc.experiment.made import MadeBySources
from semiqc.experiment.own_panel import OwnPanel
from semiqc.experiment.settings_file import SettingsError
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.files.store.reader import Store
from semiqc.schemes import SHORT_AXIS
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder

LEARNED = (
    *TINY,
    "gate.by=consensus",
    "gate.k=1",
    "qc={}",
    "qc.folds=2",
    "qc.estimators=[svr, physiology]",
    "qc.arguments={seggen: {times: 1}, failures: {kinds: [missing]}}",
)


def fitted(store, folder, spared, *changes):
    settings = read_settings(None, [*LEARNED, f"data={store}", *changes])
    data = Store(store)
    studies = [data.study(name) for name in data.names if data.study(name).labelled_frames]
    monitor = Silent()
    work = RunFolder(folder, monitor.stage, monitor.note)
    panel = OwnPanel(settings, StagedTrainer(settings, data, work, monitor, seed=0))
    panel.fit(studies[:2], studies[2:4] if spared else [])
    return panel, [study.name for study in studies]


@pytest.fixture(scope="module")
def learned(suite_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return *fitted(suite_store, folder, True, "qc.sources=[seggen, failures]"), folder


def test_estimators_learn_from_sources_in_stages_of_their_own(learned):
    panel, names, folder = learned
    graded = panel.held_out.graded

    stages = {path.name.rsplit("-", 1)[0] for path in (folder / "stages").iterdir()}
    assert {"qc-seggen-seed0", "qc-failures-seed0", "qc-svr-seed0"} <= stages
    assert not [name for name in stages if name.startswith(("train", "predict"))]
    assert {one.prediction.study for one in graded} == set(names[2:4])
    assert {one.source.partition("-")[0] for one in graded} == {"seggen", "failures"}
    assert {one.is_good for one in graded} == {None}
    assert panel.names == ["svr", "physiology", "consensus"]


def test_what_is_there_is_not_made_again(learned, suite_store):
    panel, _, folder = learned
    before = {path: path.stat().st_mtime_ns for path in (folder / "stages").rglob("*.h5")}

    again, _ = fitted(suite_store, folder, True, "qc.sources=[seggen, failures]")

    assert {path: path.stat().st_mtime_ns for path in (folder / "stages").rglob("*.h5")} == before
    assert again.fitted["svr"].stage == panel.fitted["svr"].stage


def test_without_spared_studies_each_fold_is_segmented_by_what_learned_from_the_others(
    suite_store, tmp_path, monkeypatch
):
    seen = []
    make = SOURCES["seggen"].make

    def noted(self, train, judged):
        seen.append(({one.subject for one in train}, {one.subject for one in judged}))
        return make(self, train, judged)

    monkeypatch.setattr(SOURCES["seggen"], "make", noted)

    panel, names = fitted(suite_store, tmp_path, False, "qc.sources=[seggen]")

    assert len(seen) == 2
    assert not [pair for pair in seen if pair[0] & pair[1]]
    assert {one.prediction.study for one in panel.held_out.graded} == set(names[:2])


def test_a_source_gets_scheme_and_seed_where_it_takes_them():
    noise = make_source("noise", SHORT_AXIS, seed=3, variances=(0.5,))
    moved = make_source("seggen", SHORT_AXIS, seed=3, times=1)

    assert (noise.scheme, noise.seed, noise.variances) == (SHORT_AXIS, 3, (0.5,))
    assert (moved.seed, moved.times) == (3, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["qc.sources=[seggen]", "qc.estimators=[curve, svr]"],
         "qc.sources: curve learns from the ladder alone; add ladder"),
        (["qc.sources=[seggen, seggen]"], "qc.sources: some are named twice"),
        (["qc.sources=[segen]"], "seggen"),
        (["qc.sources=[]"], "qc.sources"),
        (["qc.arguments={seggen: {tims: 1}}"], "times"),
        (["qc.arguments={ladder: {rungs: 1}}"], "qc.arguments"),
        (["qc.sources=[seggen]", "qc.reader.kind=human"], "verdicts are of what the ladder made"),
        (["qc.sources=[seggen]", "qc.estimators=[svr]", "gate.rule=risk", "gate.by=svr",
          "gate.target=0.8"], "qc.sources needs ladder"),
    ],
)  # fmt: skip
def test_sources_that_cannot_work_are_refused_before_anything_is_made(changes, message):
    with pytest.raises(SettingsError, match=message):
        read_settings(None, [*LEARNED, *changes])


class _Asked:
    """A run folder that remembers what a stage depends on, and makes none."""

    path = Path("none")

    def each(self, tasks):
        return [task() for task in tasks]

    def stage(self, name, depends, make):
        raise LookupError(json.dumps(depends))


@pytest.mark.parametrize("steps", [20, 30])
def test_how_a_source_trains_is_part_of_what_its_stage_depends_on(suite_store, steps):
    given = f"qc.arguments={{noise: {{training: {{steps: {steps}}}, variances: [0]}}}}"
    settings = read_settings(None, [*TINY, "qc.sources=[ladder, noise]", given])
    trainer = SimpleNamespace(store=Store(suite_store), folder=_Asked(), seed=0)

    with pytest.raises(LookupError) as asked:
        MadeBySources(settings, trainer).graded([("", [], [])])
    arguments = json.loads(str(asked.value.args[0]))["arguments"]
    assert arguments["training"]["steps"] == steps
    assert arguments["variances"] == [0]
