"""The whole way, from phantoms to report and to new studies, as small as it gets."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from run_settings import KEPT, TINY, nothing_drawn
from source_builders import heart, pixels, save

from semiqc.cli.app import main
from semiqc.experiment import read_settings
from semiqc.experiment.data import open_data, training_frames
from semiqc.experiment.explaining import read_explained
from semiqc.experiment.finished import Finished
from semiqc.experiment.learned import find_learned
from semiqc.experiment.sections import FramesSettings
from semiqc.files.checksums import entries_of, write_manifest
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.phantom import write_phantoms
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder

SCENARIOS_OF_TINY = ("full", "few", "random", "crf", "semiqc")


def run(output, *changes):
    changes = [part for change in (*TINY, *changes) for part in ("--set", change)]
    return main(["run", *changes, "--output", str(output)])


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(finished_run):
    return finished_run


@pytest.fixture
def copied(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def imported(folder, *changes):
    """Classes and labelled voxels of what a run imports from a table in the folder."""
    settings = read_settings(None, [f"data={folder / 'studies.csv'}", *changes])
    store = open_data(settings, RunFolder(folder / "run"), Silent()).store
    labels = store.study("a").labels[:]
    return store.scheme.classes, int((labels > 0).sum())


def test_what_a_table_or_a_scheme_names_is_imported_anew_when_it_changes(tmp_path):
    scheme = tmp_path / "scheme.yaml"
    scheme.write_text("name: mine\nclasses: [background, x, y, z]\nstructures: []\n")
    (tmp_path / "studies.csv").write_text("study,image,labels\na,a.nii.gz,labels.nii.gz\n")
    save(tmp_path / "a.nii.gz", pixels()[..., 0])
    labels = save(tmp_path / "labels.nii.gz", heart())
    first = imported(tmp_path, f"importing.scheme={scheme}")

    save(labels, np.flip(np.clip(heart() + heart()[::-1], 0, 3), axis=0))
    assert imported(tmp_path, f"importing.scheme={scheme}")[1] > first[1]

    scheme.write_text("name: mine\nclasses: [background, a, b, c]\nstructures: []\n")
    assert imported(tmp_path, f"importing.scheme={scheme}")[0][1:] == ("a", "b", "c")


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


def test_every_scenario_is_trained_and_evaluated_on_every_test_study(finished):
    test = {r["study"] for r in rows(finished / "results/split.csv") if r["role"] == "test"}
    found = {(r["scenario"], r["study"]) for r in rows(finished / "results/overlap.csv")}

    assert len(test) == 3
    assert found == {(scenario, study) for scenario in SCENARIOS_OF_TINY for study in test}
    assert {p.name for p in (finished / "models").iterdir()} == {
        f"{scenario}-seed0.safetensors" for scenario in SCENARIOS_OF_TINY
    }


def test_the_gates_admit_as_many_as_they_are_asked(finished):
    admitted = [
        r["scenario"] for r in rows(finished / "results/judgements.csv") if r["admitted"] == "True"
    ]

    assert sorted(admitted) == ["crf"] * 2 + ["random"] * 2 + ["semiqc"] * 2


def test_curves_cover_the_whole_cycle_and_clinical_figures_the_reference(finished):
    curves = rows(finished / "results/curves.csv")
    clinical = rows(finished / "results/clinical.csv")

    assert {int(r["frame"]) for r in curves} == set(range(4))
    assert {"manual", "semiqc"} <= {r["scenario"] for r in clinical}


def test_the_report_stands_and_can_be_built_anew(copied):
    report = copied / "report.html"
    before = report.read_text()
    report.unlink()

    assert main(["report", str(copied)]) == 0
    assert report.read_text() == before
    assert "semiQCSeg" in before


def test_every_table_of_the_report_is_there_unrounded(finished):
    [few] = [r for r in rows(finished / "results/tables/dice.csv") if r["scenario"] == "few"]
    of_study = {}
    for row in rows(finished / "results/overlap.csv"):
        if row["scenario"] == "few":
            of_study.setdefault(row["study"], []).append(float(row["dice"]))

    means = [np.nanmean(dice) for dice in of_study.values()]
    assert float(few["all structures mean"]) == pytest.approx(np.mean(means))


@pytest.mark.usefixtures("undrawn")
def test_the_same_settings_find_everything_done(copied, made):
    assert run(copied, KEPT) == 0
    assert made == []


@pytest.mark.usefixtures("undrawn")
def test_a_changed_gate_redoes_only_what_depends_on_it(copied, made):
    assert run(copied, KEPT, "gate.k=1", "scenarios=[few, semiqc]") == 0
    assert made == ["train-semiqc-round-1-seed0", "predict-semiqc-test-seed0"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_estimators_are_taught_anew_where_other_frames_of_the_same_predictions_teach(
    made, tmp_path
):
    write_phantoms(tmp_path / "whole.h5", studies=8, size=32, slices=3, frames=4)
    whole, few = Store(tmp_path / "whole.h5"), FramesSettings(use="extremes")
    roles = ["labelled"] * 3 + ["qc"] * 2 + ["test"] * 1 + ["unlabelled"] * 2
    with StoreWriter(tmp_path / "data.h5", whole.scheme, whole.modalities) as writer:
        for study, role in zip(whole, roles, strict=True):
            frames = training_frames(study, few, whole.scheme, 0)
            writer.add(study.keeping(frames) if role == "labelled" else study)
    lines = [f"{name},{role}" for name, role in zip(whole.names, roles, strict=True)]
    (tmp_path / "split.csv").write_text("\n".join(["study,role", *lines]))
    # The simulated reader would look at the frames, too.
    verdicts = f"study,verdict\n{whole.names[3]},good\n{whole.names[4]},erroneous\n"
    (tmp_path / "verdicts.csv").write_text(verdicts)
    changes = (
        f"qc.verdicts={tmp_path / 'verdicts.csv'}",
        f"data={tmp_path / 'data.h5'}",
        f"split.file={tmp_path / 'split.csv'}",
        "qc.estimators=[svr]",
        "gate.by=svr",
        "scenarios=[semiqc]",
    )

    assert run(tmp_path / "run", *changes, "frames.use=all") == 0
    made.clear()
    assert run(tmp_path / "run", *changes, "frames.use=extremes") == 0

    assert not any(name.startswith(("train-few", "train-ladder")) for name in made)
    assert "qc-svr-seed0" in made


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_without_studies_to_spare_the_estimators_are_cross_fitted(tmp_path):
    changes = ("split.qc=0", "qc.folds=2", "scenarios=[few, semiqc]", "split.unlabelled=3")

    assert run(tmp_path / "run", *changes) == 0
    assert {p.name.split("-")[1] for p in (tmp_path / "run/stages").glob("train-fold*")} == {
        "fold0", "fold1",
    }  # fmt: skip


def test_new_studies_are_segmented_in_their_own_geometry(finished, tmp_path, capsys):
    image = np.random.default_rng(0).normal(100, 20, (40, 36, 4, 5)).astype(np.float32)
    affine = np.diag([1.5, 1.5, 8, 1])
    (tmp_path / "images").mkdir()
    nibabel.save(nibabel.Nifti1Image(image, affine), tmp_path / "images" / "new.nii.gz")
    (tmp_path / "images" / "broken.nii.gz").write_bytes(b"")
    arguments = ["predict", str(finished), str(tmp_path / "images"), "-o", str(tmp_path / "out")]

    assert main(arguments) == 0
    assert "broken" in capsys.readouterr().out
    written = nibabel.load(tmp_path / "out" / "new.nii.gz")
    assert written.shape == (40, 36, 4, 5)
    np.testing.assert_allclose(written.affine, affine)
    assert len(rows(tmp_path / "out" / "quality.csv")) == 1
    assert {int(r["frame"]) for r in rows(tmp_path / "out" / "curves.csv")} == set(range(5))
    assert main(arguments) == 2
    assert "not empty; say --overwrite" in capsys.readouterr().err


def test_a_store_is_segmented_too(finished, tmp_path):
    [store] = finished.glob("stages/phantom-*/store.h5")

    arguments = ["predict", str(finished), str(store), "--flag-below", "1"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == len(Store(store))
    assert all(row["flagged"] == "True" for row in rows(tmp_path / "out" / "studies.csv"))


def test_a_run_without_the_usual_scenario_segments_by_the_one_it_compares(finished):
    assert find_learned(finished).scenario == "semiqc"

    run = Finished.read(finished)
    alone = run.settings.model_copy(update={"scenarios": ["few"]})
    assert replace(run, settings=alone).reference == "few"


def test_an_unknown_scenario_is_named_with_the_likeliest_meant(finished, tmp_path, capsys):
    code = main(
        ["predict", str(finished), "x", "-o", str(tmp_path / "o"), "--scenario", "semiqcc"]
    )

    assert code == 2
    assert "did you mean 'semiqc'?" in capsys.readouterr().err


def test_a_split_without_unlabelled_studies_is_told(tmp_path, capsys):
    assert run(tmp_path / "run", "split.unlabelled=0") == 2
    assert "the split leaves no study as unlabelled" in capsys.readouterr().err


SEVERAL = (
    "qc.estimators=[curve, cnn, slicewise]",
    "qc.folds=2",
    "gate.by=cnn",
    "scenarios=[random, semiqc]",
    *(
        f"qc.arguments.{name}={{steps: 2, width: 4, size: [3, 32, 32]}}"
        for name in ("cnn", "slicewise")
    ),
)


@pytest.fixture(scope="module")
def judged_by_several(tmp_path_factory):
    output = tmp_path_factory.mktemp("several") / "run"
    with nothing_drawn():
        assert run(output, *SEVERAL) == 0
    return output


def test_every_row_carries_the_scores_of_all_estimators(judged_by_several):
    found = rows(judged_by_several / "results/judgements.csv")

    assert {row["estimator"] for row in found} == {"cnn"}
    for row in found:
        scores = {n.removeprefix("score_"): s for n, s in row.items() if n.startswith("score_")}
        assert list(scores) == ["curve", "cnn", "slicewise", "consensus"]
        assert float(scores["cnn"]) == pytest.approx(float(row["score"]), rel=1e-5)


def test_what_the_estimators_learned_from_is_kept_with_their_estimates(judged_by_several):
    found = rows(judged_by_several / "results/graded.csv")
    studies = {row["study"] for row in rows(judged_by_several / "results/split.csv")
               if row["role"] == "qc"}  # fmt: skip

    assert {row["study"] for row in found} == studies
    assert all(0 <= float(row["dice"]) <= 1 for row in found)
    assert any(row["estimated_cnn"] for row in found)


def test_where_networks_looked_is_kept(judged_by_several):
    maps, paths = read_explained(judged_by_several / "results/explained.h5")

    assert [one.estimator for one in maps] == ["cnn", "slicewise"]
    assert all(one.heat.shape == one.image.shape for one in maps)
    assert paths == []


def test_the_gate_goes_by_the_estimator_it_is_told(judged_by_several):
    found = [
        row
        for row in rows(judged_by_several / "results/judgements.csv")
        if row["scenario"] == "semiqc"
    ]
    ranked = sorted(found, key=lambda row: -float(row["score"]))

    assert {row["study"] for row in ranked[:2]} == {
        row["study"] for row in found if row["admitted"] == "True"
    }


def test_failed_slices_are_replaced_in_the_report_and_for_new_studies(judged_by_several, tmp_path):
    corrections = rows(judged_by_several / "results/corrections.csv")
    test = {
        r["study"] for r in rows(judged_by_several / "results/split.csv") if r["role"] == "test"
    }

    assert {row["study"] for row in corrections} == test
    assert {(r["structure"], r["measure"]) for r in corrections} >= {("LV", "EF"), ("MYO", "mass")}
    for row in corrections:
        if row["replaced_slices"] == "0":
            assert row["value"] == row["corrected"]
    assert (
        "Measures with failed slices replaced" in (judged_by_several / "report.html").read_text()
    )

    store = next((judged_by_several / "stages").glob("phantom-*")) / "store.h5"
    assert main(["predict", str(judged_by_several), str(store), "-o", str(tmp_path / "new")]) == 0
    assert len({row["study"] for row in rows(tmp_path / "new/corrections.csv")}) == 14


def test_arguments_of_estimators_are_checked(tmp_path, capsys):
    assert run(tmp_path / "run", "qc.arguments.cnn.stepz=3") == 2

    assert "cnn.stepz: unknown 'stepz'; did you mean 'steps'?" in capsys.readouterr().err


def test_a_run_of_another_version_is_told_in_one_line(finished, tmp_path, capsys):
    other = tmp_path / "run"
    shutil.copytree(finished, other, ignore=shutil.ignore_patterns("stages"))
    settings = other / "settings.yaml"
    settings.write_text(settings.read_text() + "colour: blue\n")
    write_manifest(other, entries_of(other))

    assert main(["report", str(other)]) == 2

    assert "not settings of this version of semiqc (colour: Extra" in capsys.readouterr().err
