import io
import json
import re

import pytest
from rich.console import Console

from qc.base import Quality
from semiqc.cli import output
from semiqc.cli.app import COMMANDS, main
from semiqc.cli.fitting import fitted
from semiqc.cli.score import why
from semiqc.scoring.scores import StudyScore

WIDTH = 80


def shown(columns, rows, width=WIDTH):
    """A table's lines, one table after the other."""
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False)
    for table in fitted("title", columns, rows, width):
        console.print(table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("count", [2, 5, 9, 14])
def test_a_table_fits_and_breaks_no_number_and_no_word(count):
    columns = ["scenario", *(f"structure number {n}" for n in range(count))]
    rows = [(f"gate number {r}, bcp", *(f"0.{r}{n}3 (0.250)" for n in range(count))) for r in "12"]
    lines = shown(columns, rows)

    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    assert all(cell in text for row in rows for cell in row[1:])
    assert not set(re.findall(r"[a-z]{2,}", text)) - {
        "title", "scenario", "structure", "number", "gate", "bcp"
    }  # fmt: skip


def test_columns_without_a_word_are_left_out_and_those_without_a_difference_stand_below():
    wide = "a reason of many words " * 4
    lines = shown(
        ("study", "", "frames", "why"), [(f"s{n}", "", 20, wide + str(n)) for n in range(2)], 18
    )

    assert max(map(len, lines)) <= 18
    assert "frames: 20" in lines[-1]
    assert "frames" not in lines[1]


@pytest.mark.parametrize(("is_verbose", "told"), [(False, "a; b; 2 more"), (True, "a; b; c; d")])
def test_of_many_reasons_the_first_are_shown(monkeypatch, is_verbose, told):
    out = io.StringIO()
    monkeypatch.setattr(output, "console", Console(file=out, width=WIDTH))
    monkeypatch.setattr(output, "manner", output.Manner(is_verbose=is_verbose))
    rows = [("s1", "a; b; c; d"), ("s2", "only one")]
    output.print_table("judged", ("study", "why"), rows, listed="why")

    assert told in out.getvalue()
    assert "only one" in out.getvalue()
    assert output.manner.document.tables["judged"][0]["why"] == "a; b; c; d"


def test_a_table_without_columns_is_its_title():
    assert shown((), ()) == ["title"]


def test_every_command_can_be_quiet_verbose_or_json(capsys):
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        said = capsys.readouterr().out
        assert all(option in said for option in ("--quiet", "--verbose", "--json"))


def test_a_quiet_command_says_nothing_and_leaves_what_it_made(tmp_path, capsys):
    store = tmp_path / "store.h5"
    made = ["phantom", str(store), "--studies", "1", "--size", "32", "--slices", "1"]

    assert main([*made, "--frames", "2", "--quiet"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    assert store.exists()


def test_json_is_one_document_with_the_next_command(tmp_path, capsys):
    store = tmp_path / "store.h5"
    made = ["phantom", str(store), "--studies", "1", "--size", "32", "--slices", "1"]

    assert main([*made, "--frames", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["store"] == str(store)
    assert told["next"][0]["command"].startswith(f"semiqc run --set data={store}")

    assert main(["info", str(store), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["studies"], told["labelled frames"]) == ("store", 1, 2)
    assert told["tables"]["1 studies"][0]["frames"] == 2


def test_a_mistake_is_in_the_document_too(tmp_path, capsys):
    assert main(["info", str(tmp_path / "nothing"), "--json"]) == 2
    said = capsys.readouterr()

    assert "no such file" in json.loads(said.out)["error"]
    assert said.err.startswith("semiqc: ")


def test_a_verbose_mistake_has_its_traceback(tmp_path, capsys):
    assert main(["info", str(tmp_path / "nothing"), "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_notes_are_seen_in_quiet_commands(capsys):
    output.speak(quiet=True)
    output.note("something is odd")
    output.print_left_out([("a.nii", "damaged")])
    said = capsys.readouterr()
    output.speak()

    assert said.out == ""
    assert said.err.splitlines() == ["note: something is odd", "left out: a.nii: damaged"]


@pytest.mark.parametrize(("words", "command"), [([], "doctor"), (["qc"], "calibrate")])
def test_a_command_without_words_prints_its_help(capsys, words, command):
    assert main(words) == 0
    said = capsys.readouterr()

    assert said.err == ""
    assert re.search(rf"^  {command} ", said.out, re.MULTILINE)


def test_the_settings_that_are_printed_are_those_of_the_run(tmp_path, capsys):
    assert main(["run", "--print-config", "--set", "gate.k=7"]) == 0
    path = tmp_path / "all.yaml"
    path.write_text(capsys.readouterr().out)

    assert main(["run", str(path), "--print-config"]) == 0
    assert "  k: 7" in capsys.readouterr().out.splitlines()


def test_a_dry_run_tells_its_steps_and_makes_nothing(tmp_path, monkeypatch, capsys):
    from semiqc.experiment import estimating

    def timed(settings, extent):
        return estimating.Estimate({"train": 90.0, "report": 30.0}, 2e9)

    monkeypatch.setattr(estimating, "estimate_run", timed)
    assert main(["run", "--dry-run", "-o", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert (told["seconds"], told["disk"]) == (120.0, 2e9)
    steps = next(iter(told["tables"].values()))
    assert [row["step"] for row in steps] == ["train", "report"]
    assert not (tmp_path / "run").exists()


def test_a_run_has_a_plan_of_all_its_steps():
    from semiqc.experiment import read_settings
    from semiqc.experiment.estimating import expected_steps, extent_of_settings

    settings = read_settings(None, ["seeds=[0, 1]"])
    steps = expected_steps(settings, extent_of_settings(settings))

    assert len(steps) == 2 * (3 + len(settings.compared())) + 1
    assert min(steps.values()) > 0
    assert extent_of_settings(settings).unlabelled == 39


def test_the_doctor_finds_what_a_run_needs(tmp_path, capsys):
    assert main(["doctor", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["tables"]["this machine"]

    assert {row["what"]: row["column 1"] for row in found}["weights"] == "ok"
    assert not list(tmp_path.iterdir())


def test_the_doctor_says_what_does_not_work(tmp_path, capsys):
    assert main(["doctor", str(tmp_path / "missing"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["tables"]["this machine"]

    assert [row["what"] for row in found if row["column 1"] == "fails"] == ["writing"]


def test_names_give_a_terminal_no_orders(capsys):
    red = "\x1b[31mred\u202e"
    output.speak()
    output.note(red)
    output.say("store", red)
    output.print_table(red, ("study", "group"), [("a", red), ("b", "")])
    output.print_left_out([(red, red)])

    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert said.count("\\x1b[31mred\\u202e") == 6


def test_a_mistake_gives_a_terminal_no_orders(capsys):
    assert main(["info", "no\x1b[31mthing"]) == 2
    assert "no\\x1b[31mthing: no such file" in capsys.readouterr().err

    assert main(["info", "no\x1b[31m\udcffthing"]) == 2
    assert "no\\x1b[31m\\udcffthing: an argument that is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(("score", "first"), [(0.69, "svr: small"), (0.7, "slice 3 is empty")])
def test_what_flags_a_study_is_told_first(score, first):
    qualities = {"svr": Quality("a", score, reasons=("small",))}
    study = StudyScore("a", score, True, qualities, ("slice 3 is empty", "odd spacing"))

    told = why(study, flag_below=0.7)

    assert told[0] == first
    assert sorted(told) == ["odd spacing", "slice 3 is empty", "svr: small"]
