import json
import os
import subprocess
import sys

import pytest

from semiqc import __version__
from semiqc.cli.app import main


def test_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "no.yaml"], "no.yaml"),
        (["run", "--set", "gaet.k=1"], "did you mean 'gate'?"),
        (["run", "--set", "data=no.h5", "-o", "{tmp}/out"], "no.h5: no such file"),
        (["run", "--set", "data={tmp}/text.h5", "-o", "{tmp}/out"], "not a readable HDF5 file"),
        (["run", "-o", "{tmp}"], "holds files and is not a run folder"),
        (["report", "{tmp}"], "not a run folder"),
        (["predict", "{tmp}", "x.nii.gz", "-o", "{tmp}/out"], "not a run folder"),
        (["import", "{tmp}/nothing", "{tmp}/store.h5"], "nothing"),
        (["phantom", "{tmp}/text.h5"], "exists already; say --overwrite"),
        (["phantom", "{tmp}/new.h5", "--studies", "0"], "studies"),
        (["rnu"], "rnu"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    (tmp_path / "text.h5").write_text("not a store")
    code = main([argument.format(tmp=tmp_path) for argument in arguments])
    said = capsys.readouterr().err

    assert code == 2
    assert message in said
    assert said.startswith("semiqc: ")
    assert said.count("\n") == 1


def test_a_bug_is_not_dressed_up_as_the_users_mistake(monkeypatch):
    def broken(path, changes):
        return int("x")

    monkeypatch.setattr("semiqc.experiment.read_settings", broken)
    with pytest.raises(ValueError, match="invalid literal"):
        main(["run"])


def test_an_interrupted_run_says_how_to_go_on(monkeypatch, capsys):
    def interrupt(path, changes):
        raise KeyboardInterrupt

    monkeypatch.setattr("semiqc.experiment.read_settings", interrupt)

    assert main(["run"]) == 130
    assert "goes on where it stood" in capsys.readouterr().err


def test_the_schema_is_json(capsys):
    assert main(["schema"]) == 0
    assert "gate" in json.loads(capsys.readouterr().out)["properties"]


def test_names_that_a_terminal_cannot_show_do_not_end_the_work(tmp_path):
    command = [sys.executable, "-m", "semiqc", "import", str(tmp_path / "M\u00fcller"), "x.h5"]
    found = subprocess.run(
        command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False
    )

    assert found.returncode == 2
    assert b"M\\xfcller" in found.stderr
