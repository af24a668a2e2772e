"""Ctrl-C in every command: one line, exit code 130, and nothing half done is left."""

from dataclasses import replace

import numpy as np
import pytest
from corpus.commands import BEFORE, all_commands
from source_builders import pixels, save

from semiqc.cli.app import GOING_ON, main
from semiqc.files import atomic
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.nifti.writing import write_labels
from semiqc.schemes import SHORT_AXIS

WRITING = {
    "score": ("phantom {here}/in {here}/seg -o {out}", "report.html"),
    "review": ("{store} --verdicts {here}/said --export {out}", "verdicts.csv"),
    "check": ("{here}/in -o {out} --no-time", "settings.yaml"),
    "import": ("{here}/manifest.csv {out}/a.h5", "a.h5"),
    "phantom": ("{out}/a.h5 --studies 1 --size 32 --slices 1 --frames 1", "a.h5"),
    "spoil": ("{store} -o {out}/a.h5", "a.h5"),
    "run": ("--set data={store} -o {out}", "settings.yaml"),
    "report": ("{before}/run {run} -o {out}", "report.html"),
    "predict": ("phantom {here}/in -o {out}", ""),
    "evaluate": ("{run} {others} -o {out}", "clinical.csv"),
    "pretrain": ("-o {out}/a.safetensors --set training.steps=1", ""),
    "tune": ("{settings} --over training.clip=[1,2] -o {out} --set split.validation=1", ""),
    "suggest": ("{run} -o {out}", "suggestions.csv"),
    "export": ("{run} {out}/Dataset501_A", "dataset.json"),
    "qc fit": ("{store} -o {out} --estimators svr --sources failures", ""),
    "qc grade": ("{store} {here}/graded -o {out}/a.h5", "a.h5"),
    "qc evaluate": ("{suite} {suite}/test.h5 -o {out}", ""),
    "qc calibrate": ("{suite} {suite}/test.h5 -o {out}", "suite.json"),
    "qc finetune": ("phantom {here}/fine.h5 -o {out} --steps 1", "suite.json"),
    "qc pretrain": ("-o {out} --phantoms 6", ""),
}
"""Words of each command, and of which file it is ended, which is on disk and not in its place."""
JUDGING = ("qc evaluate", "qc calibrate")
PRINTING = {"info": "{store}", "verify": "{store}", "doctor": "", "schema": ""}


@pytest.fixture(scope="module")
def here(suite_store, tmp_path_factory):
    """Images and segmentations in files, a manifest, a reader's verdicts, a store of others."""
    here, affine = tmp_path_factory.mktemp("in"), np.diag([1.5, 1.5, 8, 1])
    image = pixels(shape=(40, 40, 3))
    for name in "ab":
        save(here / "in" / f"{name}.nii.gz", image, affine)
        save(here / "seg" / f"{name}.nii.gz", (image > np.median(image)).astype(np.uint8), affine)
    (here / "manifest.csv").write_text("study,image\na,in/a.nii.gz\n")
    (here / "said.csv").write_text("study,verdict\nphantom-0001,good\n")
    store = Store(suite_store)
    study = store.study("phantom-0001")
    (here / "graded").mkdir()
    write_labels(here / "graded" / "phantom-0001.nii.gz", study, np.maximum(study.labels[:], 0))
    with StoreWriter(here / "others.h5", SHORT_AXIS) as writer:
        writer.add(replace(study, name="other", subject="other"))
    with StoreWriter(here / "fine.h5", SHORT_AXIS) as writer:
        writer.add(replace(study, spacing=(8.0, 1.5, 1.5)))
    words = ["review", str(suite_store), "--verdicts", str(here / "said")]
    assert main([*words, "--import", str(here / "said.csv")]) == 0
    return here


@pytest.fixture
def places(here, finished_run, fitted_suite, suite_store, tmp_path):
    """What stands for a word of ``WRITING``."""
    return {
        "here": here, "others": here / "others.h5", "out": tmp_path / "out", "run": finished_run,
        "suite": fitted_suite, "store": suite_store, "before": BEFORE,
        "settings": finished_run / "settings.yaml",
    }  # fmt: skip


def of_seconds(command):
    """Those that judge first are left to the slow tests."""
    return pytest.param(command, marks=[pytest.mark.slow] if command in JUDGING else [])


def words_of(command, form, places):
    return [*command.split(), *form.format(**places).split()]


def killer(*_, **__):
    raise KeyboardInterrupt


def killed_at(name):
    def sync(path):
        if path.name.startswith(f".{name}") and path.name.endswith(".tmp"):
            raise KeyboardInterrupt

    return sync


def interrupted(words, capsys):
    """What a command says last that ends after Ctrl-C as it should."""
    assert main(words) == 130
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_every_command_is_interrupted_here():
    assert WRITING.keys() | PRINTING.keys() == all_commands()


@pytest.mark.parametrize("command", [of_seconds(command) for command in WRITING])
def test_a_command_that_writes_leaves_nothing_or_goes_on(command, places, monkeypatch, capsys):
    form, file = WRITING[command]
    monkeypatch.setattr(atomic, "sync_file", killed_at(file))
    words = words_of(command, form, places)

    said = interrupted(words, capsys)

    if command in GOING_ON:
        assert said == "semiqc: interrupted; the same command goes on where it stood"
    else:
        assert said == "semiqc: interrupted"
        assert [path for path in places["out"].parent.glob("*out*/**/*") if path.is_file()] == []


@pytest.mark.parametrize("command", PRINTING)
def test_a_command_that_prints_just_ends(command, places, monkeypatch, capsys):
    monkeypatch.setattr("rich.console.Console.print", killer)
    monkeypatch.setattr("semiqc.experiment.json_schema", killer)

    assert interrupted(words_of(command, PRINTING[command], places), capsys) == (
        "semiqc: interrupted"
    )
