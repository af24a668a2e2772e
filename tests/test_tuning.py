"""A search over settings: what is tried, stopped, gone on with, and chosen."""

import csv
import json
import math
import time

import numpy as np
import pytest
from run_settings import TINY
from segmenter_builders import SQUARE, bright_square

from qc import Graded, Quality
from qc.evaluation.truth import TrueQuality
from semiqc.cli.app import main
from semiqc.experiment import read_settings
from semiqc.experiment.tuning_estimator import estimator_of, value_of
from semiqc.study import Prediction
from semiqc.work.dimensions import Dimension
from semiqc.work.search import JOURNAL, FailedTrialError, Search, search

OVER = ("x=uniform(0,10)", "kind=[a, [1, 2]]")
STEPS = (1, 3, 9)


def how(folder, over=OVER, **fields):
    return Search(folder, [Dimension.of(one) for one in over], {"data": "a"}, **fields)


def quality(changes, step):
    """Best at x = 4; the order of trials is the same at each step."""
    wrong = abs(float(changes["x"]) - 4) + (json.loads(changes["kind"]) == "a")
    return 1 - 0.1 * wrong - 1 / (10 * step)


def learn(changes, tell, steps=STEPS):
    for step in steps:
        tell(step, quality(changes, step))


class Cut(BaseException):
    """Stands for a process that is killed."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "expected KEY="),
        ("=log(1,2)", "expected KEY="),
        ("x=log(0,1)", "log needs values above 0"),
        ("x=uniform(2,1)", "first must be below"),
        ("x=uniform(1,nan)", "first must be below"),
        ("x=log(a,b)", "expected numbers"),
        ("x=int(1.5,3)", "whole numbers"),
        ("x=[1]", "expected log"),
        ("x=3", "expected log"),
        ("x=[1, {", "--over x=\\[1, {"),
    ],
)
def test_what_is_no_range_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        Dimension.of(text)


def test_the_best_of_those_that_ended_is_chosen(tmp_path):
    found = search(how(tmp_path), learn, 12)
    ended = [one for one in found.trials if one.state == "complete"]

    assert len(found.trials) == 12
    assert found.best.value == max(one.value for one in ended)
    assert found.best.value == pytest.approx(quality(found.best.changes, 9))
    assert 0 <= float(found.best.changes["x"]) <= 10
    assert {json.dumps(json.loads(one.changes["kind"])) for one in ended} <= {'"a"', "[1, 2]"}


def test_trials_that_are_worse_at_a_step_are_stopped(tmp_path):
    found = search(how(tmp_path), learn, 12)
    stopped = [one for one in found.trials if one.state == "pruned"]

    assert stopped
    for one in stopped:
        others = [t.values[one.step] for t in found.trials if one.step in t.values]
        assert one.value < max(others)


def test_a_trial_that_came_to_its_last_step_is_complete_however_bad(tmp_path):
    ends = {
        last: search(how(tmp_path / str(last), first_rung=9), learn, 6, lambda _, last=last: last)
        for last in (STEPS[-1], STEPS[-1] + 1)
    }

    assert {one.state for one in ends[9].trials} == {"complete"}
    assert {one.state for one in ends[10].trials} == {"complete", "pruned"}


def test_a_search_that_was_cut_short_goes_on_to_the_same_end(tmp_path):
    whole = search(how(tmp_path / "whole", first_rung=3), learn, 6)
    half, asked = how(tmp_path / "cut", first_rung=3), []

    def cut(changes, tell):
        asked.append(changes)
        learn(changes, tell, STEPS[:1])
        raise Cut

    for count in range(3):
        search(half, learn, 2 * count)
        with pytest.raises(Cut):
            search(half, cut, 6)
    went_on = search(half, lambda c, tell: learn(c, tell, STEPS[1:]), 6)

    assert [one.changes for one in went_on.trials] == [one.changes for one in whole.trials]
    assert went_on.best.values[1] == quality(went_on.best.changes, 1)
    assert len({json.dumps(one) for one in asked}) == 3


def test_the_lock_of_a_killed_search_is_not_waited_for(tmp_path):
    search(how(tmp_path), learn, 1)
    expected = {path.name for path in tmp_path.iterdir()}
    for left in (f"{JOURNAL}.lock", f"{JOURNAL}.lock8250a188.rename"):
        (tmp_path / left).touch()
    start = time.monotonic()

    search(how(tmp_path), learn, 2)

    assert time.monotonic() - start < 15
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_more_trials_may_be_asked_for_later(tmp_path):
    first = search(how(tmp_path), learn, 2)
    more = search(how(tmp_path), learn, 4)

    assert more.trials[:2] == first.trials
    assert len(search(how(tmp_path), learn, 1).trials) == 4


def test_a_trial_that_fails_is_told_and_the_search_goes_on(tmp_path):
    def fail(changes, tell):
        if json.loads(changes["kind"]) == "a":
            raise FailedTrialError("diverged")
        learn(changes, tell)

    found = search(how(tmp_path), fail, 8)
    failed = [one for one in found.trials if one.state == "failed"]

    assert failed
    assert {one.why for one in failed} == {"diverged"}
    assert found.best.state == "complete"
    silent = search(how(tmp_path / "b"), lambda changes, tell: tell(1, math.nan), 1)
    assert silent.best is None


def test_another_search_in_the_folder_is_refused(tmp_path):
    search(how(tmp_path), learn, 1)

    with pytest.raises(ValueError, match="holds a search with another over; choose another"):
        search(how(tmp_path, OVER[:1]), learn, 1)
    with pytest.raises(ValueError, match="holds a search with another seed"):
        search(how(tmp_path, seed=1), learn, 1)


def test_a_damaged_journal_is_refused(tmp_path):
    search(how(tmp_path), learn, 1)
    (tmp_path / JOURNAL).write_text("[1, 2]\nnothing\n")

    with pytest.raises(ValueError, match="not a journal of trials"):
        search(how(tmp_path), learn, 2)


TUNED = (
    *TINY, "scenarios=[few]", "training.steps=6", "training.validate_every=2",
    "training.checkpoint_every=2", "phantom.studies=10", "split.labelled=2", "split.qc=1",
)  # fmt: skip


def test_the_best_settings_of_a_training_are_those_that_a_run_takes(tmp_path, capsys):
    file = tmp_path / "settings.yaml"
    file.write_text("\n".join(f"{k}: {v}" for k, v in [("name", "tuned")]))
    out = tmp_path / "tuned"
    command = ["tune", str(file), "-o", str(out), "--trials", "2"]
    command += [f"--set={change}" for change in TUNED]
    over = "training.learning_rate=[0.000001, 0.01]"

    assert main([*command, "--over", over]) == 0
    assert f"semiqc run {out / 'settings.yaml'}" in capsys.readouterr().out
    with (out / "trials.csv").open() as table:
        rows = list(csv.DictReader(table))
    best = max(rows, key=lambda row: float(row["validation_dice"]))
    tuned = read_settings(out / "settings.yaml")
    assert {row["state"] for row in rows} == {"complete"}
    assert tuned.training.learning_rate == float(best["training.learning_rate"])
    assert tuned.output == out / "run"
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert main([*command, "--over", "training.steps=[4, 6]"]) == 2
    assert "another over" in capsys.readouterr().err
    assert main([*command, "--over", over, "--set=split.validation=0"]) == 2
    assert "tuning needs validation studies" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (["training.steps", "segmenter.dropout"], None),
        (["qc.arguments.cnn.steps", "qc.arguments.cnn.width"], "cnn"),
    ],
)
def test_the_keys_tell_whether_an_estimator_is_tuned(keys, name):
    assert estimator_of(keys) == name


def test_one_thing_is_tuned_at_a_time():
    with pytest.raises(ValueError, match="of the training or of one estimator"):
        estimator_of(["qc.arguments.cnn.steps", "training.steps"])
    with pytest.raises(ValueError, match="of the training or of one estimator"):
        estimator_of(["qc.arguments.cnn.steps", "qc.arguments.svr.c"])


def test_estimators_are_compared_by_dice_or_by_the_order_of_their_scores():
    rng = np.random.default_rng(0)
    reference = bright_square(labelled=(0,))
    graded = []
    for share in (0.0, 0.1, 0.3, 0.5):
        labels = np.array(reference.labels)
        labels[0][(labels[0] == 1) & (rng.random(labels[0].shape) < share)] = 0
        made = Prediction("a", reference.image, np.maximum(labels, 0), reference.spacing)
        graded.append(Graded(made, reference.labels))
    true = [TrueQuality.of(one, SQUARE, with_nsd=False).dice[0] for one in graded]

    def qualities(scores, has_dice):
        return [Quality("a", one, dice={"square": one} if has_dice else {}) for one in scores]

    assert value_of(qualities(true, True), graded, SQUARE) == pytest.approx(1)
    worse = [min(1.0, one - 0.1) for one in true]
    assert value_of(qualities(worse, True), graded, SQUARE) == pytest.approx(0.9)
    assert value_of(qualities(worse, False), graded, SQUARE) == pytest.approx(1)
    assert value_of(qualities(worse[::-1], False), graded, SQUARE) == pytest.approx(-1)


OF_ESTIMATOR = (
    *TUNED, "qc.estimators=[qcresunet]", "gate.by=qcresunet", "qc.arguments.qcresunet.steps=4",
    "qc.arguments.qcresunet.width=4", "qc.arguments.qcresunet.size=[3, 32, 32]",
    "qc.ladder=[{name: first, snapshots: [0.5, 1.0]}]", "segmenter.members=1",
)  # fmt: skip


@pytest.mark.slow
def test_arguments_of_an_estimator_are_tried_with_few_steps_first(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("name: tuned")
    out = tmp_path / "tuned"
    command = ["tune", str(file), "-o", str(out), "--trials", "2", "--reduction", "2"]
    command += [f"--set={change}" for change in OF_ESTIMATOR]
    command += ["--over", "qc.arguments.qcresunet.map_weight=[0.1, 1, 2]"]
    command += ["--over", "qc.arguments.qcresunet.learning_rate=log(1e-5,2e-4)"]

    assert main(command) == 0
    tuned = read_settings(out / "settings.yaml")
    assert set(tuned.qc.arguments["qcresunet"]) >= {"map_weight", "learning_rate", "steps"}
    fits = {path.name.split("-")[2] for path in (out / "work/stages").glob("qc-qcresunet-*")}
    assert fits >= {"1", "2"}
    with (out / "trials.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert all(0 <= float(row["agreement_of_qcresunet"]) <= 1 for row in rows)
