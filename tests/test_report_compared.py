"""Several runs on one page: answers, settings that differ, the same studies side by side."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from report_builders import empty_report, full_report

from semiqc.cli import main
from semiqc.experiment.comparing import flat_settings
from semiqc.experiment.settings import Settings
from semiqc.report.compared import ComparedRun, build_comparison
from semiqc.report.compared.tables import pairs_table, runs_table, scenarios_table, settings_table

BEFORE = Path(__file__).parent / "data" / "before" / "run"
SETTINGS = {"output": "a", "seeds": "[0]", "training.steps": "200"}


def better(data, by):
    """The same run with a Dice that is higher in every study."""
    rows = [replace(r, figures=r.figures | {"dice": r.figures["dice"] + by}) for r in data.overlap]
    return replace(data, overlap=rows)


@pytest.fixture
def runs():
    data = full_report()
    longer = SETTINGS | {"output": "b", "training.steps": "400", "training.mixup": "0.2"}
    return [
        ComparedRun("short", data, SETTINGS, "same"),
        ComparedRun("long", better(data, 0.01), longer, "same"),
    ]


def test_each_run_has_its_answers_in_words_and_figures(runs):
    first, second = runs_table(runs).rows

    assert (first["run"], second["run"]) == ("short", "long")
    assert first["control"] == first["unlabelled"] == "▲ Helped"
    assert 0 < first["unlabelled low"] < first["unlabelled difference"]
    assert second["unlabelled difference"] == pytest.approx(first["unlabelled difference"])
    empty = runs_table([ComparedRun("none", empty_report(), {})]).rows[0]
    assert empty["control"] == "○ Unknown"


def test_only_settings_that_differ_are_told(runs):
    assert settings_table(runs).rows == [
        {"setting": "training.steps", "run 1": "200", "run 2": "400"},
        {"setting": "training.mixup", "run 1": "–", "run 2": "0.2"},  # noqa: RUF001
    ]
    assert settings_table([runs[0], runs[0]]).rows == []


def test_studies_are_compared_with_themselves_where_the_data_are_the_same(runs):
    rows = pairs_table(runs).rows

    assert {row["studies"] for row in rows} == {15}
    assert {row["better"] for row in rows} == {15}
    assert [row["difference"] for row in rows] == pytest.approx([0.01] * len(rows))
    assert pairs_table([runs[0], replace(runs[1], fingerprint="another")]).rows == []
    assert pairs_table([replace(run, fingerprint="") for run in runs]).rows == []
    fewer = replace(runs[1], data=full_report(studies=4))
    few = pairs_table([runs[0], fewer]).rows
    assert {row["studies"] for row in few} == {4}
    assert all(row["difference low"] != row["difference low"] for row in few)


def test_every_scenario_of_every_run_has_a_row(runs):
    rows = scenarios_table(runs).rows

    assert len(rows) == 2 * len(runs[0].data.scenarios)
    half = len(rows) // 2
    for first, second in zip(rows[:half], rows[half:], strict=True):
        assert second["dice mean"] - first["dice mean"] == pytest.approx(0.01)


def test_the_page_escapes_names_and_draws_every_run(runs, tmp_path):
    evil = replace(runs[1], name="<script>alert(1)</script>")
    build_comparison([runs[0], evil], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert page.count("<script>") == 1
    assert page.count('class="forest"') == 2
    assert "training.mixup" in page


def test_runs_are_compared_by_a_command(tmp_path, capsys):
    paths = [str(shutil.copytree(BEFORE, tmp_path / name / "run")) for name in ("a", "b")]
    output = tmp_path / "compared"

    assert main(["report", *paths, "--output", str(output)]) == 0

    assert (output / "report.html").stat().st_size
    assert paths[0] in (output / "tables" / "runs.csv").read_text(encoding="utf-8")
    assert main(["report", *paths, "--output", str(output)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_what_cannot_be_compared_is_told_in_one_line(tmp_path, capsys):
    for arguments, said in (
        (["a", "b"], "expected a folder to write"),
        (["a", "-o", "c"], "expected two runs or more"),
        (["a", "a", "-o", str(tmp_path / "c")], "a: given twice"),
        (["a", "b", "-o", str(tmp_path / "c")], "a: not a run folder"),
    ):
        assert main(["report", *arguments]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_settings_are_named_by_dots_and_those_of_gates_by_their_scenario():
    settings = Settings.model_validate({"gates": [{"rule": "best", "k": 7}, {"rule": "all"}]})
    found = flat_settings(settings)
    first, second = [name for name in settings.compared() if name.startswith("gate-")]

    assert found["data"] == "none"
    assert found[f"gates.{first}.k"] == "7"
    assert found[f"gates.{second}.rule"] == "all"
    assert "gates" not in found


def test_settings_of_a_gate_that_a_run_lacks_are_not_told(runs):
    one = replace(runs[0], settings=SETTINGS | {"gates.all.k": "3", "gates.best.k": "3"})
    other = replace(runs[0], settings=SETTINGS | {"gates.best.k": "5"})

    assert [row["setting"] for row in settings_table([one, other]).rows] == ["gates.best.k"]
