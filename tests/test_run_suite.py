"""A run that is given a fitted suite: nothing is fitted, and the suite's word counts."""

import csv
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from run_settings import TINY

from qc import Blend, FeatureSVR, Graded, Physiology
from qc.suites.domain import TrainingDomain
from qc.suites.suite import Suite
from semiqc.cli.app import main
from semiqc.experiment import read_settings
from semiqc.experiment.finished import Finished
from semiqc.experiment.learned import load_panel
from semiqc.experiment.staged_run import run
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = (
    *TINY,
    "split.labelled=2",
    "split.qc=0",
    "split.validation=0",
    "split.test=2",
    "training.steps=4",
    "gate.by=consensus",
    "gate.k=1",
    "qc={}",
    "scenarios=[few]",
    "gates=[consensus, svr]",
)


def graded(study):
    for shift in (0, 1, 2, 4):
        labels = np.roll(study.labels[:], shift, axis=-1)
        prediction = Prediction(study.name, study.image, labels, study.spacing)
        yield Graded(prediction, study.labels[:], subject=study.subject)


def suite_of(store, first=0):
    """A suite of two estimators that learned from two phantoms, weighed by three others."""
    known = [Store(store).study(name) for name in Store(store).names]
    studies = [
        replace(study, name=f"learned-{number}", subject="")
        for number, study in enumerate(known[first : first + 5])
    ]
    learned, weighing = (
        [one for study in part for one in graded(study)] for part in (studies[:2], studies[2:])
    )
    fitted = {
        "svr": FeatureSVR(SHORT_AXIS).fit(learned),
        "physiology": Physiology(SHORT_AXIS).fit(learned),
    }
    said = {name: one.predict([k.prediction for k in weighing]) for name, one in fitted.items()}
    blend = Blend(SHORT_AXIS).fit(said, weighing)
    return Suite(SHORT_AXIS, fitted, TrainingDomain.of(learned), blend)


@pytest.fixture(scope="module")
def suite(made_once, suite_store):
    return made_once("small-suite", lambda folder: suite_of(suite_store).save(folder))


@pytest.fixture
def settings_of(suite_store):
    return partial(given, suite_store)


def given(store, folder, suite, *changes):
    changes = [f"data={store}", f"qc.suite={suite}", f"output={folder}", *changes]
    return read_settings(None, [*SMALL, *changes])


@pytest.fixture(scope="module")
def finished(made_once, suite, suite_store):
    return made_once("suite-run", lambda folder: run(given(suite_store, folder, suite), Silent()))


@pytest.fixture
def copied(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def judgements(folder):
    with (folder / "results/judgements.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_suite_judges_and_nothing_is_fitted(finished):
    stages = {path.name.rsplit("-", 1)[0] for path in (finished / "stages").iterdir()}
    rows = judgements(finished)

    assert {"suite-svr", "suite-physiology", "suite-consensus"} <= stages
    assert not [name for name in stages if name.startswith(("qc-", "train-ladder", "predict-qc"))]
    assert {row["scenario"] for row in rows} == {"gate-consensus", "gate-svr"}
    for row in rows:
        assert float(row["score"]) == float(row[f"score_{row['scenario'].partition('-')[2]}"])


def test_its_word_is_that_of_the_suite_alone(finished, suite, suite_store):
    by_suite = Suite.load(suite).panel
    study = Store(suite_store).study("phantom-0001")
    prediction = Prediction("a", study.image, study.labels[:], study.spacing)

    kept = load_panel(Finished.read(finished))

    assert sorted(kept.names) == sorted(by_suite.names)
    for name in kept.names:
        assert kept.judge(name, prediction).score == by_suite.judge(name, prediction).score


def test_the_report_says_which_suite_judged_even_when_it_is_gone(copied):
    settings = (copied / "settings.yaml").read_text()
    known = json.loads((copied / "results/data.json").read_text())["suite"]

    assert main(["report", str(copied)]) == 0
    page = (copied / "report.html").read_text()
    for text in (known["Folder"], known["SHA-256"], "svr, physiology, consensus"):
        assert text in page.replace("physiology, svr", "svr, physiology")
    assert known["Folder"] in settings
    assert known["Learned from"] == "8 segmentations of 2 studies"


@pytest.fixture
def made(monkeypatch):
    """Names of the stages that are not found but made."""
    names = []
    stage = RunFolder.stage

    def watched(self, name, depends, make, **options):
        def noted(folder):
            names.append(name)
            make(folder)

        return stage(self, name, depends, noted, **options)

    monkeypatch.setattr(RunFolder, "stage", watched)
    return names


def test_stages_know_the_suite_by_its_content(
    copied, suite, suite_store, tmp_path, made, settings_of
):
    # Elsewhere, with the same estimators and another consensus.
    blend = suite_of(suite_store, first=1).blend
    replace(Suite.load(suite), blend=blend).save(tmp_path / "other")

    run(settings_of(copied, tmp_path / "other"), Silent())

    assert made[0] == "suite-consensus"
    assert not [name for name in made if name.startswith(("suite-svr", "judge-", "train-few"))]


def broken(suite, folder, file):
    shutil.copytree(suite, folder)
    with (folder / file).open("r+b") as damaged:
        damaged.seek(-4, 2)
        damaged.write(b"spot")
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["gates=[cnn]"], "gate.by asks for cnn, the suite has physiology, svr, consensus"),
        (["gates=[{by: svr, grain: slice}]"], "svr does not judge slices"),
        (["gates=[risk]"], "a suite has not seen such; set split.qc above 0"),
        (["qc.verdicts=verdicts.csv"], "qc.verdicts: has no effect with qc.suite"),
        (["qc.estimators=[svr]"], "qc.estimators: has no effect with qc.suite"),
        (["qc.suite=nowhere"], "qc.suite: .*nowhere: holds no suite"),
    ],
)
def test_what_the_suite_cannot_do_is_said_before_any_work(
    suite, tmp_path, changes, message, settings_of
):
    with pytest.raises(ValueError, match=message):
        run(settings_of(tmp_path / "run", suite, *changes), Silent())

    assert not (tmp_path / "run" / "stages").exists()


@pytest.mark.parametrize("file", ["svr.safetensors", "consensus.safetensors", "suite.json"])
def test_a_damaged_suite_is_refused_before_any_work(suite, tmp_path, file, settings_of):
    damaged = broken(suite, tmp_path / "suite", file)

    with pytest.raises(ValueError, match=f"qc.suite: .*{file}"):
        run(settings_of(tmp_path / "run", damaged), Silent())
    assert not (tmp_path / "run" / "stages").exists()


def test_a_suite_without_consensus_says_how_to_get_one(suite, tmp_path, settings_of):
    replace(Suite.load(suite), blend=None).save(tmp_path / "alone")

    with pytest.raises(ValueError, match=r"gate\.by asks for consensus.*--calibrate"):
        run(settings_of(tmp_path / "run", tmp_path / "alone"), Silent())


def other(suite, folder, **changes):
    known = Suite.load(suite)
    training = replace(known.training, **changes)
    replace(known, training=training).save(folder)
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spacing_mm": 9.0}, "has pixels of .* mm, the suite sees 9 mm"),
        ({"modalities": 2}, "1 modalities, the suite was made for 2"),
    ],
)
def test_data_that_the_suite_was_not_made_for_is_refused(
    suite, tmp_path, changes, message, settings_of
):
    strange = other(suite, tmp_path / "suite", **changes)

    with pytest.raises(ValueError, match=f"qc.suite: .*{message}"):
        run(settings_of(tmp_path / "run", strange), Silent())


def test_a_suite_of_other_labels_is_refused(suite, tmp_path, settings_of):
    store = tmp_path / "aorta.h5"
    write_phantoms(store, kind="aorta", studies=8, size=32, slices=1, frames=2)

    with pytest.raises(
        ValueError, match=r"qc\.suite: .*not the labels that the suite was made for"
    ):
        run(settings_of(tmp_path / "run", suite, f"data={store}"), Silent())


def test_a_suite_does_not_judge_what_it_learned_from(suite, tmp_path, settings_of):
    strange = other(suite, tmp_path / "suite", names=("phantom-0003",))
    roles = {1: "labelled", 2: "test", 3: "unlabelled", 4: "unlabelled"}
    rows = [f"phantom-{number:04d},{role}\n" for number, role in roles.items()]
    (tmp_path / "split.csv").write_text("study,role\n" + "".join(rows))
    settings = settings_of(tmp_path / "run", strange, f"split.file={tmp_path / 'split.csv'}")

    with pytest.raises(ValueError, match=r"learned from .* to judge: phantom-0003 \(unlabelled\)"):
        run(settings, Silent())


def test_risk_is_told_by_qc_subjects_that_the_suite_never_saw(suite, tmp_path, settings_of):
    changes = ["split.qc=1", "gates=[{rule: risk, target: 0.8}]"]
    run(settings_of(tmp_path / "run", suite, *changes), Silent())

    reasons = {row["reason"] for row in judgements(tmp_path / "run")}
    assert len(reasons) == 1
    assert "needs at least 12 calibration subjects at Dice 1, has 1" in reasons.pop()
