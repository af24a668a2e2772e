"""A run with validation studies: which weights it uses, and what it tells of the others."""

import csv
import shutil

import pytest
from run_settings import TINY, nothing_drawn
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semiqc.cli.app import main


def run(output, *changes):
    few = ("scenarios=[few]", "training.ema=0.5", *changes)
    changes = [part for change in (*TINY, *few) for part in ("--set", change)]
    return main(["run", *changes, "--output", str(output)])


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "run"
    with nothing_drawn():
        assert run(output) == 0
    return output


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("kind", ["last", "best"])
def test_every_checkpoint_is_evaluated_and_the_one_asked_for_used(finished, tmp_path, kind):
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    trained = {path.name for path in (copy / "stages").glob("train-*")}
    assert run(copy, f"training.checkpoint={kind}") == 0

    before = rows(finished / "results/checkpoints.csv")
    after = rows(copy / "results/checkpoints.csv")
    assert [r["checkpoint"] for r in before if r["is_used"] == "True"] == ["ema"]
    assert [r["checkpoint"] for r in after if r["is_used"] == "True"] == [kind]
    assert [{**r, "is_used": ""} for r in before] == [{**r, "is_used": ""} for r in after]
    assert {path.name for path in (copy / "stages").glob("train-*")} == trained
    [used] = [r for r in after if r["is_used"] == "True"]
    [table] = rows(copy / "results/tables/dice.csv")
    assert float(table["all structures mean"]) == pytest.approx(float(used["dice"]))
    [weights] = (copy / "stages").glob(f"train-few-seed0-*/{kind}.safetensors")
    assert (copy / "models/few-seed0.safetensors").read_bytes() == weights.read_bytes()


def test_the_report_shows_every_checkpoint(finished):
    assert [r["checkpoint"] for r in rows(finished / "results/tables/checkpoints.csv")] == [
        "last",
        "ema",
        "best",
    ]
    assert "Mean Dice of each checkpoint" in (finished / "report.html").read_text()


def test_tables_of_an_earlier_run_with_other_settings_do_not_stay(finished, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    assert run(copy, "split.validation=0", "training.ema=null") == 0

    assert not list((copy / "results").rglob("checkpoints.csv"))
    assert "Mean Dice of each checkpoint" not in (copy / "report.html").read_text()


def test_the_best_checkpoint_needs_a_validation_study_in_the_split(finished, tmp_path, capsys):
    split = tmp_path / "split.csv"
    split.write_text((finished / "results/split.csv").read_text().replace("validation", "qc"))
    data = next((finished / "stages").glob("phantom-*/store.h5"))

    changes = (f"data={data}", f"split.file={split}", "training.checkpoint=best")
    assert run(tmp_path / "run", *changes) != 0
    assert "best needs a validation study with a label" in capsys.readouterr().err


def test_tensorboard_has_the_figures_of_a_training(finished):
    [log] = (finished / "stages").glob("train-few-seed0-*/tensorboard")
    events = EventAccumulator(str(log)).Reload()

    assert {"dice_loss", "cross_entropy", "learning_rate", "validation_dice/LV"} <= set(
        events.Tags()["scalars"]
    )
