"""Forty damages of stages, states, suites, stores and runs: every one noticed, none used."""

import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from qc.suites.suite import Suite
from semiqc.cli.app import main
from semiqc.experiment import Finished, RunError
from semiqc.experiment.export_run import _labels
from semiqc.files.hdf5 import StoreError
from semiqc.files.store.reader import Store
from semiqc.files.tables import PseudoRow, read_rows
from semiqc.work.stages import RunFolder


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


def with_nan(path):
    tensors = load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.dtype.kind == "f")
    tensors[name] = np.full_like(tensors[name], np.nan)
    save_file(tensors, path)


DAMAGES = {
    "removed": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size * 2 // 3),
    "flipped": flipped,
    "NaN": with_nan,
}
SOUND = ("removed", "emptied", "truncated", "flipped")


def of_all(*patterns):
    return [(one, kind) for one in patterns for kind in SOUND]


RESULTS = [
    *of_all("settings.yaml", "results/data.json", "results/overlap.csv"),
    *of_all("models/semiqc-seed0.safetensors", "qc/curve-seed0.safetensors"),
    ("models/few-seed0.safetensors", "NaN"),
    ("manifest.json", "emptied"),
]
STAGES = [
    *of_all("train-few-*/weights.safetensors", "judge-curve*/qualities.json"),
    ("train-few-*/training.csv", "truncated"),
    ("predict-few-candidates-*/predictions.h5", "flipped"),
    ("qc-curve-*/estimator.safetensors", "flipped"),
    ("train-few-*/weights.safetensors", "NaN"),
    ("train-few-*/manifest.json", "removed"),
]


@pytest.fixture
def run(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


def test_a_sound_run_suite_and_store_are_said_to_be_so(finished_run, fitted_suite, suite_store):
    for path in (finished_run, fitted_suite, suite_store):
        assert main(["verify", str(path)]) == 0


@pytest.mark.parametrize(("name", "kind"), RESULTS)
def test_a_damaged_result_is_named_and_refused(run, name, kind, capsys):
    DAMAGES[kind](run / name)

    assert main(["verify", str(run)]) == 2
    assert name.rpartition("/")[2] in capsys.readouterr().out.replace("\n", "")
    with pytest.raises(RunError, match=f"{name}: damaged"):
        Finished.read(run)


@pytest.mark.parametrize(("pattern", "kind"), STAGES)
def test_a_damaged_stage_is_named_and_made_anew(run, pattern, kind, capsys):
    path = sorted((run / "stages").glob(pattern))[0]
    DAMAGES[kind](path)

    assert main(["verify", str(run)]) == 2
    assert path.name in capsys.readouterr().out.replace("\n", "")
    heard = []
    RunFolder(run, note=heard.append)._keep_sound(path.parent)
    assert not path.parent.exists()
    assert str(path) in heard[0]


def test_damaged_pseudo_labels_are_not_exported(run):
    row = read_rows(run / "results" / "pseudo.csv", PseudoRow)[0]
    flipped(run / row.file)

    with pytest.raises(RunError, match=r"predictions\.h5: damaged"):
        _labels(run, [row])


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("name", ["cnn.safetensors", "suite.json", "test.h5"])
def test_a_damaged_suite_is_named_and_refused(fitted_suite, tmp_path, name, kind, capsys):
    suite = tmp_path / "suite"
    shutil.copytree(fitted_suite, suite, ignore=shutil.ignore_patterns("stages"))
    DAMAGES[kind](suite / name)

    assert main(["verify", str(suite)]) == 2
    assert name in capsys.readouterr().out.replace("\n", "")
    if name != "test.h5":
        with pytest.raises(ValueError, match=name):
            Suite.load(suite)


@pytest.mark.parametrize("kind", ["emptied", "truncated", "flipped"])
def test_a_damaged_store_is_refused(suite_store, tmp_path, kind):
    store = shutil.copy(suite_store, tmp_path / "store.h5")
    DAMAGES[kind](tmp_path / "store.h5")

    assert main(["verify", str(store)]) == 2
    with pytest.raises(StoreError, match=r"store\.h5: "):
        Store(store)
