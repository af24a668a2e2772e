"""Suites with the curve classifier: fitted to whole cines with verdicts, kept and evaluated."""

import csv
from pathlib import Path

import numpy as np
import pytest
from builders import study_of
from source_builders import save

from qc import ESTIMATORS, Panel, Quality
from qc.base import Graded
from qc.evaluation.verdicts import evaluate_verdicts
from qc.suites.suite import Suite
from semiqc.cli.app import main
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction
from semiqc.suites.cines import CineMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder

SMALL = (
    "--estimators", "svr,curve", "--sources", "failures", "--folds", "2", "--test", "2",
    "--set", "curve.steps=3", "--set", "curve.folds=2", "--set", "curve.members=1",
    "--set", "cines.rungs=2", "--set", "cines.steps=[1,2]", "--set", "cines.channels=[4,8]",
    "--set", "cines.training={batch_size: 2, patch: [32, 32]}",
)  # fmt: skip


OF_READER = (*SMALL[:6], *SMALL[8:14])
"""Without what is only of cines of the store."""


def fit(store, folder, *options):
    return main(["qc", "fit", str(store), "--output", str(folder), *SMALL, *options])


@pytest.fixture(scope="module")
def suite(made_once, suite_store):
    def make(folder):
        assert fit(suite_store, folder) == 0

    return made_once("curve-suite", make)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def cine(store, name="phantom-0001"):
    study = Store(store).study(name)
    return Prediction(study.name, study.image, study.labels[:], study.spacing)


def test_the_classifier_is_fitted_to_cines_by_networks_that_never_saw_them(suite):
    split = {row["study"]: row["role"] for row in rows(suite / "split.csv")}
    learned = rows(suite / "cines.csv")

    assert {row["study"] for row in learned} == {n for n, r in split.items() if r == "labelled"}
    assert len(learned) == 4 * 2
    assert {row["verdict"] for row in learned} <= {"good", "erroneous"}
    figures = Suite.load(suite).estimators["curve"].measured()
    assert figures["good"] + figures["erroneous"] == len(learned)


def test_no_network_learns_from_a_subject_whose_cine_it_segments(tmp_path, monkeypatch):
    subjects = {"a": "p1", "b": "p1", "c": "p2", "d": "p3", "e": "p4", "f": "p5"}
    with StoreWriter(tmp_path / "x.h5", SHORT_AXIS) as writer:
        for name, subject in subjects.items():
            writer.add(study_of(name, subject=subject))
    store, asked = Store(tmp_path / "x.h5"), {}
    maker = CineMaker(store, tmp_path, SuiteSettings(folds=3), RunFolder(tmp_path), Silent())
    monkeypatch.setattr(
        maker, "_of_store", lambda file, parts: asked.update({file: parts}) or ([], "")
    )
    maker.learned_from(list(subjects))

    [parts] = asked.values()
    assert len(parts) == 3
    assert sorted(name for _, judged in parts for name in judged) == list(subjects)
    for train, judged in parts:
        assert sorted([*train, *judged]) == list(subjects)
        assert not {subjects[n] for n in train} & {subjects[n] for n in judged}


def test_it_judges_cines_and_not_frames(suite, suite_store):
    loaded = Suite.load(suite)
    study = Store(suite_store).study("phantom-0001")

    whole = loaded.judge(study)
    frame = loaded.score(study.image[0, 0], study.labels[0], study.spacing)

    assert whole.qualities["curve"].is_good in (True, False)
    assert set(frame.qualities) == {"svr"}


def test_it_is_evaluated_on_cines_that_were_held_out(suite, tmp_path, capsys):
    command = ["qc", "evaluate", str(suite), str(suite / "test_cines.csv")]
    assert main([*command, "--output", str(tmp_path / "out")]) == 0

    found = {row["estimator"]: row for row in rows(tmp_path / "out" / "verdicts.csv")}
    assert set(found) == {"curve", "svr"}
    assert {int(row["n"]) for row in found.values()} == {2 * 2}
    assert "verdicts on whole cines" in capsys.readouterr().out


def test_what_it_learned_from_is_no_test(suite, capsys):
    assert main(["qc", "evaluate", str(suite), str(suite / "cines.csv")]) != 0
    assert "the suite learned from all 4 studies" in capsys.readouterr().err


class Told(ESTIMATORS["curve"]):
    """Gives the scores and verdicts it is told, in order."""

    told = ()

    def predict(self, predictions):
        score = self.told[0]
        self.told = self.told[1:]
        return [Quality(predictions[0].study, score, is_good=score >= 0.5)]


def test_sensitivity_is_of_the_erroneous(suite_store):
    one = cine(suite_store)
    verdicts = [True, True, True, False, False]
    told = Told(Store(suite_store).scheme)
    told.told = (0.9, 0.8, 0.3, 0.1, 0.6)

    [row] = evaluate_verdicts(Panel({"told": told}), [Graded(one, None, v) for v in verdicts])

    assert (row.n, row.good, row.erroneous) == (5, 3, 2)
    assert row.sensitivity == 0.5
    assert row.specificity == pytest.approx(2 / 3)
    assert row.auc == pytest.approx(5 / 6)
    assert row.ks == pytest.approx(2 / 3)


def written(folder, store, verdicts):
    """Cines of a store as another program wrote them, with a reader's verdicts."""
    table = ["study,verdict"]
    for name, verdict in verdicts.items():
        study = Store(store).study(name)
        image = np.moveaxis(np.asarray(study.image[0]), 0, -1).transpose(2, 1, 0, 3)
        labels = np.moveaxis(np.asarray(study.labels[:]), 0, -1).transpose(2, 1, 0, 3)
        affine = np.diag([*study.spacing[::-1], 1.0])
        save(folder / "images" / f"mine-{name}.nii.gz", image, affine)
        save(folder / "labels" / f"mine-{name}.nii.gz", labels, affine)
        table.append(f"mine-{name},{verdict}")
    (folder / "verdicts.csv").write_text("\n".join(table) + "\n")


def reviewed(folder: Path) -> list[str]:
    parts = {"verdicts": "verdicts.csv", "images": "images", "segmentations": "labels"}
    return [text for key, name in parts.items() for text in (f"--{key}", str(folder / name))]


def test_a_reader_teaches_by_verdicts_on_any_programs_cines(suite_store, tmp_path):
    given = dict.fromkeys(("phantom-0001", "phantom-0002"), "good")
    given |= dict.fromkeys(("phantom-0003", "phantom-0004"), "erroneous")
    written(tmp_path, suite_store, given)
    command = ["qc", "fit", str(suite_store), "--output", str(tmp_path / "suite")]

    assert main([*command, *OF_READER, *reviewed(tmp_path)]) == 0

    suite = Suite.load(tmp_path / "suite")
    figures = suite.estimators["curve"].measured()
    assert (figures["good"], figures["erroneous"]) == (2, 2)
    assert "mine-phantom-0001" in suite.training.names
    assert not (tmp_path / "suite" / "cines.csv").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "verdicts.csv").write_text("study,verdict\nnobody,good\n"), "nobody"),
        (lambda f: (f / "verdicts.csv").write_text("study\nmine\n"), "verdict"),
        (lambda f: (f / "labels").rename(f / "elsewhere"), "no such file or folder"),
    ],
)
def test_verdicts_on_nothing_are_refused(suite_store, tmp_path, capsys, spoil, message):
    written(tmp_path, suite_store, {"phantom-0001": "good"})
    spoil(tmp_path)

    command = ["qc", "fit", str(suite_store), "--output", str(tmp_path / "suite")]
    assert main([*command, *OF_READER, *reviewed(tmp_path)]) != 0
    assert message in capsys.readouterr().err
