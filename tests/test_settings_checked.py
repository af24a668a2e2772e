"""Settings that cannot work are refused before the first second of work."""

import pytest

from semiqc.experiment.ready import check_ready
from semiqc.experiment.settings_file import read_settings
from semiqc.suites.settings import SuiteSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seeds=[-1]", "seeds.0: .*got -1"),
        ("split.seed=-1", "split.seed: .*got -1"),
        ("training.seed=99999999999999999999", "training"),
        ("training.patch=[0, 0]", "patch must be two lengths"),
        ("training.device=toaster", "device must be one of auto, cpu"),
        ("training.clip=0", "clip must be positive, got 0"),
        ("training.clip=.inf", "finite"),
        ("training.foreground=.nan", "finite"),
        ("training.learning_rate=.inf", "finite"),
        ("training.weight_decay=-1", "weight_decay must not be negative"),
        ("training.snapshots=[0]", "snapshots must be steps"),
        ("training.augmentation.scale=[0, 0]", "scale must rise"),
        ("training.augmentation.noise=-1", "noise must not be negative"),
        ("training.augmentation.low_resolution=0", "low_resolution must lie"),
        ("segmenter.channels=[]", "segmenter.channels"),
        ("segmenter.channels=[1000000000, 2]", "segmenter.channels.0"),
        ("evaluation.nsd_tolerance_mm=.inf", "nsd_tolerance_mm: .*finite"),
        ("evaluation.nsd_tolerance_mm=1e9", "nsd_tolerance_mm: "),
        ("importing.spacing=1e-9", "importing.spacing: "),
        ("gate.margin=.nan", "gate.margin: .*finite"),
        ("online.learning_rate=.nan", "online.learning_rate: .*finite"),
        ("qc.arguments={cnn: {learning_rate: .nan}}", "finite"),
        ("phantom.profiles=[none]", "phantom.profiles"),
        ("scenarios=[]", "scenarios: none"),
        ("name=2024-13-45", None),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(change, message):
    changes = [change, "gates=[]", "name=x"] if "name=" not in change else [change]
    if message is None:
        assert read_settings(None, changes).name == "2024-13-45"
        return
    with pytest.raises(ValueError, match=message) as raised:
        read_settings(None, changes)
    assert "\n" not in str(raised.value)


def test_a_message_does_not_repeat_a_long_value():
    with pytest.raises(ValueError, match=r"gate\.by") as raised:
        read_settings(None, [f"gate.by={'x' * 200_000}"])
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("qc.verdicts=none.csv", "none.csv: no such file"),
        ("split.file=none.csv", "none.csv: no such file"),
        ("data=none.h5", "data: none.h5: no such file"),
        ("training.start=none.safetensors", "none.safetensors: no such file"),
        ("importing.scheme=none.yaml", "unknown label scheme 'none.yaml'"),
        ("training.device=mps", "training.device: this machine has no mps"),
    ],
)
def test_what_settings_name_is_looked_at_before_work(tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    settings = read_settings(None, [change, "gates=[]", "scenarios=[few]"])

    with pytest.raises(ValueError, match=message):
        check_ready(settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": -1}, "seed must lie"),
        ({"tolerance_mm": float("nan")}, "tolerance_mm must lie"),
        ({"tolerance_mm": float("inf")}, "tolerance_mm must lie"),
        ({"folds": 1}, "folds must be at least 2"),
        ({"calibrate": -1}, "calibrate must not be negative"),
        ({"changes": ("cnn.learning_rate=.nan",)}, "finite"),
    ],
)
def test_a_suite_that_cannot_be_made_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        SuiteSettings(**given)
