"""A search over settings: what is tried, stopped, gone on with, and chosen."""

import csv
import json
import math

import pytest
from run_settings import TINY

from semiqc.cli.app import main
from semiqc.experiment import read_settings
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
