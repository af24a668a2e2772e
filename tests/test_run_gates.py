"""A run that compares gates, with ensemble members, grains, repair and export."""

import csv
import json
import shutil
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from run_settings import GATES, TINY

from semiqc.cli.app import main
from semiqc.experiment import read_settings, run
from semiqc.files.hdf5 import open_h5
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.files.tables import OverlapRow, SplitRow, read_rows
from semiqc.phantom import write_phantoms
from semiqc.work.monitor import Silent


@pytest.fixture(scope="module")
def finished(gates_run):
    return gates_run


def rows(run_folder, table):
    with (run_folder / "results" / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def judged(run_folder, scenario):
    return [row for row in rows(run_folder, "judgements") if row["scenario"] == scenario]


def admitted(run_folder, scenario):
    return {row["study"] for row in judged(run_folder, scenario) if row["admitted"] == "True"}


def scores_of(row):
    return {n.removeprefix("score_"): s for n, s in row.items() if n.startswith("score_") and s}


def test_every_gate_is_a_scenario_that_is_evaluated(finished):
    names = {row["scenario"] for row in rows(finished, "overlap")}

    assert names == {
        "few", "gate-random", "gate-all", "gate-oracle", "gate-weighted", "gate-diverse",
        "gate-risk", "gate-agreement", "gate-consensus", "gate-consensus-voxel",
        "gate-consensus-slice", "gate-all-soft_slice", "gate-consensus-temporal-propagated",
        "gate-agreement-2rounds", "gate-risk-propagated",
    }  # fmt: skip


def test_all_estimators_and_their_consensus_judge_every_candidate(finished):
    for row in judged(finished, "gate-random"):
        assert set(scores_of(row)) == {"curve", "svr", "agreement", "slicewise", "consensus"}


def test_controls_do_what_they_are_for(finished):
    everybody = {row["study"] for row in judged(finished, "gate-all")}
    truth = {row["study"]: float(row["true_dice"]) for row in judged(finished, "gate-oracle")}

    assert admitted(finished, "gate-all") == everybody
    assert len(admitted(finished, "gate-random")) == 2
    assert admitted(finished, "gate-oracle") == set(sorted(truth, key=truth.get)[-2:])


def test_soft_slices_teach_otherwise_than_whole_ones(finished):
    dice = {
        scenario: [row["dice"] for row in rows(finished, "overlap") if row["scenario"] == scenario]
        for scenario in ("gate-all", "gate-all-soft_slice")
    }
    reasons = [row["reason"] for row in judged(finished, "gate-all-soft_slice")]

    assert dice["gate-all"] != dice["gate-all-soft_slice"]
    assert all("of weight 0." in reason for reason in reasons)


def test_a_gate_may_have_rounds_of_its_own(finished):
    rounds = {
        scenario: {row["round"] for row in judged(finished, scenario)}
        for scenario in ("gate-agreement", "gate-agreement-2rounds")
    }

    assert rounds == {"gate-agreement": {"1"}, "gate-agreement-2rounds": {"1", "2"}}


def test_the_best_by_a_score_are_admitted(finished):
    score = {r["study"]: float(r["score"]) for r in judged(finished, "gate-agreement")}

    assert admitted(finished, "gate-agreement") == set(sorted(score, key=score.get)[-2:])
    for row in judged(finished, "gate-agreement"):
        assert float(scores_of(row)["agreement"]) == pytest.approx(float(row["score"]), abs=1e-5)


def test_three_subjects_are_too_few_to_promise_anything_and_that_is_said(finished):
    for row in judged(finished, "gate-risk"):
        assert row["admitted"] == "False"
        assert "calibration subjects" in row["reason"]
        assert "has 3" in row["reason"]


def test_experts_labels_are_propagated_where_nothing_is_admitted(finished):
    of_test = {
        scenario: [row["dice"] for row in rows(finished, "overlap") if row["scenario"] == scenario]
        for scenario in ("few", "gate-risk", "gate-risk-propagated")
    }
    used = [row for row in rows(finished, "pseudo") if row["scenario"] == "gate-risk-propagated"]

    assert of_test["gate-risk"] == of_test["few"] != of_test["gate-risk-propagated"]
    assert len({row["study"] for row in used}) == 3


def test_weights_come_with_the_scores(finished):
    found = judged(finished, "gate-weighted")
    by_score = sorted(found, key=lambda row: float(row["score"]))
    weights = [float(row["weight"]) for row in by_score]

    assert weights == sorted(weights)
    assert all(row["admitted"] == "True" for row in found)


def test_hidden_voxels_are_left_unlabelled_and_counted(finished):
    pseudo = [r for r in rows(finished, "pseudo") if r["scenario"] == "gate-consensus-voxel"]
    known = {row["study"]: row for row in judged(finished, "gate-consensus-voxel")}

    assert pseudo
    for row in pseudo:
        labels = open_h5(finished / row["file"])[f"{row['study']}/labels"][:]
        assert 0 < np.mean(labels == -1) < 1
        assert 0 < float(known[row["study"]]["kept"]) < 1
        assert "of voxels kept" in known[row["study"]]["reason"]


def test_a_study_of_which_every_slice_is_hidden_is_refused(finished):
    # An estimator of two training steps and a bound of .7 leave nothing.
    best = [row for row in judged(finished, "gate-consensus-slice") if _rank(row) <= 2]
    refused = [row for row in best if row["admitted"] == "False"]

    assert len(best) == 2
    assert refused
    for row in best:
        assert (float(row["kept"]) > 0) == (row["admitted"] == "True")
    assert all("refused, for" in row["reason"] for row in refused)


def _rank(row):
    return int(row["reason"].removeprefix("rank ").split()[0])


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_a_readers_verdicts_fit_the_curves_and_take_nothing_from_others(finished, tmp_path):
    output, table = tmp_path / "run", tmp_path / "verdicts.csv"
    shutil.copytree(finished, output)
    fitted_to = [row["study"] for row in rows(finished, "split") if row["role"] == "qc"]
    verdicts = zip(fitted_to, ("good", "erroneous", "good"), strict=True)
    table.write_text("\n".join(["study,verdict", *(f"{one},{said}" for one, said in verdicts)]))

    changed = [f"output={output}", f"qc.verdicts={table}", "gates=[curve]"]
    run(read_settings(None, [*GATES, *changed]), Silent())

    svr, curve = (f"qc/{name}-seed0.safetensors" for name in ("svr", "curve"))
    assert (output / svr).read_bytes() == (finished / svr).read_bytes()
    assert (output / curve).read_bytes() != (finished / curve).read_bytes()


@pytest.mark.parametrize("spared", [1, 0])
@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_one_subject_to_learn_from_fits_no_weights_but_fails_nothing(tmp_path, spared):
    changed = [
        *TINY, "split.qc=1", "split.labelled=2", "qc.estimators=[svr, physiology]",
        "gate.by=consensus", "scenarios=[few]", "gates=[consensus, {rule: risk}]",
        f"split.qc={spared}", "segmenter.members=1", f"output={tmp_path / 'run'}",
    ]  # fmt: skip

    run(read_settings(None, changed), Silent())

    found = judged(tmp_path / "run", "gate-consensus")
    assert all(0 <= float(row["score"]) <= 1 for row in found)
    assert len(admitted(tmp_path / "run", "gate-consensus")) == 2
    assert not admitted(tmp_path / "run", "gate-risk")


def test_what_a_scenario_learned_from_is_exported_for_nnunet(finished, tmp_path):
    folder = tmp_path / "Dataset501_Phantom"

    assert main(["export", str(finished), str(folder), "--scenario", "gate-consensus-voxel"]) == 0

    described = json.loads((folder / "dataset.json").read_text())
    with (folder / "lineage.csv").open() as file:
        lineage = list(csv.DictReader(file))
    assert described["labels"]["ignore"] == 4
    assert described["numTraining"] == len(lineage) == len(list((folder / "labelsTr").iterdir()))
    experts = [row for row in lineage if row["source"] == "expert"]
    pseudo = [row for row in lineage if row["source"] == "pseudo"]
    assert len(experts) == 3 * 2
    assert {row["study"] for row in pseudo} == admitted(finished, "gate-consensus-voxel")
    assert all(row["model"] and scores_of(row) and row["grain"] == "voxel" for row in pseudo)
    labels = nibabel.load(folder / "labelsTr" / f"{pseudo[0]['case']}.nii.gz")
    assert 4 in np.unique(labels.dataobj)


def test_labels_carried_along_a_cine_are_exported_as_such(finished, tmp_path, capsys):
    folder, scenario = tmp_path / "Dataset503_Phantom", "gate-consensus-temporal-propagated"

    assert main(["export", str(finished), str(folder), "--scenario", scenario]) == 0

    with (folder / "lineage.csv").open() as file:
        lineage = list(csv.DictReader(file))
    frames = {}
    for row in lineage:
        frames.setdefault(row["source"], set()).add((row["study"], row["frame"]))
    assert len(frames["expert"]) == 3 * 2
    assert frames["propagated"]
    assert not frames["propagated"] & frames["expert"]
    assert {name for name, _ in frames["propagated"]} <= {name for name, _ in frames["expert"]}
    counts = [len(frames[source]) for source in ("expert", "propagated", "pseudo")]
    told = "exported: {} expert's, {} propagated and {} pseudo-labelled frames".format(*counts)
    assert told in " ".join(capsys.readouterr().out.split())
    reasons = {row["reason"] for row in lineage if row["source"] == "propagated"}
    assert reasons == {"carried from the expert's frames by registration"}


def test_a_scenario_without_pseudo_labels_is_not_exported(finished, tmp_path, capsys):
    folder = str(tmp_path / "Dataset502_Phantom")

    assert main(["export", str(finished), folder, "--scenario", "few"]) == 2

    assert "scenario few has no pseudo-labels; those with are gate-random" in said(capsys)

    assert main(["export", str(finished), folder, "--scenario", "gate-risk"]) == 2
    assert "scenario gate-risk admitted nothing with seed 0" in said(capsys)

    assert main(["export", str(finished), folder, "--scenario", "gate-al"]) == 2
    assert "scenario unknown 'gate-al'; did you mean 'gate-all'" in said(capsys)

    assert main(["export", str(finished), folder, "--scenario", "gate-all", "--seed", "7"]) == 2
    assert "no seed 7; its seeds are 0" in said(capsys)


def said(capsys):
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["gates=[svm]"], "unknown 'svm'; did you mean 'svr'"),
        (["gates=[curve/pixel]"], "grain"),
        (["gates=[curve, curve]"], "two are alike"),
        (["qc.estimators=[agreement]", "gate.by=agreement"], "needs uncertainty maps"),
        (["segmenter.samples=4"], "segmenter.dropout above 0"),
        (["segmenter.samples=4", "segmenter.dropout=0.1", "segmenter.members=2"], "not from more"),
        (["gates=[curve/voxel]"], "the grain voxel goes by error maps"),
        (["gates=[curve/slice]"], "does not judge slices"),
        (["gate.repair=[surrogate]"], "surrogates come from"),
        (["gates=[{rule: risk, rounds: 2}]"], "not of what is repaired or of later rounds"),
        (["gate.rule=risk", "gate.repair=[temporal]"], "not of what is repaired"),
        (["gates=[{rule: weighted, low: 0.9}]"], "low must be below high"),
        (
            ["segmenter.members=2", "gates=[{by: svr, grain: voxel, max_error: 0.5}]"],
            "max_error is of error maps, which svr does not give",
        ),
        (
            [
                "segmenter.members=2",
                "qc.estimators=[svr, agreement]",
                "gate.by=agreement",
                "gate.repair=[temporal]",
            ],
            "repaired predictions carry no uncertainty",
        ),
        (
            [
                "segmenter.members=2",
                "qc.estimators=[curve, uncertainty]",
                "gates=[{by: consensus, grain: voxel, repair: [temporal]}]",
            ],
            "repaired predictions carry no uncertainty; the grain voxel goes by error maps",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_trained(changes, message, capsys, tmp_path):
    base = ["qc.estimators=[curve, svr]", "gate.by=curve", "segmenter.members=1"]
    chosen = [part for one in [*TINY, *base, *changes] for part in ("--set", one)]

    assert main(["run", *chosen, "-o", str(tmp_path / "run")]) == 2

    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_a_run_is_evaluated_on_other_data(finished, tmp_path, capsys):
    others = tmp_path / "others.h5"
    write_phantoms(others, studies=3, size=32, slices=3, frames=2, seed=9)
    renamed = tmp_path / "renamed.h5"
    with StoreWriter(renamed, Store(others).scheme, Store(others).modalities) as writer:
        for study in Store(others):
            spacing = (study.spacing[0], *in_plane(finished))
            writer.add(replace(study, name=f"new-{study.name}", subject="", spacing=spacing))

    assert main(["evaluate", str(finished), str(renamed), "-o", str(tmp_path / "out")]) == 0

    with (tmp_path / "out" / "overlap.csv").open() as file:
        found = list(csv.DictReader(file))
    assert {row["study"] for row in found} == {f"new-phantom-000{n}" for n in range(1, 4)}
    assert {row["scenario"] for row in found} >= {"few", "gate-all", "gate-consensus-voxel"}
    assert (tmp_path / "out" / "tables" / "choices.csv").exists()
    assert "Gate: all" in capsys.readouterr().out


def in_plane(run_folder):
    described = json.loads((run_folder / "results" / "data.json").read_text())
    return described["spacing_mm"], described["spacing_mm"]


@pytest.mark.usefixtures("undrawn")
def test_a_run_is_evaluated_on_none_of_the_subjects_it_learned_from(finished, tmp_path, capsys):
    own = next((finished / "stages").glob("phantom-*/store.h5"))
    used = read_rows(finished / "results" / "split.csv", SplitRow)
    test = {row.subject for row in used if row.role == "test"}

    assert main(["evaluate", str(finished), str(own), "-o", str(tmp_path / "out")]) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert "has the name of a subject that took part in the run" in told
    found = read_rows(tmp_path / "out" / "overlap.csv", OverlapRow)
    assert {row.study for row in found} == test


def test_a_store_of_subjects_that_a_run_learned_from_is_refused(finished, tmp_path, capsys):
    own = Store(next((finished / "stages").glob("phantom-*/store.h5")))
    used = read_rows(finished / "results" / "split.csv", SplitRow)
    with StoreWriter(tmp_path / "known.h5", own.scheme, own.modalities) as writer:
        writer.add(own.study(next(row.study for row in used if row.role == "labelled")).load())

    known, out = str(tmp_path / "known.h5"), str(tmp_path / "out")
    assert main(["evaluate", str(finished), known, "-o", out]) == 2

    assert "took part in the run" in said(capsys)


def test_a_run_is_not_evaluated_on_other_labels(finished, tmp_path, capsys):
    aorta = tmp_path / "aorta.h5"
    write_phantoms(aorta, studies=2, size=32, kind="aorta", frames=2)

    assert main(["evaluate", str(finished), str(aorta), "-o", str(tmp_path / "out")]) == 2

    assert "labels of the run: LV is absent in aorta, label 3 in short-axis" in said(capsys)


def trainings(run_folder, name):
    return {path.name for path in (run_folder / "stages").glob(f"train-{name}-*")}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_other_weights_and_other_uncertainty_redo_what_depends_on_them(finished, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(finished, output)
    before = {name: trainings(output, name) for name in ("few", "gate-weighted", "ladder")}

    changes = ["gates=[{rule: weighted, low: 0.0, high: 0.05, least: 0.01}]", "segmenter.tta=3"]
    run(read_settings(None, [*GATES, f"output={output}", *changes]), Silent())

    assert trainings(output, "few") == before["few"]
    assert trainings(output, "ladder") == before["ladder"]
    assert len(trainings(output, "gate-weighted")) == 2


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_what_the_consensus_repaired_is_redone_when_its_weights_learn_anew(finished, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(finished, output)
    gates = "gates=[{by: consensus, repair: [temporal], propagate: true}]"

    run(read_settings(None, [*GATES, f"output={output}", gates, "qc.folds=3"]), Silent())

    assert len(list((output / "stages").glob("repair-*"))) == 2
