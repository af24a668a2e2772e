"""Bad inputs of all kinds: refused in one line that names the file, and no sound study is lost."""

import pytest
from corpus import __main__ as generator
from corpus.cases import Case, all_cases
from corpus.commands import COMMANDS, KINDS, all_commands, command_cases
from corpus.images import SOUND, write_images
from corpus.running import answered
from hypothesis import given, settings
from hypothesis import strategies as st

from semiqc.cli.app import main
from semiqc.doors.csv_table import as_meant, harmless
from semiqc.doors.json_file import parse_json
from semiqc.doors.regular import UnusableError
from semiqc.doors.yaml_file import parse_yaml
from semiqc.exchange.importing import import_data
from semiqc.nifti.files import read_header

CASES = [*all_cases(), *command_cases()]
QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def test_the_corpus_is_large():
    assert len(CASES) >= 400


def test_the_corpus_has_every_command():
    assert set(COMMANDS) == all_commands()


def test_the_generator_prints_a_row_for_each_door_and_what_was_answered_wrongly(
    monkeypatch, capsys
):
    def make(folder):
        return folder / "a"

    def fail(_):
        return 1 // 0

    cases = [
        *(Case("door", str(number), make, read_header) for number in range(3)),
        Case("door", "sound", make, lambda _: None),
        Case("other", "traceback", make, fail),
    ]
    of_command = Case("semiqc info", "pipe, 0", make, read_header)
    monkeypatch.setattr(generator, "all_cases", lambda: cases)
    monkeypatch.setattr(generator, "command_cases", lambda: [of_command])
    monkeypatch.setattr("sys.argv", ["corpus"])

    assert generator.main() == 1
    printed = capsys.readouterr().out.splitlines()
    head, door, other, _, total, _, kinds, *matrix, fault = printed
    assert head.split()[:4] == ["door", "refused", "sound", "wrong"]
    assert door.split()[:4] == ["door", "3", "1", "0"]
    assert other.split()[:4] == ["other", "0", "0", "1"]
    assert total == "6 inputs"
    [told] = [line for line in matrix if line.startswith("info ")]
    assert told.split()[1:].index("r") == list(KINDS).index("pipe")
    assert set(told.split()[1:]) == {"r", "-"}
    assert kinds.split()[:2] == ["command", "missing"]
    assert fault.startswith("other, traceback: traceback: ZeroDivisionError")


@pytest.mark.parametrize("door", sorted({case.door for case in CASES}))
def test_every_bad_input_is_answered_in_one_line(door, tmp_path):
    wrong = {}
    for number, case in enumerate(case for case in CASES if case.door == door):
        folder = tmp_path / str(number)
        folder.mkdir()
        if fault := answered(case, folder).fault:
            wrong[case.name] = fault

    assert wrong == {}


def test_bad_images_are_left_out_and_no_sound_one_is_lost(tmp_path):
    bad = write_images(tmp_path)

    report = import_data(tmp_path / "t.csv", tmp_path / "s.h5")

    assert {row.name for row in report.imported} >= set(SOUND)
    assert {one.name for one in report.left_out} >= set(bad) - {"plane"}
    assert all("\n" not in one.reason and len(one.reason) < 500 for one in report.left_out)


def test_a_table_is_not_replaced_by_the_store_of_its_studies(tmp_path, capsys):
    table = tmp_path / "t.csv"
    write_images(tmp_path)
    before = table.read_bytes()

    assert main(["import", str(table), str(table), "--overwrite"]) == 2
    assert table.read_bytes() == before
    assert "is no store; name another file" in " ".join(capsys.readouterr().err.split())


def test_brackets_in_a_path_are_no_markup(tmp_path, capsys):
    folder = tmp_path / "[" / "red]"
    folder.mkdir(parents=True)

    assert main(["phantom", str(folder / "s.h5"), "--studies", "1", "--size", "32"]) == 0
    assert "red]" in "".join(capsys.readouterr().out.split())


@given(st.text(st.sampled_from("=+-@\t\r' a1"), max_size=6))
@QUICK
def test_a_cell_that_would_be_computed_comes_back_as_it_was(text):
    assert as_meant(harmless(text)) == text
    assert not harmless(text).startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("text", ['name: "\\ud800"', 'name: "a\\0b"', '"\\udcff": 1'])
def test_yaml_of_what_no_file_can_hold_is_refused(text):
    with pytest.raises(UnusableError, match=r"a\.yaml: .*: text that no file can hold"):
        parse_yaml(text, "a.yaml")


def test_json_of_half_a_letter_is_refused():
    assert parse_json('["\\ud83e\\udde1", "\\\\ud800"]', "a.json") == ["\U0001f9e1", "\\ud800"]
    for text in ('["\\ud800"]', b'{"\\uDCFF": 1}', '["\ud800"]'):
        with pytest.raises(UnusableError, match=r"a\.json: not JSON \(.*surrogates not allowed"):
            parse_json(text, "a.json")


def _yaml_is_read_or_refused(text):
    said = "a.yaml"
    try:
        parse_yaml(text, "a.yaml")
    except UnusableError as error:
        said = str(error)
    assert "a.yaml" in said
    assert "\n" not in said


yaml_like = st.text(st.sampled_from("ab:-[]{}&*!|>'\"#,? \n01.<=~\t%@"), max_size=60)


@given(yaml_like)
@QUICK
def test_any_yaml_is_read_or_refused(text):
    _yaml_is_read_or_refused(text)
