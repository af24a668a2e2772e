import json

import numpy as np
import pytest
from curve_builders import graded_hearts
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from qc import ESTIMATORS, CurveClassifier
from qc.saving import HEADER, load_estimator, save_estimator
from semiqc.schemes import SHORT_AXIS


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "estimator.safetensors"
    save_estimator(CurveClassifier(SHORT_AXIS, steps=2, folds=2).fit(graded_hearts(3)), file)
    return file


def altered(saved, tmp_path, **changes):
    """A copy of the file with something else in its header."""
    with safe_open(saved, framework="np") as file:
        header = json.loads(file.metadata()[HEADER])
    copy = tmp_path / "altered.safetensors"
    save_file(load_file(saved), copy, metadata={HEADER: json.dumps(header | changes)})
    return copy


def test_settings_come_back(saved):
    back = load_estimator(saved, ESTIMATORS)

    assert back.steps == 2
    assert back.scheme == SHORT_AXIS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 9}, "estimator of version 9, expected 1"),
        ({"kind": "Oracle"}, "unknown estimator 'Oracle'; known: CurveClassifier"),
        ({"settings": {"wdith": 3}}, r"unknown settings of CurveClassifier: \['wdith'\]"),
        ({"settings": {"width": 3}}, "not what CurveClassifier learned"),
    ],
)
def test_what_does_not_fit_is_refused(saved, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_estimator(altered(saved, tmp_path, **changes), ESTIMATORS)


def test_files_of_other_kinds_are_refused(saved, tmp_path):
    weights = tmp_path / "weights.safetensors"
    save_file({"a": np.zeros(2)}, weights)
    cut_short = tmp_path / "cut.safetensors"
    cut_short.write_bytes(saved.read_bytes()[:-40])

    with pytest.raises(ValueError, match="not one that holds an estimator"):
        load_estimator(weights, ESTIMATORS)
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_estimator(cut_short, ESTIMATORS)
    with pytest.raises(ValueError, match=r"none.safetensors: no such file"):
        load_estimator(tmp_path / "none.safetensors", ESTIMATORS)


def test_arrays_that_are_missing_are_refused(saved, tmp_path):
    with safe_open(saved, framework="np") as file:
        metadata = file.metadata()
    arrays = load_file(saved)
    del arrays["figures"]
    lacking = tmp_path / "lacking.safetensors"
    save_file(arrays, lacking, metadata=metadata)

    with pytest.raises(ValueError, match="not what CurveClassifier learned"):
        load_estimator(lacking, ESTIMATORS)


def test_who_was_saved_before_judges_each_frame(tmp_path):
    file = tmp_path / "svr.safetensors"
    estimator = ESTIMATORS["svr"](SHORT_AXIS)
    save_estimator(estimator.fit(graded_hearts(3)), file)
    settings = estimator.get_params(deep=False)
    now = {k: v for k, v in settings.items() if k not in ("scheme", "every")}

    assert load_estimator(file, ESTIMATORS).every == settings["every"] > 1
    assert load_estimator(altered(file, tmp_path, settings=now), ESTIMATORS).every == 1
