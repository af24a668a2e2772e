"""A run with online loops, and what of its settings they change."""

import csv
import shutil

import h5py
import numpy as np
import pytest
from run_settings import ONLINE, TINY, nothing_drawn

from semiqc.experiment import read_settings, run
from semiqc.experiment.settings_file import SettingsError
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.work.monitor import Silent

NEW = "data=a.h5"
BEST = "gate-bcp-squared-best-views-before-2rounds"
ORACLE = "gate-all-best-views-before-slice-truth-2rounds"


@pytest.fixture(scope="module")
def finished(made_once):
    def make(folder):
        with nothing_drawn():
            run(read_settings(None, [*ONLINE, f"output={folder}"]), Silent())

    return made_once("online", make)


def rows(folder, table):
    with (folder / "results" / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def judged(folder, scenario):
    return [row for row in rows(folder, "judgements") if row["scenario"] == scenario]


def trained(folder, scenario):
    found = rows(folder, "training")
    return sorted(
        {int(row["step"]) for row in found if row["training"].startswith(scenario + ",")}
    )


def test_every_loop_is_a_scenario_that_is_evaluated(finished):
    found = {row["scenario"]: row for row in rows(finished, "overlap")}

    assert list(found) == [
        "few",
        "bcp",
        "gate-fixmatch-all-2rounds",
        "gate-bcp-curve",
        "gate-bcp-random",
        BEST,
        ORACLE,
    ]
    weights = {
        name: (finished / "models" / f"{name}-seed0.safetensors").read_bytes() for name in found
    }
    assert len(set(weights.values())) == len(found)


def test_the_label_bank_is_judged_as_often_as_it_is_made(finished):
    found = {
        name: judged(finished, name) for name in ("gate-fixmatch-all-2rounds", "gate-bcp-curve")
    }
    rounds = {name: {row["round"] for row in some} for name, some in found.items()}

    assert rounds == {"gate-fixmatch-all-2rounds": {"1", "2"}, "gate-bcp-curve": {"1", "2", "3"}}
    for some in found.values():
        by_round = {row["round"]: row["model"] for row in some}
        assert len(set(by_round.values())) == len(by_round)
    assert judged(finished, "bcp") == []


def test_the_stretches_of_a_training_follow_each_other(finished):
    names = {path.name.rsplit("-", 1)[0] for path in (finished / "stages").glob("train-*stretch*")}

    assert names == {
        "train-bcp-stretch-1-seed0",
        *(f"train-{BEST}-stretch-{n}-seed0" for n in "12"),
        "train-gate-fixmatch-all-2rounds-stretch-1-seed0",
        "train-gate-fixmatch-all-2rounds-stretch-2-seed0",
        *(f"train-gate-bcp-{by}-stretch-{n}-seed0" for by in ("curve", "random") for n in "123"),
    }  # fmt: skip
    log = next((finished / "stages").glob("train-gate-bcp-curve-stretch-2-*")) / "training.csv"
    with log.open() as file:
        assert {int(row["step"]) for row in csv.DictReader(file)} == {3, 4}
    assert trained(finished, "gate-bcp-curve") == [1, 2, 3, 4, 5, 6, 7]


def test_as_many_are_drawn_by_chance_at_every_refresh(finished):
    admitted = {
        name: [row["round"] for row in judged(finished, name) if row["admitted"] == "True"]
        for name in ("gate-bcp-curve", "gate-bcp-random")
    }

    assert admitted["gate-bcp-random"] == ["1", "1", "2", "2", "3", "3"]
    assert sorted(admitted["gate-bcp-curve"]) == admitted["gate-bcp-random"]


def first_round(folder, scenario):
    return {row["study"]: row for row in judged(folder, scenario) if row["round"] == "1"}


def test_what_takes_the_place_of_the_usual_segmentation_is_judged_better(finished):
    usual, best = first_round(finished, "gate-bcp-curve"), first_round(finished, BEST)

    gains = {name: float(row["score"]) - float(usual[name]["score"]) for name, row in best.items()}
    changed = {name for name, row in best.items() if "views: all, score" in row["repair"]}
    assert {name for name, gain in gains.items() if gain} == changed
    assert all(gains[name] > 0.009 for name in changed)


def test_an_oracle_takes_what_is_truly_better(finished):
    usual, best = first_round(finished, "gate-bcp-curve"), first_round(finished, ORACLE)

    changed = {name: row for name, row in best.items() if row["repair"]}
    assert changed
    assert all("views: " in row["repair"] for row in changed.values())
    gains = [float(r["true_dice"]) - float(usual[n]["true_dice"]) for n, r in changed.items()]
    assert np.mean(gains) > 0
    later = [row for row in judged(finished, ORACLE) if row["round"] == "2"]
    assert any("before: " in row["repair"] for row in later)


def test_weights_of_a_label_bank_are_squares_of_scores(finished):
    for row in judged(finished, BEST):
        assert float(row["weight"]) == pytest.approx(float(row["score"]) ** 2, abs=1e-4)


@pytest.mark.usefixtures("undrawn")
def test_the_labels_of_candidates_change_nothing(finished, tmp_path):
    roles = {row["study"]: row["role"] for row in rows(finished, "split")}
    source = Store(next((finished / "stages").glob("phantom-*/store.h5")))
    spoilt, split = tmp_path / "spoilt.h5", tmp_path / "split.csv"
    shutil.copyfile(finished / "results" / "split.csv", split)
    with StoreWriter(spoilt, source.scheme, source.modalities) as writer:
        for study in source:
            is_candidate = roles[study.name] == "unlabelled"
            writer.add(
                study.with_labels(np.zeros_like(study.labels[:])) if is_candidate else study
            )

    changes = [f"data={spoilt}", f"split.file={split}", f"output={tmp_path / 'run'}"]
    gate = "{loop: bcp, rule: squared, rounds: 2, min_score: 0, candidates: [views, before]}"
    run(read_settings(None, [*ONLINE, *changes, f"gates=[{gate}]"]), Silent())

    asked = {"few", "bcp", BEST, "manual"}
    for table in ("overlap", "clinical"):
        found = rows(tmp_path / "run", table)
        assert {"few", "bcp", BEST} <= {row["scenario"] for row in found} <= asked
        assert found == [row for row in rows(finished, table) if row["scenario"] in asked]


@pytest.mark.usefixtures("undrawn")
def test_loops_without_a_gate_fit_no_estimator(finished, tmp_path):
    output = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(output / "qc")
    changes = ["scenarios=[bcp]", "gates=[]", f"output={output}"]
    run(read_settings(None, [*ONLINE, *changes]), Silent())

    assert not (output / "qc").exists()
    assert {row["scenario"] for row in rows(output, "overlap")} == {"bcp"}


def test_an_online_gate_is_compared_with_a_choice_by_chance_in_the_same_loop():
    gates = (
        "gates=[random, svr, {loop: bcp, by: svr}, {loop: bcp, rule: random},"
        " {loop: bcp, rule: all}, {loop: fixmatch, by: svr}, {loop: bcp, by: svr, rounds: 2}]"
    )
    settings = read_settings(None, [NEW, "gate.by=svr", "scenarios=[few, bcp]", gates])

    assert {name: settings.by_chance(name) for name in settings.compared()} == {
        "few": None,
        "bcp": None,
        "gate-random": None,
        "gate-svr": "gate-random",
        "gate-bcp-svr": "gate-bcp-random",
        "gate-bcp-random": None,
        "gate-bcp-all": "gate-bcp-random",
        "gate-fixmatch-svr": None,
        "gate-bcp-svr-2rounds": None,
    }
    titles = {name: one.title for name, one in settings.compared().items()}
    assert titles["bcp"] == "BCP"
    assert titles["gate-bcp-random"] == "Gate: a third, at random, bcp"
    assert settings.rounds_of("gate-bcp-all") == 3
    assert settings.rounds_of("gate-svr") == 1


def test_a_gate_with_candidates_is_compared_with_a_choice_by_chance_that_has_them_too():
    gates = (
        "gates=[random, {rule: random, candidates: [crf]}, svr, {by: svr, candidates: [crf]},"
        " {by: svr, candidates: [views]}]"
    )
    settings = read_settings(None, [NEW, "gate.by=svr", "scenarios=[few]", gates])

    found = {name: settings.by_chance(name) for name in settings.compared()}
    assert found["gate-svr"] == found["gate-svr-best-views"] == "gate-random"
    assert found["gate-svr-best-crf"] == "gate-random-best-crf"
    titles = [one.title for one in settings.compared().values()]
    assert "Gate: a third, best by svr, best of (views)" in titles


def test_of_online_loops_only_the_best_runs_where_none_is_named():
    usual = ("full", "few", "random", "crf", "semiqc", "fixmatch")
    assert read_settings(None, [NEW]).scenarios == usual


def test_the_loop_of_the_usual_gate_is_that_of_the_gated_scenarios():
    settings = read_settings(None, [NEW, "gate.loop=fixmatch", "gate.by=curve"])

    loops = {name: one.loop for name, one in settings.compared().items()}
    assert loops == {
        "full": "supervised",
        "few": "supervised",
        "random": "fixmatch",
        "crf": "fixmatch",
        "semiqc": "fixmatch",
        "fixmatch": "fixmatch",
    }
    assert settings.compared()["semiqc"].title == "QC gate: curve"


def test_the_offline_loop_may_have_its_name_of_before():
    settings = read_settings(None, [NEW, "gates=[{loop: self_training, by: svr}]"])

    assert settings.gate_of("gate-svr").loop == "offline"


def test_arguments_of_a_loop_are_checked_and_given_to_its_method():
    settings = read_settings(None, [NEW, "loops.bcp={jitter: 0}", "scenarios=[bcp]"])

    assert settings.loop_arguments("bcp") == {"jitter": 0.0, "is_judged": False, "own_frames": 0.1}


def test_what_was_kept_in_the_place_of_other_labels_is_learned():
    gates = "gates=[{loop: bcp, repair: [temporal]}, {loop: bcp, candidates: [crf]}, {loop: bcp}]"
    settings = read_settings(None, [NEW, "gate.by=svr", "scenarios=[few]", gates])

    labels = [settings.loop_arguments(name).get("labels") for name in settings.compared()]
    assert labels == [None, "bank", "bank", None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("loops={bpc: {}}", "loops: unknown 'bpc'; did you mean 'bcp'?"),
        ("loops={bcp: {jiter: 1}}", "bcp.jiter: unknown 'jiter'; did you mean 'jitter'?"),
        ("loops={bcp: {labels: none}}", "bcp.labels: input should be 'teacher' or 'bank'"),
        ("gates=[{loop: supervised, by: svr}]", "the loop supervised uses no pseudo-labels"),
        ("gates=[{loop: bpc}]", "unknown 'bpc'; did you mean 'bcp'?"),
        (
            "gates=[{loop: bcp, by: agreement}]",
            "the loop bcp trains one network; set segmenter.tta",
        ),
        ("gates=[{loop: cps, candidates: [crf]}]", "learns labels of its own networks"),
        ("gates=[{rule: risk, candidates: [crf]}]", "not of what is repaired or of later rounds"),
        (
            "gates=[{by: svr, candidates: [crf], unit: frame}]",
            "svr does not judge slices, by which frames of candidates are chosen",
        ),
        (
            "gates=[{by: agreement, candidates: [crf]}]",
            "repaired predictions carry no uncertainty",
        ),
        ("gates=[{candidates: [cfr]}]", "unknown 'cfr'; did you mean 'crf'?"),
        ("gates=[{loop: bcp, rule: risk}]", "not of what is repaired or of later rounds"),
    ],
)
def test_what_cannot_work_is_said(change, message):
    with pytest.raises(SettingsError) as failure:
        read_settings(None, [NEW, change])

    assert message in str(failure.value)


def test_the_two_networks_of_cps_give_the_uncertainty_that_agreement_judges(tmp_path):
    changes = [
        "phantom.studies=9", "split.labelled=2", "split.qc=2", "split.validation=0",
        "split.test=2", "segmenter.members=2", "training.steps=4", "training.ema=0.9",
        "online.steps=4", "qc.estimators=[agreement]", "gate.by=agreement", "scenarios=[]",
        "gates=[{loop: cps, by: agreement, rounds: 2}]", f"output={tmp_path / 'run'}",
    ]  # fmt: skip
    with nothing_drawn():
        run(read_settings(None, [*TINY, *changes]), Silent())

    found = judged(tmp_path / "run", "gate-cps-agreement-2rounds")
    assert {row["round"] for row in found} == {"1", "2"}
    assert all(row["score_agreement"] for row in found)
    later = list((tmp_path / "run" / "stages").glob("predict-gate-cps-agreement-2rounds-cand*"))
    assert later
    for stage in later:
        with h5py.File(stage / "predictions.h5") as file:
            maps = [group["evidence/disagreement"][:] for group in file.values()]
        # Half of two members may differ from what they say together.
        assert {value for one in maps for value in np.unique(one)} >= {0, 128}


@pytest.mark.parametrize("change", ["segmenter.tta=4", "gate.rounds=1"])
def test_uncertainty_of_one_network_is_had_at_every_refresh(change):
    gates = "gates=[{loop: bcp, by: agreement}]"

    [gate] = read_settings(None, [NEW, change, gates]).gates
    assert (gate.loop, gate.by) == ("bcp", "agreement")
